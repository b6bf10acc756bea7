// SPDX-License-Identifier: BSD-3-Clause
#include "trace/hdf5_write.hpp"

#include "base/error.hpp"

#include <cstdint>
#include <variant>

namespace quantimed::hdf5 {

namespace {

constexpr std::size_t kCompactBytes = 4096;  // up to this a data set lives in its header: no chunk, no index
constexpr unsigned kStatedLevel = 1;         // what the file says of its chunks

}  // namespace

Space scalar() { return Space(H5Screate(H5S_SCALAR), "scalar"); }

Space simple(std::span<const hsize_t> shape) {
  return Space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), "space");
}

Object make_group(hid_t file, const char* name) {
  const PropertyList ordered(H5Pcreate(H5P_GROUP_CREATE), name);
  need(H5Pset_attr_creation_order(ordered, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), name);
  return Object(H5Gcreate2(file, name, H5P_DEFAULT, ordered, H5P_DEFAULT), name);
}

void write_attribute(hid_t object, const std::string& name, hid_t stored, hid_t memory, hid_t space,
                     const void* value) {
  const PropertyList utf8(H5Pcreate(H5P_ATTRIBUTE_CREATE), "attribute " + name);
  need(H5Pset_char_encoding(utf8, H5T_CSET_UTF8), "attribute " + name);
  const AttributeHandle attribute(H5Acreate2(object, name.c_str(), stored, space, utf8, H5P_DEFAULT),
                                  "attribute " + name);
  need(H5Awrite(attribute, memory, value), "attribute " + name);
}

void put(hid_t object, const std::string& name, const std::string& value) {
  check(value.find('\0') == std::string::npos, "a text in a trace has no zero byte");
  const char* characters = value.c_str();
  const Type type = text_type();
  write_attribute(object, name, type, type, scalar(), &characters);
}
void put(hid_t object, const std::string& name, bool value) {
  const auto byte = static_cast<std::int8_t>(value);
  const Type type = bool_type();
  write_attribute(object, name, type, type, scalar(), &byte);
}
void put(hid_t object, const Attributes& attributes) {
  for (const auto& [name, attribute] : attributes)
    std::visit([&, &key = name](const auto& value) { put(object, key, value); }, attribute);
}

hsize_t chunk_rows(std::span<const hsize_t> shape, std::size_t value_bytes, Packing packing) {
  hsize_t row_bytes = value_bytes;
  for (const hsize_t extent : shape.subspan(1)) row_bytes *= extent;
  if (packing == Packing::plain || shape[0] * row_bytes <= kCompactBytes) return 0;
  return std::clamp<hsize_t>(kChunkBytes / std::max<hsize_t>(row_bytes, 1), 1, shape[0]);
}

PropertyList layout(std::span<const hsize_t> shape, std::size_t value_bytes, hsize_t rows) {
  PropertyList list(H5Pcreate(H5P_DATASET_CREATE), "layout");
  hsize_t bytes = value_bytes;
  for (const hsize_t extent : shape) bytes *= extent;
  if (rows == 0) {
    if (bytes <= kCompactBytes) need(H5Pset_layout(list, H5D_COMPACT), "layout");
    return list;
  }
  std::array<hsize_t, 2> chunk{};
  std::copy(shape.begin(), shape.end(), chunk.begin());
  chunk[0] = rows;
  need(H5Pset_chunk(list, static_cast<int>(shape.size()), chunk.data()), "layout");
  need(H5Pset_shuffle(list), "layout");
  need(H5Pset_deflate(list, kStatedLevel), "layout");
  return list;
}

}  // namespace quantimed::hdf5

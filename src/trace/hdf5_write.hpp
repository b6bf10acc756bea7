// SPDX-License-Identifier: BSD-3-Clause
// Attributes, groups and data sets of a trace's file. All throw Fault.
#pragma once

#include "trace/chunk_packer.hpp"
#include "trace/hdf5.hpp"
#include "trace/trace.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <string>

namespace quantimed::hdf5 {

inline constexpr std::size_t kChunkBytes = 1u << 20;  // fits HDF5's default chunk cache

Space scalar();
Space simple(std::span<const hsize_t> shape);

// ---- groups and attributes ------------------------------------------------------------------------
// Attributes come back in the order in which they were written.
Object make_group(hid_t file, const char* name);

void write_attribute(hid_t object, const std::string& name, hid_t stored, hid_t memory, hid_t space, const void* value);

void put(hid_t object, const std::string& name, const std::string& value);
inline void put(hid_t object, const std::string& name, const char* value) { put(object, name, std::string(value)); }
void put(hid_t object, const std::string& name, bool value);
template <class Number>  // int64 or double
void put(hid_t object, const std::string& name, Number value) {
  write_attribute(object, name, stored_type<Number>(), memory_type<Number>(), scalar(), &value);
}
void put(hid_t object, const Attributes& attributes);

// ---- data sets -----------------------------------------------------------------------------------
// Plain: for numbers that do not shrink and must be on disk soon.
enum class Packing { deflated, plain };

// Layout: in the header when small, else chunks of whole rows, packed; or plain. 0: not in chunks.
hsize_t chunk_rows(std::span<const hsize_t> shape, std::size_t value_bytes, Packing packing);
PropertyList layout(std::span<const hsize_t> shape, std::size_t value_bytes, hsize_t rows);

template <class T>
Object make_dataset(hid_t group, const char* name, const char* unit, std::span<const hsize_t> shape, hsize_t rows) {
  const PropertyList creation = layout(shape, sizeof(T), rows);
  Object dataset(H5Dcreate2(group, name, stored_type<T>(), simple(shape), H5P_DEFAULT, creation, H5P_DEFAULT), name);
  put(dataset, "unit", unit);
  return dataset;
}

// Rows from `first` on, which are one chunk or a part of the last.
template <class T>
void put_chunk(hid_t dataset, const char* name, ChunkPacker& packer, hsize_t first, std::span<const T> values,
               std::size_t chunk_values) {
  static_assert(std::endian::native == std::endian::little, "a chunk's values are stored as they lie in memory");
  const std::span<const std::byte> packed = packer.pack(std::as_bytes(values), sizeof(T), chunk_values * sizeof(T));
  need(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, std::array<hsize_t, 2>{first, 0}.data(), packed.size(), packed.data()),
       name);
}

template <class T>
Object put_values(hid_t group, ChunkPacker& packer, const char* name, const char* unit, std::span<const hsize_t> shape,
                  const T* values, Packing packing = Packing::deflated) {
  const hsize_t rows = chunk_rows(shape, sizeof(T), packing);
  Object dataset = make_dataset<T>(group, name, unit, shape, rows);
  if (rows == 0) {
    need(H5Dwrite(dataset, memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), name);
    return dataset;
  }
  const std::size_t columns = shape.size() > 1 ? shape[1] : 1;
  for (hsize_t first = 0; first < shape[0]; first += rows)
    put_chunk<T>(dataset, name, packer, first,
                 {values + first * columns, std::min<hsize_t>(rows, shape[0] - first) * columns}, rows * columns);
  return dataset;
}

}  // namespace quantimed::hdf5

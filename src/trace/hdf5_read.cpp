// SPDX-License-Identifier: BSD-3-Clause
#include "trace/hdf5_read.hpp"

#include <sys/mman.h>

#include <array>
#include <exception>
#include <new>

namespace quantimed::hdf5 {

namespace {

constexpr std::uint64_t kMostChunkBytes = std::uint64_t{256} << 20;
constexpr hsize_t kMostAttributes = 10'000;
constexpr std::size_t kMostTextBytes = std::size_t{1} << 26;

// `read(type, buffer)` is H5Aread or H5Dread. A scalar text of fixed or of any length.
template <class Read>
std::string read_text(hid_t type, const std::string& shown, Read&& read) {
  if (need(H5Tis_variable_str(type), shown) > 0) {
    char* characters = nullptr;
    need(read(text_type(H5Tget_cset(type)), &characters), shown);
    std::string value = characters == nullptr ? "" : characters;
    H5free_memory(characters);
    return value;
  }
  const std::size_t size = H5Tget_size(type);
  if (size > kMostTextBytes) throw Fault(fmt::format("{} is a text of {} bytes", shown, size));
  std::string value(size, '\0');
  need(read(type, value.data()), shown);
  value.resize(std::min(value.find('\0'), size));
  return value;
}

void need_scalar(hid_t space, const std::string& shown) {
  if (H5Sget_simple_extent_type(space) != H5S_SCALAR) throw Fault(shown + " is not a single value");
}

// The one call of ours that HDF5 1.12 took away. Each version is asked in its own words, whatever API it offers.
hsize_t attribute_count(hid_t object, const std::string& owner) {
#if H5_VERSION_GE(1, 12, 0)
  H5O_info2_t info{};
  need(H5Oget_info3(object, &info, H5O_INFO_NUM_ATTRS), owner);
#else
  H5O_info_t info{};
  need(H5Oget_info2(object, &info, H5O_INFO_NUM_ATTRS), owner);
#endif
  return info.num_attrs;
}

}  // namespace

Object open_object(hid_t parent, const char* name, H5I_type_t kind, const std::string& shown) {
  if (need(H5Lexists(parent, name, H5P_DEFAULT), shown) == 0) throw Fault("has no " + shown);
  H5L_info_t link{};
  need(H5Lget_info(parent, name, &link, H5P_DEFAULT), shown);
  if (link.type != H5L_TYPE_HARD) throw Fault(shown + " is a link");
  Object object(H5Oopen(parent, name, H5P_DEFAULT), shown);
  if (H5Iget_type(object) != kind) throw Fault(shown + (kind == H5I_GROUP ? " is not a group" : " is not a data set"));
  return object;
}

Object open_group(hid_t file, const char* name) { return open_object(file, name, H5I_GROUP, fmt::format("/{}", name)); }

Attribute read_attribute(hid_t attribute, const std::string& shown) {
  const Type type(H5Aget_type(attribute), shown);
  need_scalar(Space(H5Aget_space(attribute), shown), shown);
  std::int64_t integer = 0;
  double real = 0;
  std::int8_t truth = 0;
  switch (H5Tget_class(type)) {
    case H5T_STRING:
      return read_text(type, shown, [&](hid_t as, void* to) { return H5Aread(attribute, as, to); });
    case H5T_INTEGER:
      need(H5Aread(attribute, H5T_NATIVE_INT64, &integer), shown);
      return integer;
    case H5T_FLOAT:
      need(H5Aread(attribute, H5T_NATIVE_DOUBLE, &real), shown);
      return real;
    case H5T_ENUM:
      need(H5Aread(attribute, bool_type(), &truth), shown);
      return truth != 0;
    default:
      throw Fault(shown + " is neither number, text nor Boolean");
  }
}

Attributes read_attributes(hid_t group, const std::string& owner) {
  const hsize_t count = attribute_count(group, owner);
  if (count > kMostAttributes) throw Fault(fmt::format("{} has {} attributes", owner, count));
  unsigned order = 0;
  const PropertyList creation(H5Gget_create_plist(group), owner);
  need(H5Pget_attr_creation_order(creation, &order), owner);
  // Other programs may not track the order; then it is the alphabet's.
  const H5_index_t index = (order & H5P_CRT_ORDER_TRACKED) != 0 ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
  // One walk for all the names: to open each by its number would make the library sort all of them each time.
  struct {
    std::vector<std::string> names;
    std::exception_ptr failure;  // nothing may be thrown through C
  } walk;
  const auto note = [](hid_t, const char* name, const H5A_info_t*, void* to) -> herr_t {
    auto& [names, failure] = *static_cast<decltype(walk)*>(to);
    try {
      names.emplace_back(name);
      return 0;
    } catch (...) {
      failure = std::current_exception();
      return -1;
    }
  };
  const herr_t walked = H5Aiterate2(group, index, H5_ITER_INC, nullptr, note, &walk);
  if (walk.failure) std::rethrow_exception(walk.failure);
  need(walked, "attributes of " + owner);
  Attributes attributes;
  for (const std::string& name : walk.names) {
    const std::string shown = fmt::format("attribute {} of {}", name, owner);
    const AttributeHandle handle(H5Aopen(group, name.c_str(), H5P_DEFAULT), shown);
    attributes.emplace_back(name, read_attribute(handle, shown));
  }
  return attributes;
}

std::string read_text_dataset(hid_t parent, const char* name, const std::string& shown) {
  const Object dataset = open_object(parent, name, H5I_DATASET, shown);
  const Type type(H5Dget_type(dataset), shown);
  if (H5Tget_class(type) != H5T_STRING) throw Fault(shown + " is not a text");
  need_scalar(Space(H5Dget_space(dataset), shown), shown);
  need_plain_storage(dataset, shown);
  return read_text(type, shown,
                   [&](hid_t as, void* to) { return H5Dread(dataset, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, to); });
}

void need_plain_storage(hid_t dataset, const std::string& shown) {
  const PropertyList creation(H5Dget_create_plist(dataset), shown);
  const H5D_layout_t layout = H5Pget_layout(creation);
  if (layout == H5D_VIRTUAL || H5Pget_external_count(creation) != 0) throw Fault(shown + " is kept in another file");
  for (int k = 0; k < H5Pget_nfilters(creation); ++k) {
    unsigned flags = 0, config = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(creation, static_cast<unsigned>(k), &flags, &values, nullptr, 0, nullptr, &config);
    if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_FLETCHER32)
      throw Fault(fmt::format("{} uses filter {}", shown, filter));
  }
  if (layout != H5D_CHUNKED) return;
  std::array<hsize_t, H5S_MAX_RANK> chunk{};
  const int rank = H5Pget_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
  std::uint64_t bytes = 8;  // no type of ours is larger
  for (int k = 0; k < rank; ++k) {
    bytes *= std::min<hsize_t>(chunk[static_cast<std::size_t>(k)], kMostChunkBytes + 1);  // no wrapping around
    if (bytes > 8 * kMostChunkBytes) throw Fault(shown + " has oversized chunks");
  }
}

std::size_t plausible_count(Input& input, hid_t dataset, std::span<const hsize_t> shape, std::size_t value_bytes,
                            const std::string& shown) {
  std::uint64_t bytes = value_bytes;
  for (const hsize_t extent : shape)
    if (__builtin_mul_overflow(bytes, extent, &bytes)) bytes = kMostBytes + 1;
  const std::uint64_t stored = std::min<std::uint64_t>(H5Dget_storage_size(dataset), input.bytes);
  if (bytes > kMostBytes || bytes / kDeflateRatio > stored || (bytes > 0 && stored == 0))
    throw Fault(fmt::format("{} claims [{}] values, but holds {} bytes", shown, fmt::join(shape, ", "), stored));
  if (bytes > input.most - input.taken)
    throw Fault(fmt::format("unpacks to over {} MiB and has no checksum of ours; unpack it (h5repack -f NONE)",
                            input.most >> 20));
  input.taken += bytes;
  return bytes / value_bytes;
}

void require_room_for_hdf5() {
  void* room = ::mmap(nullptr, kForHdf5, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) throw std::bad_alloc();
  ::munmap(room, kForHdf5);
}

}  // namespace quantimed::hdf5

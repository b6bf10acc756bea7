// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/hdf5_file.hpp"

#include <fmt/format.h>

#include "base/text_file.hpp"
#include "dataset/hdf5_locking.hpp"

namespace quantimed {

namespace fs = std::filesystem;

Hdf5File::Hdf5File(const fs::path& path, std::uint64_t bytes)
    : path_(path),
      budget_(bytes),
      access_(unlocked_access()),
      file_(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access_.get()), H5Fclose) {
  if (!file_ && lock_was_refused()) reject(kLockRefused, kFixLock);
  if (!file_) reject("corrupt or truncated HDF5 file", kFixFetchAgain);
}

std::string Hdf5File::contents() const {
  struct Names {
    std::string text;
    int count = 0;
  } names;
  const auto add = [](hid_t, const char* name, const H5L_info_t*, void* into) -> herr_t {
    auto& to = *static_cast<Names*>(into);
    to.text += (to.text.empty() ? "" : ", ") + excerpt(name);
    return ++to.count < 8 ? 0 : 1;
  };
  H5Literate(file_.get(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, add, &names);
  return names.text.empty() ? "nothing" : names.text;
}

bool Hdf5File::has_link(const std::string& name) const {
  H5L_info_t info{};
  if (H5Lexists(file_.get(), name.c_str(), H5P_DEFAULT) <= 0) return false;
  if (H5Lget_info(file_.get(), name.c_str(), &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD)
    reject(fmt::format("{} is a soft or external link", name), "store the data in this file");
  return true;
}

bool Hdf5File::is_group(const std::string& name) const {
  if (!has_link(name)) return false;
  const Hdf5Handle object(H5Oopen(file_.get(), name.c_str(), H5P_DEFAULT), H5Oclose);
  return object && H5Iget_type(object.get()) == H5I_GROUP;
}

std::optional<std::string> Hdf5File::attribute_text(const char* name) const {
  if (H5Aexists(file_.get(), name) <= 0) return std::nullopt;
  const Hdf5Handle attribute(H5Aopen(file_.get(), name, H5P_DEFAULT), H5Aclose);
  const Hdf5Handle type(H5Aget_type(attribute.get()), H5Tclose);
  const Hdf5Handle space(H5Aget_space(attribute.get()), H5Sclose);
  const bool scalar = H5Sget_simple_extent_npoints(space.get()) == 1;
  if (!scalar || H5Tget_class(type.get()) != H5T_STRING) reject(fmt::format("attribute {} is not a string", name));
  std::string text;
  if (H5Tis_variable_str(type.get()) > 0) {
    char* foreign = nullptr;
    const Hdf5Handle memory(H5Tcopy(type.get()), H5Tclose);
    if (H5Aread(attribute.get(), memory.get(), &foreign) < 0 || !foreign) return std::nullopt;
    text = foreign;
    H5free_memory(foreign);
  } else {
    text.resize(H5Tget_size(type.get()));
    if (H5Aread(attribute.get(), type.get(), text.data()) < 0) return std::nullopt;
    text.resize(std::min(text.find('\0'), text.size()));
  }
  return excerpt(text);
}

std::int64_t Hdf5File::attribute_number(const char* name) const {
  const auto bad = [&] { reject(fmt::format("the root attribute {} is missing or no integer", name)); };
  if (H5Aexists(file_.get(), name) <= 0) bad();
  const Hdf5Handle attribute(H5Aopen(file_.get(), name, H5P_DEFAULT), H5Aclose);
  const Hdf5Handle type(H5Aget_type(attribute.get()), H5Tclose);
  const Hdf5Handle space(H5Aget_space(attribute.get()), H5Sclose);
  std::int64_t value = 0;
  if (H5Sget_simple_extent_npoints(space.get()) != 1 || H5Tget_class(type.get()) != H5T_INTEGER ||
      H5Aread(attribute.get(), H5T_NATIVE_INT64, &value) < 0)
    bad();
  return value;
}

Hdf5Handle Hdf5File::open(const std::string& name) const {
  const auto missing = [&] { reject(fmt::format("{} is missing", name)); };
  if (!has_link(name)) missing();
  Hdf5Handle dataset(H5Dopen2(file_.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset) missing();
  return dataset;
}

std::vector<hsize_t> Hdf5File::shape(const Hdf5Handle& dataset) const {
  const Hdf5Handle space(H5Dget_space(dataset.get()), H5Sclose);
  std::vector<hsize_t> sizes(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space.get()))));
  if (!sizes.empty()) H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr);
  return sizes;
}

// Shuffle and checksum keep the size; deflate's best ratio is 1032. Any other filter could hide any size.
std::uint64_t Hdf5File::best_compression(const Hdf5Handle& properties, const std::string& name) const {
  std::uint64_t ratio = 1;
  for (int i = 0; i < H5Pget_nfilters(properties.get()); ++i) {
    unsigned flags = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(properties.get(), static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
    if (filter == H5Z_FILTER_DEFLATE && ratio == 1)
      ratio = 1032;
    else if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
      reject(fmt::format("{} uses filters other than one deflate, shuffle and fletcher32", name),
             "store it with gzip, or uncompressed");
  }
  return ratio;
}

// Throws unless the file can hold `elements` of the stored type.
void Hdf5File::check_stored(const Hdf5Handle& dataset, const std::string& name, std::uint64_t elements) const {
  const Hdf5Handle properties(H5Dget_create_plist(dataset.get()), H5Pclose);
  const H5D_layout_t layout = H5Pget_layout(properties.get());
  if (layout == H5D_VIRTUAL || H5Pget_external_count(properties.get()) > 0)
    reject(fmt::format("{} lies in other files", name), "store the data in this file");
  const Hdf5Handle type(H5Dget_type(dataset.get()), H5Tclose);
  const std::uint64_t ratio = best_compression(properties, name);
  const std::uint64_t stored = std::min<std::uint64_t>(H5Dget_storage_size(dataset.get()), regular_file_size(path_));
  if (elements > stored * ratio / H5Tget_size(type.get()))
    reject(fmt::format("{} is truncated: {} elements in {} stored bytes", name, elements, stored), kFixFetchAgain);
}

}  // namespace quantimed

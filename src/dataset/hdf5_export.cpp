// SPDX-License-Identifier: BSD-3-Clause
// Writes the HDF5 layout that hdf5_format.cpp reads.
#include <array>
#include <cstring>
#include <functional>
#include <numeric>
#include <vector>

#include "base/error.hpp"
#include "base/temporary.hpp"
#include "dataset/dataset.hpp"
#include "dataset/hdf5_handle.hpp"

namespace quantimed {

namespace fs = std::filesystem;

namespace {

// Removes the unfinished file unless it was renamed.
class PartialFile {
 public:
  explicit PartialFile(const fs::path& target) : target_(target), partial_(make_temporary_beside(target)) {
    if (partial_.empty()) reject();
  }
  ~PartialFile() {
    std::error_code ignored;
    if (!done_) fs::remove(partial_, ignored);
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  const fs::path& path() const { return partial_; }
  [[noreturn]] void reject() const {
    throw InputError("cannot write the data set to {}: check that the folder exists, is writable and has room",
                     target_.string());
  }
  void finish() {
    std::error_code failure;
    fs::rename(partial_, target_, failure);
    if (failure) reject();
    done_ = true;
  }

 private:
  fs::path target_, partial_;
  bool done_ = false;
};

void write_text(const PartialFile& out, hid_t where, const char* name, const std::string& text) {
  const Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose), space(H5Screate(H5S_SCALAR), H5Sclose);
  H5Tset_size(type.get(), text.size() + 1);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  const Hdf5Handle attribute(H5Acreate2(where, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!attribute || H5Awrite(attribute.get(), type.get(), text.c_str()) < 0) out.reject();
}

void write_number(const PartialFile& out, hid_t where, const char* name, std::uint32_t value) {
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Hdf5Handle attribute(H5Acreate2(where, name, H5T_STD_U32LE, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!attribute || H5Awrite(attribute.get(), H5T_NATIVE_UINT32, &value) < 0) out.reject();
}

void write_array(const PartialFile& out, hid_t group, const char* name, std::span<const hsize_t> shape, hid_t stored,
                 hid_t memory, const void* elements, const char* unit) {
  const Hdf5Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
  const Hdf5Handle dataset(H5Dcreate2(group, name, stored, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                           H5Dclose);
  if (!dataset || H5Dwrite(dataset.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements) < 0) out.reject();
  write_text(out, dataset.get(), "unit", unit);
}

// As AnnData writes a scipy.sparse.csr_matrix.
void write_sparse(const PartialFile& out, hid_t parent, const Dataset& data) {
  const SparseRows& rows = data.sparse;
  const Hdf5Handle group(H5Gcreate2(parent, "features", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  if (!group) out.reject();
  write_text(out, group.get(), "encoding-type", "csr_matrix");
  write_text(out, group.get(), "encoding-version", "0.1.0");
  const std::array<std::int64_t, 2> shape = {data.samples, data.features};
  const hsize_t two = 2;
  const Hdf5Handle space(H5Screate_simple(1, &two, nullptr), H5Sclose);
  const Hdf5Handle attribute(H5Acreate2(group.get(), "shape", H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                             H5Aclose);
  if (!attribute || H5Awrite(attribute.get(), H5T_NATIVE_INT64, shape.data()) < 0) out.reject();
  const std::array<hsize_t, 1> starts = {rows.starts.size()}, values = {rows.values.size()};
  write_array(out, group.get(), "indptr", starts, H5T_STD_I64LE, H5T_NATIVE_UINT64, rows.starts.data(), "1");
  write_array(out, group.get(), "indices", values, H5T_STD_I32LE, H5T_NATIVE_UINT32, rows.columns.data(), "1");
  write_array(out, group.get(), "data", values, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, rows.values.data(), "1");
}

void write_group(const PartialFile& out, hid_t file, const char* name, const Dataset& data) {
  const std::size_t cells = std::size_t{data.samples} * data.features;
  const int kinds = (data.bytes.size() == cells) + (data.values.size() == cells) +
                    (data.sparse.starts.size() == std::size_t{data.samples} + 1);
  const std::size_t in_shape =
      std::accumulate(data.shape.begin(), data.shape.end(), std::size_t{1}, std::multiplies<>());
  check(kinds == 1 && data.targets.size() == data.samples && (data.shape.empty() || in_shape == data.features),
        "export: the arrays do not match the data set's shape");
  const Hdf5Handle group(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  if (!group) out.reject();
  std::vector<hsize_t> shape = {data.samples};
  shape.insert(shape.end(), data.shape.begin(), data.shape.end());
  if (data.shape.empty()) shape.push_back(data.features);
  if (data.is_sparse())
    write_sparse(out, group.get(), data);
  else if (!data.bytes.empty())
    write_array(out, group.get(), "features", shape, H5T_STD_U8LE, H5T_NATIVE_UINT8, data.bytes.data(), "1/255");
  else
    write_array(out, group.get(), "features", shape, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, data.values.data(), "1");
  write_array(out, group.get(), "targets", std::span(shape).first(1), H5T_IEEE_F32LE, H5T_NATIVE_FLOAT,
              data.targets.data(), data.classes > 0 ? "class" : "1");
}

}  // namespace

void export_dataset(const fs::path& path, const DataSplit& split) {
  const Hdf5Quiet quiet;
  PartialFile out(path);
  {
    const Hdf5Handle access = unlocked_access();
    const Hdf5Handle file(H5Fcreate(out.path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose);
    if (!file && lock_was_refused()) throw InputError("{}: {}; {}", path.string(), kLockRefused, kFixLock);
    if (!file) out.reject();
    write_text(out, file.get(), "schema", "quantimed-dataset");
    write_number(out, file.get(), "schema_version", split.train.is_sparse() ? 2 : 1);
    write_text(out, file.get(), "name", split.train.name);
    write_number(out, file.get(), "classes", split.train.classes);
    write_group(out, file.get(), "train", split.train);
    if (split.test) write_group(out, file.get(), "test", *split.test);
    if (H5Fflush(file.get(), H5F_SCOPE_LOCAL) < 0) out.reject();
  }
  out.finish();
}

}  // namespace quantimed

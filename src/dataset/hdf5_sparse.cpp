// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/hdf5_sparse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "dataset/formats.hpp"

namespace quantimed {

namespace {

constexpr std::string_view kFixCsr =
    "of a scipy.sparse.csr_matrix x call x.sum_duplicates(), then store x.data, x.indices, x.indptr and x.shape";

// What is stored, but 0, is not held.
void leave_zeros_out(SparseRows& rows) {
  std::uint64_t kept = 0, k = 0;
  for (std::size_t row = 0; row + 1 < rows.starts.size(); ++row) {
    for (const std::uint64_t end = rows.starts[row + 1]; k < end; ++k) {
      if (rows.values[k] == 0) continue;
      rows.columns[kept] = rows.columns[k];
      rows.values[kept++] = rows.values[k];
    }
    rows.starts[row + 1] = kept;
  }
  rows.columns.resize(kept);
  rows.values.resize(kept);
}

// One list of a group of sparse rows.
struct SparseList {
  std::string name;
  Hdf5Handle dataset;
  std::uint64_t size;
};
SparseList open_list(const Hdf5File& file, const std::string& name, H5T_class_t kind, const char* what) {
  Hdf5Handle dataset = file.open(name);
  const std::vector<hsize_t> sizes = file.shape(dataset);
  if (sizes.size() != 1) file.reject(fmt::format("{} has not 1 dimension", name));
  const Hdf5Handle type(H5Dget_type(dataset.get()), H5Tclose);
  if (H5Tget_class(type.get()) != kind) file.reject(fmt::format("{} is not {}", name, what));
  return {name, std::move(dataset), sizes[0]};
}

// Row starts ascend from 0 to the number of values.
std::vector<std::uint64_t> read_starts(Hdf5File& file, const SparseList& indptr, std::uint64_t values) {
  const auto raw = file.read_all<std::int64_t>(indptr.dataset, indptr.name, indptr.size, H5T_NATIVE_INT64);
  if (raw.front() != 0) file.reject(fmt::format("{} begins with {}, not 0", indptr.name, raw.front()), kFixCsr);
  if (const auto fall = std::ranges::is_sorted_until(raw); fall != raw.end())
    file.reject(fmt::format("{} falls at place {}", indptr.name, fall - raw.begin()), kFixCsr);
  if (static_cast<std::uint64_t>(raw.back()) != values)
    file.reject(fmt::format("{} ends with {}, and there are {} values", indptr.name, raw.back(), values), kFixCsr);
  file.take(raw.size() * sizeof(std::uint64_t));
  return {raw.begin(), raw.end()};
}

// Within a row columns ascend, none twice, and lie below `features`.
std::vector<std::uint32_t> read_columns(Hdf5File& file, const SparseList& indices,
                                        std::span<const std::uint64_t> starts, std::uint64_t features) {
  const auto raw = file.read_all<std::int64_t>(indices.dataset, indices.name, indices.size, H5T_NATIVE_INT64);
  file.take(raw.size() * sizeof(std::uint32_t));
  std::vector<std::uint32_t> columns(raw.size());
  for (std::size_t row = 0; row + 1 < starts.size(); ++row) {
    std::int64_t before = -1;
    for (std::uint64_t k = starts[row]; k < starts[row + 1]; ++k) {
      if (raw[k] < 0 || static_cast<std::uint64_t>(raw[k]) >= features)
        file.reject(fmt::format("{}: column {} in row {} of {} features", indices.name, raw[k], row, features),
                    kFixCsr);
      if (raw[k] <= before)
        file.reject(fmt::format("{}: column {} follows {} in row {}", indices.name, raw[k], before, row), kFixCsr);
      columns[k] = static_cast<std::uint32_t>(before = raw[k]);
    }
  }
  return columns;
}

}  // namespace

std::array<std::uint64_t, 2> sparse_shape(const Hdf5File& file, const std::string& name) {
  const auto bad = [&] { file.reject(fmt::format("{}: the attribute shape is not [samples, features]", name)); };
  const Hdf5Handle group(H5Gopen2(file.id(), name.c_str(), H5P_DEFAULT), H5Gclose);
  if (!group || H5Aexists(group.get(), "shape") <= 0) bad();
  const Hdf5Handle attribute(H5Aopen(group.get(), "shape", H5P_DEFAULT), H5Aclose);
  const Hdf5Handle type(H5Aget_type(attribute.get()), H5Tclose);
  const Hdf5Handle space(H5Aget_space(attribute.get()), H5Sclose);
  std::array<std::int64_t, 2> sizes{};
  if (H5Sget_simple_extent_npoints(space.get()) != 2 || H5Tget_class(type.get()) != H5T_INTEGER ||
      H5Aread(attribute.get(), H5T_NATIVE_INT64, sizes.data()) < 0 || sizes[0] < 0 || sizes[1] < 0)
    bad();
  return {static_cast<std::uint64_t>(sizes[0]), static_cast<std::uint64_t>(sizes[1])};
}

SparseRows read_sparse(Hdf5File& file, const std::string& name, const std::array<std::uint64_t, 2>& shape) {
  const SparseList indptr = open_list(file, name + "/indptr", H5T_INTEGER, "of integers");
  const SparseList indices = open_list(file, name + "/indices", H5T_INTEGER, "of integers");
  const SparseList data = open_list(file, name + "/data", H5T_FLOAT, "of floats");
  check_sparse_dimensions(file.path(), shape[0], shape[1], data.size);
  if (indptr.size != shape[0] + 1)
    file.reject(fmt::format("{} has {} entries for {} samples", indptr.name, indptr.size, shape[0]), kFixCsr);
  if (indices.size != data.size)
    file.reject(fmt::format("{} has {} entries for {} values", indices.name, indices.size, data.size), kFixCsr);
  SparseRows rows;
  rows.starts = read_starts(file, indptr, data.size);
  if (data.size > 0) {
    rows.columns = read_columns(file, indices, rows.starts, shape[1]);
    rows.values = file.read_all<float>(data.dataset, data.name, data.size, H5T_NATIVE_FLOAT);
  }
  leave_zeros_out(rows);
  return rows;
}

}  // namespace quantimed

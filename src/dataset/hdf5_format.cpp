// SPDX-License-Identifier: BSD-3-Clause
// Reads the HDF5 layout that datasets/README.md documents:
//   /                root attributes schema = "quantimed-dataset", schema_version = 1 or 2, name, classes
//   /train/features  [samples, features], uint8 (read as byte / 255) or float32; or a group of compressed sparse rows:
//                    data [values], indices [values], indptr [samples + 1], and the attribute shape, as AnnData and
//                    SciPy name them
//   /train/targets   [samples], any numeric type
//   /test/…          the same, optional
// A file from elsewhere may be built to deceive: only hard links, no external storage, only filters whose best
// compression is known, and sizes held against what is stored before memory is taken.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <numeric>
#include <span>

#include "base/isolated.hpp"
#include "base/text_file.hpp"
#include "dataset/byte_source.hpp"
#include "dataset/formats.hpp"
#include "dataset/hdf5_handle.hpp"
#include "dataset/hdf5_locking.hpp"

namespace quantimed {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMendLayout = "see the layout in datasets/README.md";
constexpr std::string_view kMendCsr =
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

class Hdf5Reader {
 public:
  Hdf5Reader(const fs::path& path, std::uint64_t bytes)
      : path_(path),
        budget_(bytes),
        access_(unlocked_access()),
        file_(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access_.get()), H5Fclose) {
    if (!file_ && lock_was_refused()) reject_data(path_, kLockRefused, kMendLock);
    if (!file_) reject_data(path_, "corrupt or truncated HDF5 file", kMendFetchAgain);
  }

  DataSplit read() {
    const std::string schema = attribute_text("schema").value_or("");
    if (schema == "quantimed-trace")
      reject_data(path_, "is the trace of a run, not a data set", "name the data set of that run");
    if (schema != "quantimed-dataset")
      reject_data(path_,
                  fmt::format("the root attribute schema is not \"quantimed-dataset\" (the file holds {})", contents()),
                  kMendLayout);
    if (const auto version = attribute_number("schema_version"); version != 1 && version != 2)
      reject_data(path_, fmt::format("schema_version {} is neither 1 nor 2", version), kMendLayout);
    const std::int64_t classes = attribute_number("classes");
    if (classes < 0 || classes > 0x7fffffff)
      reject_data(path_, fmt::format("classes = {} is no count", classes), kMendLayout);
    DataSplit split;
    split.train = read_group("train", static_cast<std::uint32_t>(classes));
    if (has_link("/test")) {
      split.test = read_group("test", static_cast<std::uint32_t>(classes));
      if (split.test->features != split.train.features)
        reject_data(path_, "train and test differ in features", kMendLayout);
      if (split.test->is_sparse() != split.train.is_sparse())
        reject_data(path_, "of train and test one holds sparse rows and the other does not", kMendLayout);
    }
    if (split.train.is_sparse()) split.source.storage_rule = "the file's own";
    split.source.shape = shape_;
    split.train.name = attribute_text("name").value_or(path_.stem().string());
    if (split.test) split.test->name = split.train.name;
    return split;
  }

 private:
  // "x, y": the names at the root, few and short.
  std::string contents() const {
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

  bool has_link(const std::string& name) const {
    H5L_info_t info{};
    if (H5Lexists(file_.get(), name.c_str(), H5P_DEFAULT) <= 0) return false;
    if (H5Lget_info(file_.get(), name.c_str(), &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD)
      reject_data(path_, fmt::format("{} is a soft or external link", name), "store the data in this file");
    return true;
  }

  std::optional<std::string> attribute_text(const char* name) const {
    if (H5Aexists(file_.get(), name) <= 0) return std::nullopt;
    const Hdf5Handle attribute(H5Aopen(file_.get(), name, H5P_DEFAULT), H5Aclose);
    const Hdf5Handle type(H5Aget_type(attribute.get()), H5Tclose);
    const Hdf5Handle space(H5Aget_space(attribute.get()), H5Sclose);
    const bool scalar = H5Sget_simple_extent_npoints(space.get()) == 1;
    if (!scalar || H5Tget_class(type.get()) != H5T_STRING)
      reject_data(path_, fmt::format("attribute {} is not a string", name), kMendLayout);
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

  std::int64_t attribute_number(const char* name) const {
    const auto bad = [&] {
      reject_data(path_, fmt::format("the root attribute {} is missing or no integer", name), kMendLayout);
    };
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

  Hdf5Handle open(const std::string& name) const {
    const auto missing = [&] { reject_data(path_, fmt::format("{} is missing", name), kMendLayout); };
    if (!has_link(name)) missing();
    Hdf5Handle dataset(H5Dopen2(file_.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
    if (!dataset) missing();
    return dataset;
  }

  std::vector<hsize_t> shape(const Hdf5Handle& dataset) const {
    const Hdf5Handle space(H5Dget_space(dataset.get()), H5Sclose);
    std::vector<hsize_t> sizes(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space.get()))));
    if (!sizes.empty()) H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr);
    return sizes;
  }

  // [samples, features], or images of up to 3 dimensions, which are features as they lie.
  std::vector<hsize_t> features_shape(const Hdf5Handle& dataset, const std::string& name) const {
    const std::vector<hsize_t> sizes = shape(dataset);
    if (sizes.size() < 2 || sizes.size() > 4)
      reject_data(path_, fmt::format("{} has {} dimensions; [samples, features] are 2", name, sizes.size()),
                  kMendLayout);
    std::uint64_t features = 1;
    for (const hsize_t size : std::span(sizes).subspan(1)) {
      features *= std::min<hsize_t>(size, std::uint64_t{1} << 32);
      check_dimensions(path_, sizes[0], features);  // at each step, so that the product cannot overflow
    }
    return sizes;
  }

  bool is_group(const std::string& name) const {
    if (!has_link(name)) return false;
    const Hdf5Handle object(H5Oopen(file_.get(), name.c_str(), H5P_DEFAULT), H5Oclose);
    return object && H5Iget_type(object.get()) == H5I_GROUP;
  }

  // The attribute shape of a group of sparse rows: [samples, features].
  std::array<std::uint64_t, 2> sparse_shape(const std::string& name) const {
    const auto bad = [&] {
      reject_data(path_, fmt::format("{}: the attribute shape is not [samples, features]", name), kMendLayout);
    };
    const Hdf5Handle group(H5Gopen2(file_.get(), name.c_str(), H5P_DEFAULT), H5Gclose);
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

  // One list of a group of sparse rows.
  struct List {
    std::string name;
    Hdf5Handle dataset;
    std::uint64_t size;
  };
  List open_list(const std::string& name, H5T_class_t kind, const char* what) const {
    Hdf5Handle dataset = open(name);
    const std::vector<hsize_t> sizes = shape(dataset);
    if (sizes.size() != 1) reject_data(path_, fmt::format("{} has not 1 dimension", name), kMendLayout);
    const Hdf5Handle type(H5Dget_type(dataset.get()), H5Tclose);
    if (H5Tget_class(type.get()) != kind) reject_data(path_, fmt::format("{} is not {}", name, what), kMendLayout);
    return {name, std::move(dataset), sizes[0]};
  }

  // Row starts ascend from 0 to the number of values.
  std::vector<std::uint64_t> read_starts(const List& indptr, std::uint64_t values) {
    const auto raw = read_all<std::int64_t>(indptr.dataset, indptr.name, indptr.size, H5T_NATIVE_INT64);
    if (raw.front() != 0)
      reject_data(path_, fmt::format("{} begins with {}, not 0", indptr.name, raw.front()), kMendCsr);
    if (const auto fall = std::ranges::is_sorted_until(raw); fall != raw.end())
      reject_data(path_, fmt::format("{} falls at place {}", indptr.name, fall - raw.begin()), kMendCsr);
    if (static_cast<std::uint64_t>(raw.back()) != values)
      reject_data(path_, fmt::format("{} ends with {}, and there are {} values", indptr.name, raw.back(), values),
                  kMendCsr);
    budget_.take(path_, raw.size() * sizeof(std::uint64_t));
    return {raw.begin(), raw.end()};
  }

  // Within a row columns ascend, none twice, and lie below `features`.
  std::vector<std::uint32_t> read_columns(const List& indices, std::span<const std::uint64_t> starts,
                                          std::uint64_t features) {
    const auto raw = read_all<std::int64_t>(indices.dataset, indices.name, indices.size, H5T_NATIVE_INT64);
    budget_.take(path_, raw.size() * sizeof(std::uint32_t));
    std::vector<std::uint32_t> columns(raw.size());
    for (std::size_t row = 0; row + 1 < starts.size(); ++row) {
      std::int64_t before = -1;
      for (std::uint64_t k = starts[row]; k < starts[row + 1]; ++k) {
        if (raw[k] < 0 || static_cast<std::uint64_t>(raw[k]) >= features)
          reject_data(path_, fmt::format("{}: column {} in row {} of {} features", indices.name, raw[k], row, features),
                      kMendCsr);
        if (raw[k] <= before)
          reject_data(path_, fmt::format("{}: column {} follows {} in row {}", indices.name, raw[k], before, row),
                      kMendCsr);
        columns[k] = static_cast<std::uint32_t>(before = raw[k]);
      }
    }
    return columns;
  }

  // Samples and features are those of the attribute shape, in which all lists must agree.
  SparseRows read_sparse(const std::string& name, const std::array<std::uint64_t, 2>& shape) {
    const List indptr = open_list(name + "/indptr", H5T_INTEGER, "of integers");
    const List indices = open_list(name + "/indices", H5T_INTEGER, "of integers");
    const List data = open_list(name + "/data", H5T_FLOAT, "of floats");
    check_sparse_dimensions(path_, shape[0], shape[1], data.size);
    if (indptr.size != shape[0] + 1)
      reject_data(path_, fmt::format("{} has {} entries for {} samples", indptr.name, indptr.size, shape[0]), kMendCsr);
    if (indices.size != data.size)
      reject_data(path_, fmt::format("{} has {} entries for {} values", indices.name, indices.size, data.size),
                  kMendCsr);
    SparseRows rows;
    rows.starts = read_starts(indptr, data.size);
    if (data.size > 0) {
      rows.columns = read_columns(indices, rows.starts, shape[1]);
      rows.values = read_all<float>(data.dataset, data.name, data.size, H5T_NATIVE_FLOAT);
    }
    leave_zeros_out(rows);
    return rows;
  }

  // [samples], or a column of them.
  std::uint64_t targets_count(const Hdf5Handle& dataset, const std::string& name) const {
    const std::vector<hsize_t> sizes = shape(dataset);
    if (sizes.size() == 2 && sizes[1] > 1)
      reject_data(path_, fmt::format("{} has {} columns; one number a sample is read", name, sizes[1]),
                  "of one-hot labels store y.argmax(axis=1)");
    if (sizes.size() != 1 && !(sizes.size() == 2 && sizes[1] == 1))
      reject_data(path_, fmt::format("{} has not 1 dimension, [samples]", name), kMendLayout);
    return sizes[0];
  }

  // Shuffle and checksum keep the size; deflate's best ratio is 1032. Any other filter could hide any size.
  std::uint64_t best_compression(const Hdf5Handle& properties, const std::string& name) const {
    std::uint64_t ratio = 1;
    for (int i = 0; i < H5Pget_nfilters(properties.get()); ++i) {
      unsigned flags = 0;
      std::size_t values = 0;
      const H5Z_filter_t filter =
          H5Pget_filter2(properties.get(), static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
      if (filter == H5Z_FILTER_DEFLATE && ratio == 1)
        ratio = 1032;
      else if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
        reject_data(path_, fmt::format("{} uses filters other than one deflate, shuffle and fletcher32", name),
                    "store it with gzip, or uncompressed");
    }
    return ratio;
  }

  // Throws unless the file can hold `elements` of the stored type.
  void check_stored(const Hdf5Handle& dataset, const std::string& name, std::uint64_t elements) const {
    const Hdf5Handle properties(H5Dget_create_plist(dataset.get()), H5Pclose);
    const H5D_layout_t layout = H5Pget_layout(properties.get());
    if (layout == H5D_VIRTUAL || H5Pget_external_count(properties.get()) > 0)
      reject_data(path_, fmt::format("{} lies in other files", name), "store the data in this file");
    const Hdf5Handle type(H5Dget_type(dataset.get()), H5Tclose);
    const std::uint64_t ratio = best_compression(properties, name);
    const std::uint64_t stored = std::min<std::uint64_t>(H5Dget_storage_size(dataset.get()), regular_file_size(path_));
    if (elements > stored * ratio / H5Tget_size(type.get()))
      reject_data(path_, fmt::format("{} is truncated: {} elements in {} stored bytes", name, elements, stored),
                  kMendFetchAgain);
  }

  template <class T>
  std::vector<T> read_all(const Hdf5Handle& dataset, const std::string& name, std::uint64_t elements, hid_t memory) {
    check_stored(dataset, name, elements);
    budget_.take(path_, elements * sizeof(T));
    std::vector<T> out(elements);
    if (H5Dread(dataset.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()) < 0)
      reject_data(path_, fmt::format("{} cannot be read: corrupt or truncated", name), kMendFetchAgain);
    if constexpr (std::is_same_v<T, float>)
      if (!std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); }))
        reject_data(path_, fmt::format("{} holds a value that is not finite", name), "clean the data");
    return out;
  }

  void require_targets(const std::string& group, std::uint64_t targets, std::uint64_t samples, std::uint64_t features) {
    if (targets == samples) return;
    reject_data(path_, fmt::format("{} targets for {} samples in /{}", targets, samples, group),
                features == targets ? "samples are rows: store x.T" : kMendLayout);
  }

  Dataset read_dense(const std::string& group, const std::string& name, std::uint64_t targets) {
    const Hdf5Handle x = open(name);
    const std::vector<hsize_t> x_shape = features_shape(x, name);
    const std::uint64_t features = std::accumulate(x_shape.begin() + 1, x_shape.end(), hsize_t{1}, std::multiplies<>());
    require_targets(group, targets, x_shape[0], features);
    if (shape_.empty()) shape_.assign(x_shape.begin() + 1, x_shape.end());

    Dataset data;
    data.samples = static_cast<std::uint32_t>(x_shape[0]);
    data.features = static_cast<std::uint32_t>(features);
    const std::uint64_t cells = x_shape[0] * features;
    const Hdf5Handle x_type(H5Dget_type(x.get()), H5Tclose);
    const H5T_class_t x_class = H5Tget_class(x_type.get());
    if (x_class == H5T_INTEGER && H5Tget_size(x_type.get()) == 1 && H5Tget_sign(x_type.get()) == H5T_SGN_NONE)
      data.bytes = read_all<std::uint8_t>(x, name, cells, H5T_NATIVE_UINT8);
    else if (x_class == H5T_FLOAT)
      data.values = read_all<float>(x, name, cells, H5T_NATIVE_FLOAT);
    else
      reject_data(path_, fmt::format("{} is neither uint8 nor float", name),
                  "store bytes of 0 to 255 as x.astype(\"uint8\"), which are read as value / 255, and others as "
                  "x.astype(\"float32\")");
    return data;
  }

  Dataset read_sparse_group(const std::string& group, const std::string& name, std::uint64_t targets) {
    const std::array<std::uint64_t, 2> sizes = sparse_shape(name);
    require_targets(group, targets, sizes[0], sizes[1]);
    Dataset data;
    data.sparse = read_sparse(name, sizes);
    data.samples = static_cast<std::uint32_t>(sizes[0]);
    data.features = static_cast<std::uint32_t>(sizes[1]);
    if (shape_.empty()) shape_ = {data.features};
    return data;
  }

  Dataset read_group(const std::string& group, std::uint32_t classes) {
    if (!has_link("/" + group)) reject_data(path_, fmt::format("/{} is missing", group), kMendLayout);
    const std::string x_name = "/" + group + "/features", y_name = "/" + group + "/targets";
    const Hdf5Handle y = open(y_name);
    const std::uint64_t y_count = targets_count(y, y_name);
    Dataset data = is_group(x_name) ? read_sparse_group(group, x_name, y_count) : read_dense(group, x_name, y_count);
    data.classes = classes;
    const Hdf5Handle y_type(H5Dget_type(y.get()), H5Tclose);
    const H5T_class_t y_class = H5Tget_class(y_type.get());
    if (y_class != H5T_INTEGER && y_class != H5T_FLOAT)
      reject_data(path_, fmt::format("{} is not numeric", y_name), kMendLayout);
    data.targets = read_all<float>(y, y_name, data.samples, H5T_NATIVE_FLOAT);
    for (const float label : data.targets)
      if (classes > 0 && !(label >= 0 && label < static_cast<float>(classes) && label == std::floor(label)))
        reject_data(
            path_, fmt::format("{}: label {} is not one of 0 … {}", y_name, label, classes - 1),
            "number the classes from 0, numpy.unique(y, return_inverse=True)[1], and set the attribute classes; "
            "it is 0 for values to regress on");
    return data;
  }

  fs::path path_;
  MemoryBudget budget_;
  Hdf5Handle access_;  // as long as the file: closing it forgets why opening failed
  Hdf5Handle file_;
  std::vector<std::uint32_t> shape_;  // of one sample
};

}  // namespace

bool has_hdf5_signature(const fs::path& path) {
  constexpr std::array<char, 8> kSignature = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
  std::array<char, 8> start{};
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  return start == kSignature;
}

// ---- what comes back from the child that runs HDF5 ----------------------------------------------------

template <class Pipe>
void transfer(Pipe& pipe, Dataset& data) {
  transfer(pipe, data.name);
  transfer(pipe, data.samples);
  transfer(pipe, data.features);
  transfer(pipe, data.classes);
  transfer(pipe, data.bytes);
  transfer(pipe, data.values);
  transfer(pipe, data.targets);
  transfer(pipe, data.sparse.starts);
  transfer(pipe, data.sparse.columns);
  transfer(pipe, data.sparse.values);
}

template <class Pipe>
void transfer(Pipe& pipe, DataSplit& split) {
  transfer(pipe, split.train);
  bool has_test = split.test.has_value();
  transfer(pipe, has_test);
  if (Pipe::kReceives && has_test) split.test.emplace();
  if (has_test) transfer(pipe, *split.test);
  transfer(pipe, split.source.shape);
  transfer(pipe, split.source.storage_rule);
}

Reading read_hdf5(const fs::path& path) {
  const std::uint64_t size = regular_file_size(path);
  try {
    DataSplit split = isolated<DataSplit>(foreign_file_limits(size), [&] {
      const Hdf5Quiet quiet;
      return Hdf5Reader(path, size).read();
    });
    split.source.format = "HDF5";
    split.source.files = {path};
    if (split.test)
      split.source.test = path;
    else
      split.source.looked_for = {"/test in " + path.filename().string()};
    const bool has_classes = split.train.classes > 0;
    return {std::move(split), has_classes ? Targets::classes : Targets::values};
  } catch (const IsolatedFailure& failure) {
    reject_data(path, failure.what(), kMendFetchAgain);
  }
}

}  // namespace quantimed

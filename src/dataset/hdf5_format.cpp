// SPDX-License-Identifier: BSD-3-Clause
// Reads the HDF5 layout that datasets/README.md documents:
//   /                root attributes schema = "quantimed-dataset", schema_version = 1 or 2, name, classes
//   /train/features  [samples, features], uint8 (read as byte / 255) or float32; or a group of compressed sparse rows:
//                    data [values], indices [values], indptr [samples + 1], and the attribute shape, as AnnData and
//                    SciPy name them
//   /train/targets   [samples], any numeric type
//   /test/…          the same, optional
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <functional>
#include <numeric>
#include <span>

#include "base/isolated.hpp"
#include "dataset/byte_source.hpp"
#include "dataset/formats.hpp"
#include "dataset/hdf5_file.hpp"
#include "dataset/hdf5_sparse.hpp"

namespace quantimed {

namespace fs = std::filesystem;

namespace {

// What a file of this layout holds.
class Hdf5Reader {
 public:
  Hdf5Reader(const fs::path& path, std::uint64_t bytes) : file_(path, bytes) {}

  DataSplit read() {
    const std::string schema = file_.attribute_text("schema").value_or("");
    if (schema == "quantimed-trace")
      file_.reject("is the trace of a run, not a data set", "name the data set of that run");
    if (schema != "quantimed-dataset")
      file_.reject(
          fmt::format("the root attribute schema is not \"quantimed-dataset\" (the file holds {})", file_.contents()));
    if (const auto version = file_.attribute_number("schema_version"); version != 1 && version != 2)
      file_.reject(fmt::format("schema_version {} is neither 1 nor 2", version));
    const std::int64_t classes = file_.attribute_number("classes");
    if (classes < 0 || classes > 0x7fffffff) file_.reject(fmt::format("classes = {} is no count", classes));
    DataSplit split;
    split.train = read_group("train", static_cast<std::uint32_t>(classes));
    if (file_.has_link("/test")) {
      split.test = read_group("test", static_cast<std::uint32_t>(classes));
      if (split.test->features != split.train.features) file_.reject("train and test differ in features");
      if (split.test->is_sparse() != split.train.is_sparse())
        file_.reject("of train and test one holds sparse rows and the other does not");
    }
    if (split.train.is_sparse()) split.source.storage_rule = "the file's own";
    split.source.shape = shape_;
    split.train.name = file_.attribute_text("name").value_or(file_.path().stem().string());
    if (split.test) split.test->name = split.train.name;
    return split;
  }

 private:
  // [samples, features], or images of up to 3 dimensions, which are features as they lie.
  std::vector<hsize_t> features_shape(const Hdf5Handle& dataset, const std::string& name) const {
    const std::vector<hsize_t> sizes = file_.shape(dataset);
    if (sizes.size() < 2 || sizes.size() > 4)
      file_.reject(fmt::format("{} has {} dimensions; [samples, features] are 2", name, sizes.size()));
    std::uint64_t features = 1;
    for (const hsize_t size : std::span(sizes).subspan(1)) {
      features *= std::min<hsize_t>(size, std::uint64_t{1} << 32);
      check_dimensions(file_.path(), sizes[0], features);  // at each step, so that the product cannot overflow
    }
    return sizes;
  }

  // [samples], or a column of them.
  std::uint64_t targets_count(const Hdf5Handle& dataset, const std::string& name) const {
    const std::vector<hsize_t> sizes = file_.shape(dataset);
    if (sizes.size() == 2 && sizes[1] > 1)
      file_.reject(fmt::format("{} has {} columns; one number a sample is read", name, sizes[1]),
                   "of one-hot labels store y.argmax(axis=1)");
    if (sizes.size() != 1 && !(sizes.size() == 2 && sizes[1] == 1))
      file_.reject(fmt::format("{} has not 1 dimension, [samples]", name));
    return sizes[0];
  }

  void require_targets(const std::string& group, std::uint64_t targets, std::uint64_t samples, std::uint64_t features) {
    if (targets == samples) return;
    file_.reject(fmt::format("{} targets for {} samples in /{}", targets, samples, group),
                 features == targets ? "samples are rows: store x.T" : kFixLayout);
  }

  Dataset read_dense(const std::string& group, const std::string& name, std::uint64_t targets) {
    const Hdf5Handle x = file_.open(name);
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
      data.bytes = file_.read_all<std::uint8_t>(x, name, cells, H5T_NATIVE_UINT8);
    else if (x_class == H5T_FLOAT)
      data.values = file_.read_all<float>(x, name, cells, H5T_NATIVE_FLOAT);
    else
      file_.reject(fmt::format("{} is neither uint8 nor float", name),
                   "store bytes of 0 to 255 as x.astype(\"uint8\"), which are read as value / 255, and others as "
                   "x.astype(\"float32\")");
    return data;
  }

  Dataset read_sparse_group(const std::string& group, const std::string& name, std::uint64_t targets) {
    const std::array<std::uint64_t, 2> sizes = sparse_shape(file_, name);
    require_targets(group, targets, sizes[0], sizes[1]);
    Dataset data;
    data.sparse = read_sparse(file_, name, sizes);
    data.samples = static_cast<std::uint32_t>(sizes[0]);
    data.features = static_cast<std::uint32_t>(sizes[1]);
    if (shape_.empty()) shape_ = {data.features};
    return data;
  }

  Dataset read_group(const std::string& group, std::uint32_t classes) {
    if (!file_.has_link("/" + group)) file_.reject(fmt::format("/{} is missing", group));
    const std::string x_name = "/" + group + "/features", y_name = "/" + group + "/targets";
    const Hdf5Handle y = file_.open(y_name);
    const std::uint64_t y_count = targets_count(y, y_name);
    Dataset data =
        file_.is_group(x_name) ? read_sparse_group(group, x_name, y_count) : read_dense(group, x_name, y_count);
    data.classes = classes;
    const Hdf5Handle y_type(H5Dget_type(y.get()), H5Tclose);
    const H5T_class_t y_class = H5Tget_class(y_type.get());
    if (y_class != H5T_INTEGER && y_class != H5T_FLOAT) file_.reject(fmt::format("{} is not numeric", y_name));
    data.targets = file_.read_all<float>(y, y_name, data.samples, H5T_NATIVE_FLOAT);
    for (const float label : data.targets)
      if (classes > 0 && !(label >= 0 && label < static_cast<float>(classes) && label == std::floor(label)))
        file_.reject(
            fmt::format("{}: label {} is not one of 0 … {}", y_name, label, classes - 1),
            "number the classes from 0, numpy.unique(y, return_inverse=True)[1], and set the attribute classes; "
            "it is 0 for values to regress on");
    return data;
  }

  Hdf5File file_;
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
  transfer(pipe, split.test);
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
    reject_data(path, failure.what(), kFixFetchAgain);
  }
}

}  // namespace quantimed

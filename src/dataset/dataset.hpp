// SPDX-License-Identifier: BSD-3-Clause
// A labelled data set in memory, from a file, a folder, or generated.
// The formats, the known names and where they are looked for: datasets/README.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/types.hpp"

namespace quantimed {

// One row of a sparse matrix: what is not 0 in it.
struct SparseRow {
  std::span<const std::uint32_t> columns;  // ascending
  std::span<const float> values;
};

// Compressed sparse rows: what row k holds stands at starts[k] … starts[k + 1] − 1 of columns and values.
struct SparseRows {
  std::vector<std::uint64_t> starts = {};   // [rows + 1]; empty: there is no such matrix
  std::vector<std::uint32_t> columns = {};  // within a row ascending, none twice, below the number of features
  std::vector<float> values = {};           // finite, not 0

  SparseRow row(std::size_t k) const {
    const std::size_t first = starts[k], count = starts[k + 1] - first;
    return {{columns.data() + first, count}, {values.data() + first, count}};
  }
};

// Rows of features with one target each. Exactly one of `bytes`, `values` and `sparse` is filled:
// images stay bytes (a quarter of the memory traffic) and become floats as a batch is gathered, and rows that are
// nearly all 0 stay lists of what is not.
struct Dataset {
  std::string name;
  std::uint32_t samples = 0;
  std::uint32_t features = 0;
  std::uint32_t classes = 0;              // 0: regression, targets are values; else targets are 0 … classes − 1
  std::vector<std::uint8_t> bytes = {};   // [samples, features], feature = byte · (1/255)
  std::vector<float> values = {};         // [samples, features], all finite
  SparseRows sparse = {};                 // [samples, features]
  std::vector<float> targets = {};        // [samples], all finite
  std::vector<std::uint32_t> shape = {};  // of one sample: {28, 28}, {3, 32, 32}; empty or one number: no image

  // A feature is used as value · scale + shift of its channel, of which each has as many features; empty: as it is.
  std::vector<float> scale = {}, shift = {};  // [channels]

  bool is_sparse() const { return !sparse.starts.empty(); }
  // Of all cells, those that a sparse set holds.
  double density() const {
    return static_cast<double>(sparse.values.size()) / (static_cast<double>(samples) * features);
  }

  // Row-major copy of the chosen rows: out[k, :] = features of rows[k].  out: [rows.size(), features]
  // Throws InternalError when a row id is not below `samples`.
  void gather(std::span<const SampleId> rows, float* out) const;
};

// What was read, for people and for the trace.
struct DataSource {
  std::string format = {};                   // "IDX", "LIBSVM text", "HDF5", "CIFAR-10 binary", "generated"
  std::vector<std::string> files = {};       // as they were opened, those of training first; none where generated
  std::vector<std::uint32_t> shape = {};     // of one sample: {28, 28}, {3, 32, 32}, {123}
  std::vector<double> labels = {};           // [classes]: what class k is called in the source; none in regression
  std::string test = "none";                 // the file that holds the test set; "generated"
  std::vector<std::string> looked_for = {};  // where there is no test set: the names under which one is looked for
  std::vector<std::string> notices = {};     // a line each: what was decided that the files leave open
  std::string storage_rule = {};             // why the rows are held as sparse ones; dense: ""
};

struct DataSplit {
  Dataset train;
  std::optional<Dataset> test = {};  // same features and classes as `train`; absent where the source has none
  DataSource source = {};            // load_dataset fills it in
};

// 784 features (28x28), 10 classes (labels 0-9), 60,000 training, 10,000 test (t10k-images-idx3-ubyte)
// One line; where there is no test set it says where one is looked for.
std::string describe(const DataSplit& split);
// How rows are held: "bytes", "float32" or "sparse rows".
const char* storage_of(const Dataset& data);

// "0-9", "-1, 1", "1-26, 30": numbers in ascending or given order, runs of at least three joined.
std::string describe_labels(const std::vector<double>& labels);

// Of values, targets, classes and shapes as they are used, whatever file or name they came from: 32 hexadecimal digits.
std::string fingerprint(const Dataset& data);
std::string fingerprint(const DataSplit& split);  // of both parts, and of whether there is a test set

struct DatasetRequest {
  std::string name;               // "digits", "gaussian-linear:8", "mnist", "fashion-mnist", "cifar10", … or a path
  std::vector<int> classes = {};  // keep only these, renumbered 0, 1, … in the order given; empty: all
  bool grey = false;              // CIFAR's colour to grey: round(0.2989 R + 0.5870 G + 0.1140 B), MATLAB's rgb2gray;
                                  // nothing to do for sets without colour
  std::uint64_t seed = 1;         // for generated data only
  bool normalise = false;         // see normalise.hpp
  double most_bytes = kForever;   // that generated data may take of memory
};

// Loads by name or path. Looks in $QUANTIMED_DATA, ./datasets and /usr/share/datasets.
// Throws InputError: absent (says where it looked and how to get it), truncated, corrupt, or too large.
// HDF5 is called from the caller's thread.
DataSplit load_dataset(const DatasetRequest& request);

// Writes the documented HDF5 layout (datasets/README.md); load_dataset reads it back unchanged.
// The file appears complete or not at all: it is written beside PATH and renamed. An existing file is replaced.
// Throws InputError when it cannot be written.
void export_dataset(const std::filesystem::path& path, const DataSplit& split);

// Whether this name's data depend on the request's seed.
bool is_generated(const std::string& name);

// One line a known data set: name, what, how to get it; for `--help` and `info`.
struct KnownDataset {
  std::string name, description, how_to_get;
};
const std::vector<KnownDataset>& known_datasets();

}  // namespace quantimed

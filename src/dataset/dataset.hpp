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

// Rows of features with one target each. Exactly one of `bytes` and `values` is filled:
// images stay bytes (a quarter of the memory traffic) and become floats as a batch is gathered.
struct Dataset {
  std::string name;
  std::uint32_t samples = 0;
  std::uint32_t features = 0;
  std::uint32_t classes = 0;             // 0: regression, targets are values; else targets are 0 … classes − 1
  std::vector<std::uint8_t> bytes = {};  // [samples, features], feature = byte · (1/255)
  std::vector<float> values = {};        // [samples, features], all finite
  std::vector<float> targets = {};       // [samples], all finite

  // Row-major copy of the chosen rows: out[k, :] = features of rows[k].  out: [rows.size(), features]
  // Throws InternalError when a row id is not below `samples`.
  void gather(std::span<const SampleId> rows, float* out) const;
};

struct DataSplit {
  Dataset train;
  std::optional<Dataset> test;  // same features and classes as `train`; absent where the source has none
};

struct DatasetRequest {
  std::string name;               // "digits", "gaussian-linear:8", "mnist", "fashion-mnist", "cifar10", … or a path
  std::vector<int> classes = {};  // keep only these, renumbered 0, 1, … in the order given; empty: all
  bool grey = false;              // CIFAR's colour to grey: round(0.2989 R + 0.5870 G + 0.1140 B), MATLAB's rgb2gray;
                                  // nothing to do for sets without colour
  std::uint64_t seed = 1;         // for generated data only
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

// A labelled data set in memory, from a file, a folder, or generated.
#pragma once

#include "base/types.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quantimed {

// Rows of features with one target each. Exactly one of `bytes` and `values` is filled:
// images stay bytes (a quarter of the memory traffic) and become floats as a batch is gathered.
struct Dataset {
  std::string name;
  std::uint32_t samples = 0;
  std::uint32_t features = 0;
  std::uint32_t classes = 0;          // 0: regression, targets are values; else targets are 0 … classes − 1
  std::vector<std::uint8_t> bytes;    // [samples, features], feature = byte / 255
  std::vector<float> values;          // [samples, features]
  std::vector<float> targets;         // [samples]

  // Row-major copy of the chosen rows: out[k, :] = features of rows[k].  out: [rows.size(), features]
  void gather(std::span<const SampleId> rows, float* out) const;
};

struct DataSplit {
  Dataset train;
  std::optional<Dataset> test;  // absent where the source has none
};

struct DatasetRequest {
  std::string name;           // "digits", "mnist", "fashion-mnist", "cifar10", … or a path
  std::vector<int> classes;   // keep only these, renumbered 0, 1, … in the order given; empty: all
  bool grey = false;          // colour to grey: round(0.299 R + 0.587 G + 0.114 B)
  std::uint64_t seed = 1;     // for generated data only
};

// Loads by name or path. Looks in $QUANTIMED_DATA, ./datasets and /usr/share/datasets.
// Throws InputError: absent (says where it looked and how to get it), truncated, corrupt, or too large.
DataSplit load_dataset(const DatasetRequest& request);

// One line a known data set: name, what, how to get it; for `--help` and `info`.
struct KnownDataset {
  std::string name, description, how_to_get;
};
const std::vector<KnownDataset>& known_datasets();

}  // namespace quantimed

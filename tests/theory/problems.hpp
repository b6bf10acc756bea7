// SPDX-License-Identifier: BSD-3-Clause
// Small problems whose answers are known.
#pragma once

#include "dataset/shards.hpp"
#include "theory/convex_problem.hpp"

#include <numeric>
#include <vector>

namespace quantimed {

// features: [n · m, d], node after node.
inline Dataset table(std::vector<float> features, std::vector<float> targets, std::uint32_t classes = 0) {
  Dataset data{.name = "table"};
  data.samples = static_cast<std::uint32_t>(targets.size());
  data.features = static_cast<std::uint32_t>(features.size() / targets.size());
  data.classes = classes;
  data.values = std::move(features);
  data.targets = std::move(targets);
  return data;
}

inline Shards equal_shards(const Dataset& data, std::uint32_t nodes) {
  Shards shards{.rows = std::vector<SampleId>(data.samples), .nodes = nodes, .per_node = data.samples / nodes};
  std::iota(shards.rows.begin(), shards.rows.end(), SampleId{0});
  return shards;
}

// f_i(x) = ½ (x − c_i)²
inline Dataset centres(const std::vector<float>& c) { return table(std::vector<float>(c.size(), 1.0f), c); }

}  // namespace quantimed

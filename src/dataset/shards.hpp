// SPDX-License-Identifier: BSD-3-Clause
// Who holds which samples.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataset/dataset.hpp"

namespace quantimed {

// --partition contiguous | iid | by-label | dirichlet:A
struct Partition {
  enum class Kind { contiguous, iid, by_label, dirichlet } kind = Kind::contiguous;
  double concentration = 0;  // dirichlet: A in [1e-6, 1e6]; small A gives each node few classes
};
Partition parse_partition(const std::string& text);  // throws InputError

// Each node's own samples; equal counts m for every node, no sample twice.
struct Shards {
  std::vector<SampleId> rows;  // [nodes, m], row ids of the data set
  std::uint32_t nodes = 0;
  std::uint32_t per_node = 0;  // m
  std::span<const SampleId> of(NodeId node) const { return {rows.data() + std::size_t{node} * per_node, per_node}; }
};

// per_node of make_shards(), beside a number of samples.
inline constexpr std::uint32_t kAllSamples = 0;            // equal shares of all: samples / nodes; the rest is left out
inline constexpr std::uint32_t kAutoSamples = UINT32_MAX;  // kMostUsualSamples, or all where they are fewer
inline constexpr std::uint32_t kMostUsualSamples = 200;    // the paper's
// The number that these come to; another one stays as it is.
std::uint32_t samples_of_each(std::uint32_t per_node, std::size_t samples, std::uint32_t nodes);

// Every partition deals out the same rows, the first nodes · m of the data set, so that f(x) is the same function and
// only who holds what differs. A file that is sorted by label needs all its rows (kAllSamples), or shuffling first.
// contiguous (the paper's): node i holds rows i·m … (i+1)·m − 1 in file order.
// iid: a random permutation; by_label: sorted by label (regression: by value), then contiguous;
// dirichlet: each node's class mix is drawn from Dirichlet(A), filled as far as the classes last.
// The same arguments give the same shards, always.
// Throws InputError when the data set has fewer than nodes · per_node rows, or no classes for dirichlet.
Shards make_shards(const Dataset& data, const Partition& partition, std::uint32_t nodes, std::uint32_t per_node,
                   std::uint64_t seed);

}  // namespace quantimed

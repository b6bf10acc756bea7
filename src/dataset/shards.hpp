// Who holds which samples.
#pragma once

#include "dataset/dataset.hpp"

#include <span>
#include <string>
#include <vector>

namespace quantimed {

// --partition contiguous | iid | by-label | dirichlet:A
struct Partition {
  enum class Kind { contiguous, iid, by_label, dirichlet } kind = Kind::contiguous;
  double concentration = 0;  // dirichlet: A > 0; small A gives each node few classes
};
Partition parse_partition(const std::string& text);  // throws InputError

// Each node's own samples; equal counts m for every node, no sample twice.
struct Shards {
  std::vector<SampleId> rows;  // [nodes, m], row ids of the data set
  std::uint32_t nodes = 0;
  std::uint32_t per_node = 0;  // m
  std::span<const SampleId> of(NodeId node) const { return {rows.data() + std::size_t{node} * per_node, per_node}; }
};

// per_node = 0: as many as there are, equally (samples / nodes; the rest is left out).
// contiguous (the paper's): node i holds rows i·m … (i+1)·m − 1 in file order.
// iid: a random permutation; by_label: sorted by label, then contiguous;
// dirichlet: each node's class mix is drawn from Dirichlet(A), filled as far as the classes last.
// Throws InputError when the data set has fewer than nodes · per_node rows.
Shards make_shards(const Dataset& data, const Partition& partition, std::uint32_t nodes, std::uint32_t per_node,
                   std::uint64_t seed);

}  // namespace quantimed

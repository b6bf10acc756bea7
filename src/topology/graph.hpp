// SPDX-License-Identifier: BSD-3-Clause
// The edges of each kind of graph, before any weight is put on them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.hpp"
#include "topology/network.hpp"

namespace quantimed::topology {

using Edges = std::vector<std::pair<NodeId, NodeId>>;  // i < j, sorted, each once

// Where memory ends before patience does: 2^27 edges take about 4 GiB as a Network.
inline constexpr std::uint64_t kMaxEdges = std::uint64_t{1} << 27;
inline constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 28;
inline constexpr std::uint32_t kMaxRedraws = 1000;

std::string_view name_of(GraphRequest::Kind kind);  // "erdos-renyi"
// As the user wrote it, for messages: "erdos-renyi:0.4".
std::string describe(const GraphRequest& graph);

struct TorusShape {
  std::uint32_t rows, columns;  // rows <= columns
};
TorusShape most_square(std::uint32_t nodes);  // the factorisation with the longest short side; 1 × n for primes

// `redraws` receives how many random draws were thrown away. Only a file's graph may be disconnected. Not for
// schedules.
Edges make_edges(const GraphRequest& graph, std::uint32_t nodes, std::uint64_t seed, std::uint32_t& redraws);
void require_few_edges(const GraphRequest& graph, std::uint32_t nodes);  // throws InputError

// --graph file: `weights` has one for each edge, or none for any.
struct WeightedEdges {
  Edges edges;
  std::vector<double> weights;
};
WeightedEdges read_edges(const GraphRequest& graph, std::uint32_t nodes);
// --graph directed-file, sorted by (to, from). Without weights in the file all are 0.
std::vector<Arc> read_arcs(const GraphRequest& graph, std::uint32_t nodes);

// The connected parts, the largest first, each in ascending order.
std::vector<std::vector<NodeId>> connected_parts(const Edges& edges, std::uint32_t nodes);
bool is_connected(const Edges& edges, std::uint32_t nodes);

}  // namespace quantimed::topology

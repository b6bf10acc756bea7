// SPDX-License-Identifier: BSD-3-Clause
// What a schedule is called, and its union of graphs as a Network that says of itself which schedule it is.
#pragma once

#include <string_view>

#include "topology/network.hpp"

namespace quantimed::topology {

Schedule::Kind schedule_of(GraphRequest::Kind kind);   // none: a static graph
std::string_view name_of(Schedule::Kind kind);         // as after --graph; empty for none
Schedule::Kind schedule_named(std::string_view name);  // none: not known

// Of a directed file: by how much a row of W may miss 1, as weights of six digits do.
inline constexpr double kRowTolerance = 1e-6;

// Edges, their mean weights and each node's own, of network.nodes, network.schedule and network.arcs; of these also
// their lists and whether rows sum to 1.
void unite(Network& network);

}  // namespace quantimed::topology

// SPDX-License-Identifier: BSD-3-Clause
// Lengths and indices, which must hold before anything else may be read: /rounds has as many columns as the network
// has nodes, an edge names nodes that exist, a timeline's phase has a name.
#pragma once

#include "trace/trace.hpp"

#include <string>

namespace quantimed {

// The first contradiction, as one line, or nothing. Looks at what the file holds; not at the network's derived lists.
std::string shape_finding(const Trace& trace);

// offsets and neighbour_list from edges and weights, which shape_finding() has passed.
void index_neighbours(Network& network);

}  // namespace quantimed

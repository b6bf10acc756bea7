// SPDX-License-Identifier: BSD-3-Clause
// Which graphs an algorithm and its options may run on.
#pragma once

#include "algorithm/table.hpp"
#include "config/config.hpp"

namespace quantimed {

// Throws InputError where --graph is a schedule that this row, or another option, is not made for.
void require_graph(const Config& c, const AlgorithmRow& row);
// The same of the links between --nodes: throws InputError where the algorithm needs a tree and they have a cycle.
void require_tree(const Config& c, const AlgorithmRow& row);

// The theorems speak of one symmetric W.
void require_static_graph(const Config& c);

}  // namespace quantimed

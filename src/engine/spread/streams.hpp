// SPDX-License-Identifier: BSD-3-Clause
// Which messages leave a process, and for which ranks: a pure function of layout, graph and algorithm that sender and
// receiver know without a word. A stream is what one node sends on one channel to one rank; a message crosses once,
// however many nodes read it there.
#pragma once

#include "engine/threads/threads_node.hpp"

#include <vector>

namespace quantimed {

// All nodes hear what is sent there: of an algorithm that also talks to neighbours, its last channel.
inline bool is_collective(const Run& run, Channel c) {
  const Round period = run.algorithm.collective_period(run.options);
  return period == 1 || (period > 1 && c.index + 1 == run.algorithm.channels);
}

// Other ranks that may get something of this node: in ascending order.
std::vector<Rank> ranks_that_hear(const ThreadedRun& shared, NodeId node, Channel c);
// Of message k of a schedule: the ranks, this one left out. `room`: taken again from call to call.
void ranks_that_hear(const ThreadedRun& shared, NodeId node, Round message, std::vector<Neighbour>& room,
                     std::vector<Rank>& ranks);
// `newest` delivery: how many streams a node has.
inline std::uint32_t ranks_elsewhere(const ThreadedRun& shared, NodeId node) {
  return static_cast<std::uint32_t>(ranks_that_hear(shared, node, {0}).size());
}

// Nodes of this process that may read what `node`, elsewhere, sends on the channel.
std::vector<NodeId> readers_here(const ThreadedRun& shared, NodeId node, Channel c);

}  // namespace quantimed

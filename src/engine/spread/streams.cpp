// SPDX-License-Identifier: BSD-3-Clause
#include "engine/spread/streams.hpp"

#include <algorithm>

namespace quantimed {

namespace {

void sort_and_leave_out(std::vector<Rank>& ranks, Rank own) {
  std::ranges::sort(ranks);
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  std::erase(ranks, own);
}

}  // namespace

std::vector<Rank> ranks_that_hear(const ThreadedRun& shared, NodeId node, Channel c) {
  const Layout& layout = shared.layout;
  std::vector<Rank> ranks;
  if (is_collective(shared.run, c) || shared.run.network.is_scheduled())
    for (Rank r = 0; r < layout.ranks; ++r) ranks.push_back(r);
  else
    for (const Neighbour& j : shared.run.network.neighbours(node)) ranks.push_back(layout.rank_of(j.id));
  sort_and_leave_out(ranks, layout.rank);
  return ranks;
}

void ranks_that_hear(const ThreadedRun& shared, NodeId node, Round message, std::vector<Neighbour>& room,
                     std::vector<Rank>& ranks) {
  ranks.clear();
  for (const Neighbour& j : shared.run.network.readers(node, message, room))
    ranks.push_back(shared.layout.rank_of(j.id));
  sort_and_leave_out(ranks, shared.layout.rank);
}

std::vector<NodeId> readers_here(const ThreadedRun& shared, NodeId node, Channel c) {
  std::vector<NodeId> readers;
  if (is_collective(shared.run, c) || shared.run.network.is_scheduled())
    for (NodeId j = shared.layout.first(); j < shared.layout.last(); ++j) readers.push_back(j);
  else
    for (const Neighbour& j : shared.run.network.neighbours(node))
      if (shared.layout.has(j.id)) readers.push_back(j.id);
  return readers;
}

}  // namespace quantimed

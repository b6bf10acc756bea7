// SPDX-License-Identifier: BSD-3-Clause
// When messages arrive in a run over several ranks that is predicted, of `round` delivery.
//
// A message crosses once to each other rank that hears it. Its courier sees it as late as a neighbour would, and so
// does the reader its ghost. A rank's courier sends its messages one after the other, each for the link's gap, and
// receives them so; those between two hosts leave a host so, too, and come in, whichever of its ranks they are of.
// Links of one kind are alike, and hosts, too; nobody else is on the network.
#pragma once

#include "engine/engine.hpp"
#include "record/records.hpp"

#include <cstdint>
#include <vector>

namespace quantimed {

class RankClock {
 public:
  explicit RankClock(const Run& run);  // whose `ranks` are there

  // Round t, when every node has published at sent[i].
  void carry(const std::vector<Seconds>& sent, const Records& records, Round t);
  // When node i may have seen node j's message of that round.
  Seconds arrival(NodeId j, NodeId i) const;

  void save(Attributes& state) const;

 private:
  struct Crossing {
    NodeId node;
    Rank from, to;
    bool is_between_hosts;
  };
  // Until when something is busy, in either direction.
  struct Busy {
    Seconds out = 0, in = 0;
  };
  Rank host(Rank r) const { return hosts_.rank_of(r); }

  const Run& run_;
  Layout ranks_, hosts_;  // nodes in ranks; ranks in hosts
  std::vector<Crossing> crossings_;
  std::vector<std::uint32_t> first_;   // [n + 1]: a node's crossings, by ascending rank
  std::vector<std::uint32_t> order_;   // of crossings_, scratch
  std::vector<Seconds> seen_, there_;  // [n]: by its own courier; [crossings]: when it may be seen
  std::vector<Busy> of_rank_, of_host_;
};

// In one round of a static graph.
struct CrossingMessages {
  std::uint64_t within_ranks = 0;   // read by nodes of the sender's own rank
  std::uint64_t between_ranks = 0;  // on one host or between two
  std::uint64_t between_hosts = 0;
};
CrossingMessages crossing_messages(const Network& network, const PredictedRanks& ranks);

}  // namespace quantimed

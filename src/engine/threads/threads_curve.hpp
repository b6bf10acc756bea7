// SPDX-License-Identifier: BSD-3-Clause
// The curve of a run on threads, drawn off the clock from the copies that its nodes kept of their models.
#pragma once

#include "engine/threads/ended_nodes.hpp"
#include "engine/threads/threads_node.hpp"

#include <utility>

namespace quantimed {

constexpr double kRunningShare = 0.5;  // of the progress shown: the rest is the curve

class ThreadsCurve {
 public:
  // The run has ended: its nodes live, their threads do not. ended: [n], when each left, on the run's clock.
  ThreadsCurve(const Run& run, EndedNodes& nodes, const Records& records, std::span<const Seconds> ended,
               Watcher& watcher)
      : run_(run), nodes_(nodes), records_(records), ended_(ended), watcher_(watcher) {}

  // All points before the end, which is observed by itself; of a resumed run those after the cut, at before_s.
  // False: the watcher has seen enough.
  bool observe(Seconds before_s, Seconds end);
  // How many rounds the living nodes have done: the fewest and the most. With `round` delivery they differ only where
  // lost nodes have split the network, whose parts know nothing of each other. Asynchronous nodes have no rounds: 0.
  std::pair<Round, Round> last_rounds() const;
  void observe_end(Seconds end);

 private:
  bool observe_rounds();
  bool observe_times(Seconds before_s, Seconds end);
  Seconds when_all_began(Round t) const;
  bool is_lost(NodeId i, Round t) const { return nodes_.lost_in(i).value_or(~Round{0}) <= t; }

  const Run& run_;
  EndedNodes& nodes_;
  const Records& records_;
  std::span<const Seconds> ended_;
  Watcher& watcher_;
};

}  // namespace quantimed

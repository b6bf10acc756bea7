// SPDX-License-Identifier: BSD-3-Clause
// The curve of a run on threads, drawn off the clock from the copies that its nodes kept of their models.
#pragma once

#include "engine/threads_node.hpp"

#include <utility>

namespace quantimed {

constexpr double kRunningShare = 0.5;  // of the progress shown: the rest is the curve

class ThreadsCurve {
 public:
  // The run has ended: its nodes live, their threads do not. ended: [n], when each left, on the run's clock.
  ThreadsCurve(ThreadedRun& shared, const Records& records, std::span<const Seconds> ended, Watcher& watcher)
      : shared_(shared), run_(shared.run), records_(records), ended_(ended), watcher_(watcher) {}

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
  std::uint64_t coarsen_to_one(std::uint64_t stride);
  Seconds when_all_began(Round t) const;
  bool is_lost(NodeId i, Round t) const { return shared_.nodes[i]->lost_in().value_or(~Round{0}) <= t; }

  ThreadedRun& shared_;
  const Run& run_;
  const Records& records_;
  std::span<const Seconds> ended_;
  Watcher& watcher_;
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What is still to strike, and when. One meaning on every clock: a fault strikes between two iterations of its node, at
// the first that begins at its time or later. What has begun is ended.
#pragma once

#include "timing/faults.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

namespace quantimed {

class FaultPlan {
 public:
  // Those of them that `concerns` is true of.
  template <class Concerns>
  FaultPlan(std::span<const Fault> faults, Concerns&& concerns) {
    std::ranges::copy_if(faults, std::back_inserter(to_come_), concerns);
  }

  bool is_empty() const { return to_come_.empty(); }

  // The next fault that is due, where each node's next iteration begins at start(node) on the run's clock. It is given
  // once.
  template <class Start>
  std::optional<Fault> next(Start&& start) {
    const auto due = std::ranges::find_if(to_come_, [&](const Fault& f) { return start(f.node) >= f.time; });
    if (due == to_come_.end()) return {};
    const Fault fault = *due;
    to_come_.erase(due);
    return fault;
  }

  // The same of one node alone.
  std::optional<Fault> next(NodeId node, Seconds start) {
    return next([&](NodeId i) { return i == node ? start : -kForever; });
  }

 private:
  std::vector<Fault> to_come_;  // in the order of --fault
};

}  // namespace quantimed

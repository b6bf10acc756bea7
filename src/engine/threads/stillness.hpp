// SPDX-License-Identifier: BSD-3-Clause
// The watch for deadlocks: how long no node has ended an iteration, and how long is too long.
#pragma once

#include "timing/faults.hpp"

#include <algorithm>
#include <cstdint>

namespace quantimed {

class Stillness {
 public:
  static constexpr double kFewestRounds = 100;  // without progress, before an automatic patience ends a run

  // patience 0: kUsualPatience_s, and no less than kFewestRounds of the longest rounds seen, or expected, so far.
  // interval: between two looks, so that a round may seem longer by two of them than it was.
  Stillness(Seconds patience, Seconds expected_round, Seconds interval, Seconds now)
      : patience_(patience), longest_(expected_round), coarse_(2 * interval), since_(now) {}

  // finished: iterations that all nodes together have ended.
  void look(Seconds now, std::uint64_t finished) {
    if (finished == finished_) return;
    longest_ = std::max(longest_, now - since_ - coarse_);
    since_ = now;
    finished_ = finished;
  }
  Seconds lasts(Seconds now) const { return now - since_; }
  bool is_too_long(Seconds now) const {
    return lasts(now) > (patience_ > 0 ? patience_ : std::max(kUsualPatience_s, kFewestRounds * longest_));
  }

 private:
  Seconds patience_, longest_, coarse_;
  Seconds since_;
  std::uint64_t finished_ = 0;
};

}  // namespace quantimed

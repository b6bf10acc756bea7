// SPDX-License-Identifier: BSD-3-Clause
// How many samples to start before looking at the clock again.
#pragma once

#include "base/types.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>

namespace quantimed {

// Learns what chunks of 1, 2, 4, … samples cost on this node, and how far that varies; larger chunks are cheaper a
// sample, smaller ones end closer to the deadline. Mean and mean deviation are moving averages, as TCP keeps them for
// its time-outs (Jacobson, 1988).
class ChunkCosts {
 public:
  static constexpr std::size_t kLargest = 512;

  // The largest chunk that is expected to end within `remaining`, and in all but rare cases within `remaining` +
  // `slack`; 0: none is.
  std::size_t fitting(Seconds remaining, Seconds slack) const {
    for (std::size_t k = kSizes; k-- > smallest_;)
      if (cost_[k].mean <= remaining && cost_[k].mean + kRare * cost_[k].deviation <= remaining + slack)
        return std::size_t{1} << k;
    return 0;
  }
  Seconds expected(std::size_t chunk) const { return cost_[index(chunk)].mean; }
  std::size_t smallest() const { return std::size_t{1} << smallest_; }

  // Before the clock starts: the best of several.
  void warm_up(std::size_t chunk, Seconds measured) {
    Seconds& mean = cost_[index(chunk)].mean;
    mean = mean == 0 ? measured : std::min(mean, measured);
  }
  // Chunks so short that reading the clock would cost 1 % of them are not used.
  void warmed_up(Seconds clock_read) {
    while (smallest_ + 1 < kSizes && cost_[smallest_].mean < kClockShare * clock_read) ++smallest_;
  }

  // Nothing fitted. What is never started is never measured again, so an estimate that was too high must fade.
  void doubt() {
    for (Cost& cost : cost_) cost.mean *= 1 - kDoubt, cost.deviation *= 1 - kDoubt;
  }

  // An outlier (the thread lost its core) counts as twice what was expected.
  void learn(std::size_t chunk, Seconds measured) {
    Cost& cost = cost_[index(chunk)];
    const Seconds error = std::min(measured, 2 * cost.mean) - cost.mean;
    cost.mean += kRate * error;
    cost.deviation += kRate * (std::abs(error) - cost.deviation);
  }

 private:
  static constexpr std::size_t kSizes = 10;
  static constexpr double kRate = 0.1, kDoubt = 0.01;
  static constexpr double kRare = 4;          // mean deviations, as in TCP
  static constexpr double kClockShare = 100;  // a chunk lasts at least so many clock reads
  static_assert(std::size_t{1} << (kSizes - 1) == kLargest);
  static std::size_t index(std::size_t chunk) { return static_cast<std::size_t>(std::bit_width(chunk)) - 1; }

  struct Cost {
    Seconds mean = 0, deviation = 0;
  };
  std::array<Cost, kSizes> cost_;  // of 2^k samples
  std::size_t smallest_ = 0;       // index
};

}  // namespace quantimed

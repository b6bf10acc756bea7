// How many samples to start before looking at the clock again.
#pragma once

#include "base/types.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

namespace quantimed {

// Learns what chunks of 1, 2, 4, … 64 samples cost on this node; larger chunks are cheaper a sample.
class ChunkCosts {
 public:
  static constexpr std::size_t kLargest = 64;

  // The largest chunk that is expected to end within `remaining`; 0: not even one sample is.
  std::size_t fitting(Seconds remaining) const {
    for (std::size_t k = kSizes; k-- > 0;)
      if (cost_[k] <= remaining) return std::size_t{1} << k;
    return 0;
  }
  Seconds expected(std::size_t chunk) const { return cost_[index(chunk)]; }

  // Before the clock starts: the best of several.
  void warm_up(std::size_t chunk, Seconds measured) {
    Seconds& cost = cost_[index(chunk)];
    cost = cost == 0 ? measured : std::min(cost, measured);
  }

  // Nothing fitted. What is never started is never measured again, so an estimate that was too high must fade.
  void doubt() {
    for (Seconds& cost : cost_) cost *= 1 - kDoubt;
  }

  // A moving average; an outlier (the thread lost its core) counts as twice what was expected.
  void learn(std::size_t chunk, Seconds measured) {
    Seconds& cost = cost_[index(chunk)];
    cost = cost == 0 ? measured : cost + kRate * (std::min(measured, 2 * cost) - cost);
  }

 private:
  static constexpr std::size_t kSizes = 7;
  static constexpr double kRate = 0.1, kDoubt = 0.01;
  static std::size_t index(std::size_t chunk) { return static_cast<std::size_t>(std::bit_width(chunk)) - 1; }

  std::array<Seconds, kSizes> cost_{};  // s, of 2^k samples
};

}  // namespace quantimed

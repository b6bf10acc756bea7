// SPDX-License-Identifier: BSD-3-Clause
// The updates of several nodes at once, range by range of the coordinates, so that a message is read from memory once
// for all of its readers among them. Each node's sum has the order that mix() gives it: the bits are the same.
#pragma once

#include "node/mix.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace quantimed {

// One node's, in place.
struct MixJob {
  std::span<Real> x;  // [p]
  Coefficients coefficients;
  GradientSum gradient;
  std::span<const MixTerm> terms;
  std::span<const CoordinateRange> penalised;
  std::uint64_t wrong = 0;  // blocks of messages, so far, that are known to have been decoded wrongly
};

// Of a job's sum: which of the messages that the jobs read, and its weight.
struct MixPart {
  std::uint32_t source;
  Real weight;
};

class MixTogether {
 public:
  explicit MixTogether(const Codec& codec) : codec_(codec) {}

  // The jobs that carry_out() is about, until the next call. What they refer to stays where it is.
  void begin(std::span<MixJob> jobs);
  // Coordinates first … last − 1 of all of them. first: a multiple of Codec::kSlice.
  void carry_out(std::size_t first, std::size_t last);
  // Coordinates that are best done at a time: what the jobs read of them stays in the second-level cache.
  std::size_t range() const { return is_packed_ ? Codec::kSlice : 4 * Codec::kSlice; }

  // Of one coordinate of a job: that of its own vectors, and of each message.
  static constexpr double kFlops = 3, kFlopsOfMessage = 2;

 private:
  void mix_packed(std::size_t first);
  void prefetch_next(std::size_t k, std::size_t first) const;

  const Codec& codec_;
  std::span<MixJob> jobs_;
  bool is_packed_ = false;  // models are sent as they are, and several jobs read the same
  std::vector<const std::byte*> sources_;
  std::vector<MixPart> parts_;  // of one job after the other
  AlignedVector<Real> packed_;  // [sources] of a few coordinates, side by side
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What the clock decided of one node's run, written down as it happens. With the options it fixes every bit of the run:
// streams of random numbers are counted, and messages are read whole.
//
// For each iteration, in the order in which it happens:
//   - of every gradient until a deadline: a byte for each chunk of samples, 1 + log2 of their number; then a 0. Sums
//   are
//     accumulated chunk by chunk, so that the cuts change their bits;
//   - with `newest` delivery, for each neighbour in the network's order: the iteration of the message that was read,
//   less
//     the one that was read before (−1 at first) and less 1, zigzag and in groups of seven bits, the lowest first;
//   - two bytes, the lower one first: NodeCore::state_check() as the iteration leaves it. A replay that goes wrong is
//   found at
//     once, and whole models are compared at the curve's points.
// With `round` delivery the messages are known by their round. How many iterations there are is kept beside the log.
#pragma once

#include "base/types.hpp"
#include "engine/paged_log.hpp"

#include <bit>
#include <cstdint>
#include <vector>

namespace quantimed {

// Written by the node's own thread: no lock, no disk, and memory only where the other thread does not keep up.
class ReplayLog {
 public:
  // `last`: [neighbours], of a run that goes on: what the node had read last.
  explicit ReplayLog(std::vector<std::int64_t> last) : last_(std::move(last)) {}

  void chunk(std::size_t samples) { bytes_.put(static_cast<std::uint8_t>(std::bit_width(samples))); }
  void gradient_ends() { bytes_.put(0); }
  void reads(std::size_t k, Round of) {
    const std::int64_t step = std::int64_t{of} - last_[k] - 1;
    last_[k] = of;
    const std::uint64_t twice = static_cast<std::uint64_t>(step) << 1;
    std::uint64_t rest = step < 0 ? ~twice : twice;
    for (; rest >= 0x80; rest >>= 7) bytes_.put(static_cast<std::uint8_t>(rest | 0x80));
    bytes_.put(static_cast<std::uint8_t>(rest));
  }
  void iteration_ends(std::uint16_t check) {
    bytes_.put(static_cast<std::uint8_t>(check));
    bytes_.put(static_cast<std::uint8_t>(check >> 8));
    bytes_.commit();
  }

  // Another thread.
  void take(std::vector<std::uint8_t>& into) {
    bytes_.take([&](std::uint8_t byte) { into.push_back(byte); });
  }

 private:
  PagedLog<std::uint8_t, 1 << 14> bytes_;
  std::vector<std::int64_t> last_;  // [neighbours]
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What the clock decided of one node's run, written down as it happens. With the options it fixes every bit of the run:
// streams of random numbers are counted, and messages are read whole.
//
// For each iteration, in the order in which it happens:
//   - of every gradient until a deadline: a byte for each chunk of samples, 1 + log2 of their number; then a 0. Sums
//   are
//     accumulated chunk by chunk, so that the cuts change their bits;
//   - with `newest` delivery, for each neighbour in the network's order: the iteration of the message that was read,
//     less the one that was read before (−1 at first) and less 1, zigzag and in groups of seven bits, the lowest first;
//   - with `pairwise` delivery, for each pass, each averaging that it began, and the iteration's end: which turn at the
//     node's own model it was. All that read or changed a model, whoever did it, took a turn, 0, 1, 2, … As the turn
//     less the one before (−1 at first) and less 1, times 4, plus PairEntry; in groups of seven bits. Of an averaging,
//     behind it: 0 where the partner had left the run, else 1 + its turn at the partner's model less that at its own,
//     zigzag;
//   - two bytes, the lower one first: NodeCore::state_check() as the iteration leaves it. A replay that goes wrong is
//     found at once, and whole models are compared at the curve's points.
// With `round` delivery the messages are known by their round. How many iterations there are is kept beside the log.
#pragma once

#include "base/types.hpp"
#include "record/paged_log.hpp"

#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

namespace quantimed {

enum class PairEntry : std::uint8_t { pass, average, end };

// Written by the node's own thread: no lock, no disk, and memory only where the other thread does not keep up.
class ReplayLog {
 public:
  // `last`: of a run that goes on, what the node had read last, [neighbours], or its last turn at its model, [1].
  explicit ReplayLog(std::vector<std::int64_t> last) : last_(std::move(last)) {}

  void chunk(std::size_t samples) { bytes_.put(static_cast<std::uint8_t>(std::bit_width(samples))); }
  void gradient_ends() { bytes_.put(0); }
  void reads(std::size_t k, Round of) {
    put(zigzag(std::int64_t{of} - last_[k] - 1));
    last_[k] = of;
  }
  void takes_turn(std::uint64_t turn, PairEntry what) {
    const auto now = static_cast<std::int64_t>(turn);
    put(static_cast<std::uint64_t>(now - last_[0] - 1) << 2 | static_cast<std::uint64_t>(what));
    last_[0] = now;
  }
  // Behind the entry of an averaging. Nothing: there was no partner any more.
  void takes_turn_of_partner(std::optional<std::uint64_t> turn) {
    put(turn ? zigzag(static_cast<std::int64_t>(*turn) - last_[0]) + 1 : 0);
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
  static std::uint64_t zigzag(std::int64_t step) {
    const std::uint64_t twice = static_cast<std::uint64_t>(step) << 1;
    return step < 0 ? ~twice : twice;
  }
  void put(std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) bytes_.put(static_cast<std::uint8_t>(number | 0x80));
    bytes_.put(static_cast<std::uint8_t>(number));
  }

  PagedLog<std::uint8_t, 1 << 14> bytes_;
  std::vector<std::int64_t> last_;  // [neighbours], or [1]
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// How much of a run a node's thread was not on its core though it wanted to be: other programs, or the hypervisor, held
// it. Read once at the start of a run and once at its end, by the thread itself.
#pragma once

#include "base/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace quantimed {

inline constexpr double kMostCoreWait = 0.05;  // of the run's time, of each node of a VALID run

struct CoreUse {
  Seconds time = 0;                           // on the steady clock
  Seconds cpu = 0;                            // that this thread has had
  Seconds slept = 0;                          // of its own will
  std::optional<Seconds> queued = {};         // that it was ready to run and did not; nothing: the kernel does not say
  std::optional<std::uint64_t> blocked = {};  // how often it gave up its core to wait for something
};

// Of the calling thread.
CoreUse core_use() noexcept;

// The share of the time between two readings that the thread waited for its core. What the kernel counted in its queue;
// where the thread never blocked, or the kernel does not count, all time without a core but what it slept.
double core_wait(const CoreUse& start, const CoreUse& end);

struct LongWait {
  std::size_t node;
  double share;
};
// The node that waited longest; nothing where `shares` is empty. NaN: it is not judged.
std::optional<LongWait> longest_wait(std::span<const double> shares);

inline bool spoils_times(const LongWait& wait) { return wait.share > kMostCoreWait; }

}  // namespace quantimed

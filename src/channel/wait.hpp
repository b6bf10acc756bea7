// SPDX-License-Identifier: BSD-3-Clause
// Waiting for another node: spin, then yield, then sleep. Spinning wakes within a fraction of a microsecond; yielding
// and sleeping keep a machine with more nodes than cores from collapsing.
#pragma once

#include <atomic>
#include <chrono>

#include "base/types.hpp"

namespace quantimed {

struct WaitPolicy {
  Seconds spin;           // poll without leaving the core for so long,
  Seconds yield;          // then let other threads run between polls for so long,
  Seconds longest_sleep;  // then sleep between polls, twice as long each time up to this

  // One node per core: the core is ours, so polling costs nobody anything; sleep only when something is stuck.
  static constexpr WaitPolicy dedicated() { return {.spin = 100e-3, .yield = 2, .longest_sleep = 200e-6}; }
  // More nodes than cores: whoever we wait for may need this very core.
  static constexpr WaitPolicy oversubscribed() { return {.spin = 2e-6, .yield = 50e-6, .longest_sleep = 200e-6}; }
};

// Tells the core that this is a polling loop.
inline void cpu_pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

// Sleeps as std::this_thread::sleep_for does, and counts it.
void sleep_for(Seconds time);
// How long this thread has slept so, which is no waiting for a core.
Seconds slept() noexcept;

// The slow side of one wait: knows how long it has lasted, and gives the core away when it is time.
class Backoff {
 public:
  explicit Backoff(const WaitPolicy& policy) : policy_(policy), start_(Clock::now()) {}
  bool spinning() const { return spinning_; }
  void step();  // call between groups of polls: returns at once, yields or sleeps

 private:
  using Clock = std::chrono::steady_clock;
  WaitPolicy policy_;
  Clock::time_point start_;
  Seconds sleep_ = 5e-6;
  bool spinning_ = true;
};

// Polls `ready` until it holds; false when `stop` was raised first. What is ready is taken even after a stop.
template <class Ready>
bool wait_until(Ready ready, const std::atomic<bool>& stop, const WaitPolicy& policy) {
  constexpr int kPolls = 32;  // between looks at the clock, which takes as long as several polls
  if (ready()) return true;
  Backoff backoff(policy);
  // acquire: pairs with the release of whoever raises `stop`, so that the reason for it can be read.
  while (!stop.load(std::memory_order_acquire)) {
    for (int i = backoff.spinning() ? kPolls : 1; i > 0; --i) {
      if (ready()) return true;
      cpu_pause();
    }
    backoff.step();
  }
  return ready();
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Where a fixed number of threads meet, again and again, unless one of them breaks it off: std::barrier would keep the
// others waiting for ever for one that was never started, or that has left for another reason.
#pragma once

#include <atomic>
#include <cstdint>

namespace quantimed {

class Meeting {
 public:
  explicit Meeting(std::uint32_t threads) : threads_(threads) {}
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  // True once all have come; false, at once, where it was broken off before that.
  bool arrive_and_wait() {
    std::uint32_t round = round_.load(std::memory_order_acquire);
    if (round & kBrokenOff) return false;
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {  // the last sees what all others wrote
      arrived_.store(0, std::memory_order_relaxed);  // nobody comes to the next round before this one has ended
      const std::uint32_t next = (round + 1) % kBrokenOff;
      const bool all_came = round_.compare_exchange_strong(round, next, std::memory_order_acq_rel);
      round_.notify_all();
      return all_came;
    }
    round_.wait(round, std::memory_order_acquire);  // pairs with the last one's exchange, or with break_off()
    return (round_.load(std::memory_order_acquire) & ~kBrokenOff) != round;
  }

  // Any thread, also one that does not take part: nobody waits from now on.
  void break_off() {
    round_.fetch_or(kBrokenOff, std::memory_order_release);
    round_.notify_all();
  }

 private:
  static constexpr std::uint32_t kBrokenOff = std::uint32_t{1} << 31;
  std::uint32_t threads_;
  std::atomic<std::uint32_t> arrived_ = 0;
  std::atomic<std::uint32_t> round_ = 0;  // and whether it was broken off
};

}  // namespace quantimed

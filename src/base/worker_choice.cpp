// SPDX-License-Identifier: BSD-3-Clause
#include "base/worker_choice.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

namespace quantimed {

Seconds WorkerRule::extra() const {
  const double one = one_.is_known ? one_.seconds : cpu_.seconds;
  return std::abs(one - all_.seconds) * work_;
}

std::uint32_t WorkerRule::next() {
  is_trial_ = false;
  if (most_ == 1 || !all_.is_known) return chosen_ = most_;
  const double one = one_.is_known ? one_.seconds : cpu_.seconds;
  const bool all_are_faster = all_.seconds < one;
  const bool is_clear = all_.seconds < kClear * cpu_.seconds;  // no worker alone is faster than its processor time
  bool takes_all = all_are_faster;
  if (!(all_are_faster && is_clear) && credit_ >= extra()) {
    takes_all = !all_are_faster;
    is_trial_ = true;
    credit_ = 0;
  }
  return chosen_ = takes_all ? most_ : 1;
}

void WorkerRule::learn(double work, Seconds wall, Seconds cpu) {
  if (!(work > 0)) return;
  work_ = work;
  credit_ += kTrying * wall;
  (chosen_ == 1 ? one_ : all_).add(wall / work, is_trial_);
  if (chosen_ != 1) cpu_.add(cpu / work, is_trial_);
}

Seconds WorkerChoice::wall_time() {
  return std::chrono::duration<Seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Seconds WorkerChoice::processor_time() {
  timespec cpu{};
  static_cast<void>(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu));
  return static_cast<Seconds>(cpu.tv_sec) + 1e-9 * static_cast<Seconds>(cpu.tv_nsec);
}

}  // namespace quantimed

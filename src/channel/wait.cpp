// SPDX-License-Identifier: BSD-3-Clause
#include "channel/wait.hpp"

#include <algorithm>
#include <thread>

namespace quantimed {

namespace {
thread_local Seconds slept_s = 0;
}

void sleep_for(Seconds time) {
  const auto start = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::duration<Seconds>(time));
  slept_s += std::chrono::duration<Seconds>(std::chrono::steady_clock::now() - start).count();
}

Seconds slept() noexcept { return slept_s; }

void Backoff::step() {
  const Seconds waited = std::chrono::duration<Seconds>(Clock::now() - start_).count();
  if (waited < policy_.spin) return;
  spinning_ = false;
  if (waited < policy_.spin + policy_.yield) {
    std::this_thread::yield();
    return;
  }
  sleep_ = std::min(2 * sleep_, policy_.longest_sleep);
  sleep_for(sleep_);
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "channel/wait.hpp"

#include <algorithm>
#include <thread>

namespace quantimed {

void Backoff::step() {
  const Seconds waited = std::chrono::duration<Seconds>(Clock::now() - start_).count();
  if (waited < policy_.spin) return;
  spinning_ = false;
  if (waited < policy_.spin + policy_.yield) {
    std::this_thread::yield();
    return;
  }
  sleep_ = std::min(2 * sleep_, policy_.longest_sleep);
  std::this_thread::sleep_for(std::chrono::duration<Seconds>(sleep_));
}

}  // namespace quantimed

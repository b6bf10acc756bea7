// SPDX-License-Identifier: BSD-3-Clause
#include "channel/wait.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace quantimed {
namespace {

using Clock = std::chrono::steady_clock;
Seconds since(Clock::time_point start) { return std::chrono::duration<Seconds>(Clock::now() - start).count(); }

TEST(Wait, ReadyAtOnceIsTakenEvenAfterAStop) {
  const std::atomic<bool> stop{true};
  EXPECT_TRUE(wait_until([] { return true; }, stop, WaitPolicy::dedicated()));
  EXPECT_FALSE(wait_until([] { return false; }, stop, WaitPolicy::dedicated()));
}

TEST(Wait, StopEndsEveryPhase) {
  for (const WaitPolicy policy : {WaitPolicy::dedicated(), WaitPolicy::oversubscribed(), WaitPolicy{0, 10, 1e-3}}) {
    std::atomic<bool> stop{false};
    std::atomic<bool> ended{false};
    bool result = true;
    std::jthread waiter([&] {
      result = wait_until([] { return false; }, stop, policy);
      ended.store(true);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(ended.load());
    stop.store(true, std::memory_order_release);
    waiter.join();
    EXPECT_FALSE(result);
  }
}

TEST(Wait, BackoffSpinsThenYieldsThenSleeps) {
  Backoff backoff({.spin = 2e-3, .yield = 2e-3, .longest_sleep = 200e-6});
  const auto start = Clock::now();
  while (backoff.spinning()) backoff.step();
  EXPECT_GE(since(start), 2e-3);
  while (since(start) < 4.1e-3) backoff.step();
  for (int i = 0; i < 8; ++i) backoff.step();  // grow to the longest
  const auto asleep = Clock::now();
  for (int i = 0; i < 5; ++i) backoff.step();
  EXPECT_GE(since(asleep), 5 * 200e-6);
}

// Far more waiting threads than cores, each waiting for its predecessor: must not collapse.
TEST(Wait, OversubscribedRelayFinishes) {
  constexpr int kThreads = 16, kLaps = 200;
  const std::atomic<bool> never{false};
  std::atomic<int> turn{0};
  {
    std::vector<std::jthread> threads;
    for (int me = 0; me < kThreads; ++me)
      threads.emplace_back([&, me] {
        for (int lap = 0; lap < kLaps; ++lap) {
          const int mine = lap * kThreads + me;
          ASSERT_TRUE(wait_until([&] { return turn.load(std::memory_order_acquire) == mine; }, never,
                                 WaitPolicy::oversubscribed()));
          turn.store(mine + 1, std::memory_order_release);
        }
      });
  }
  EXPECT_EQ(turn.load(), kThreads * kLaps);
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "engine/threads/meeting.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace quantimed {
namespace {

TEST(Meeting, NobodyLeavesBeforeAllHaveCome) {
  constexpr int kThreads = 4, kRounds = 1000;
  Meeting meeting(kThreads);
  std::atomic<int> arrived = 0;
  std::vector<std::jthread> threads;
  for (int k = 0; k < kThreads; ++k)
    threads.emplace_back([&] {
      for (int round = 1; round <= kRounds; ++round) {
        ++arrived;
        EXPECT_TRUE(meeting.arrive_and_wait());
        EXPECT_GE(arrived, kThreads * round);
        EXPECT_TRUE(meeting.arrive_and_wait());
      }
    });
}

TEST(Meeting, WhoWaitsForOneThatNeverComesIsFreedWhenItIsBrokenOff) {
  for (int repeat = 0; repeat < 100; ++repeat) {
    Meeting meeting(3);
    std::vector<std::jthread> threads;
    for (int k = 0; k < 2; ++k) threads.emplace_back([&] { EXPECT_FALSE(meeting.arrive_and_wait()); });
    if (repeat % 2 == 0) std::this_thread::yield();
    meeting.break_off();
    EXPECT_FALSE(meeting.arrive_and_wait()) << "and nobody waits afterwards";
  }
}

// A node may fail in its first round, while others are still on their way out of the meeting: they have met.
TEST(Meeting, WhoHasMetKnowsItAlsoWhereItIsBrokenOffRightAfterwards) {
  for (int repeat = 0; repeat < 200; ++repeat) {
    Meeting meeting(3);
    std::vector<std::jthread> threads;
    for (int k = 0; k < 3; ++k)
      threads.emplace_back([&] {
        EXPECT_TRUE(meeting.arrive_and_wait());
        meeting.break_off();
      });
  }
}

}  // namespace
}  // namespace quantimed

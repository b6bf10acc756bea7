// SPDX-License-Identifier: BSD-3-Clause
#include "machine/core_wait.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>
#include <vector>

#include "engine/small_run.hpp"
#include "machine/interference.hpp"
#include "machine/placement.hpp"

namespace quantimed {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(CoreWait, IsWhatTheKernelCountedInItsQueue) {
  const CoreUse start{.time = 10, .cpu = 1, .queued = 0.5, .blocked = 3};
  EXPECT_DOUBLE_EQ(core_wait(start, {.time = 14, .cpu = 2, .queued = 1.5, .blocked = 9}), 0.25);  // it slept, too
  EXPECT_DOUBLE_EQ(core_wait(start, {.time = 14, .cpu = 2, .queued = 1.5, .blocked = 3}), 0.75);  // it never did
  EXPECT_DOUBLE_EQ(core_wait(start, {.time = 14, .cpu = 5, .queued = 0.5, .blocked = 3}), 0);
  EXPECT_DOUBLE_EQ(core_wait(start, {.time = 14, .cpu = 5.5, .queued = 0.5, .blocked = 3}),
                   0);  // clocks differ a little
  EXPECT_DOUBLE_EQ(core_wait(start, start), 0);
}

TEST(CoreWait, WithoutACountIsTheTimeWithoutACore) {
  EXPECT_DOUBLE_EQ(core_wait({.time = 10, .cpu = 1}, {.time = 14, .cpu = 4}), 0.25);
  // A stall is no waiting.
  EXPECT_DOUBLE_EQ(core_wait({.time = 10, .cpu = 1, .slept = 0.5}, {.time = 14, .cpu = 2, .slept = 2.5}), 0.25);
}

TEST(CoreWait, OfTheNodeThatWaitedLongestDecides) {
  EXPECT_FALSE(longest_wait({}));
  const double quiet[] = {0.001, 0.049, 0.02}, busy[] = {0.001, 0.3, 0.051}, shared[] = {std::nan(""), 0.01};
  EXPECT_FALSE(spoils_times(*longest_wait(quiet)));
  EXPECT_EQ(longest_wait(busy)->node, 1u);
  EXPECT_TRUE(spoils_times(*longest_wait(busy)));
  EXPECT_EQ(longest_wait(shared)->node, 1u);
  EXPECT_FALSE(spoils_times(*longest_wait(shared)));
  EXPECT_FALSE(longest_wait(std::vector<double>{std::nan("")}));
}

// Two that are busy for as long on one core: each has half of it, however fast it is.
TEST(CoreWait, OfTwoNodesOnOneCoreIsAboutAHalf) {
  const SmallRun small("quantimed-dsgd", 2);
  auto run = small.run();
  run.speed = nullptr;
  run.link = {};
  run.deadline = {.fixed_s = 0.02, .slack_s = 10};
  run.iterations = 15;
  run.oversubscribe = true;
  run.placement = parse_placement("list:" + std::to_string(usable_cores().front()), true);
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = run_threads(run, watcher);
  EXPECT_GT(number(outcome.measured, "core_wait_share", -1), 0.15);
  EXPECT_EQ(number(outcome.measured, "core_wait_limit", -1), kMostCoreWait);
  EXPECT_THAT(outcome.verdict.text(), HasSubstr("% of the run for its core"));
}

// Without deadlines and speeds nothing else would tell.
TEST(CoreWait, AnotherProgramOnTheCoreMakesTheTimesInvalid) {
  const SmallRun small("dsgd", 1, "complete");
  auto run = small.run();
  run.speed = nullptr;
  run.link = {};
  run.iterations = 1'000'000'000;
  run.max_time = 0.4;
  const std::vector<int> core = {usable_cores().front()};
  run.placement = parse_placement("list:" + std::to_string(core.front()), true);
  KeepingWatcher watcher = small.watcher();
  {
    const Interference other({.count = 1, .share = 1, .period = 0.01}, core, 1);
    const Outcome outcome = run_threads(run, watcher);
    EXPECT_THAT(outcome.verdict.text(), HasSubstr("INVALID: node 0 waited "));
    EXPECT_THAT(outcome.verdict.text(), HasSubstr("leave the cores to the run"));
  }
  run.interference = {.count = 1, .share = 1, .period = 0.01};  // asked for
  EXPECT_THAT(run_threads(run, watcher).verdict.text(), Not(HasSubstr("waited")));
}

}  // namespace
}  // namespace quantimed

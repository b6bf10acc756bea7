// SPDX-License-Identifier: BSD-3-Clause
// When a fault strikes: the same rule on every clock.
#include "engine/small_run.hpp"

#include "timing/fault_plan.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace quantimed {
namespace {

const auto kAll = [](const Fault&) { return true; };

TEST(FaultPlan, GivesEachFaultOnceAtTheFirstStartAtItsTimeOrLater) {
  const std::vector<Fault> faults = {{.node = 3, .time = 2}, {.node = 1, .time = 1, .lasts = 0.5}};
  FaultPlan plan(faults, kAll);
  EXPECT_FALSE(plan.next(3, 1.999));
  EXPECT_FALSE(plan.next(0, 100));
  const auto crash = plan.next(3, 2);
  ASSERT_TRUE(crash);
  EXPECT_EQ(crash->lasts, kForever);
  EXPECT_FALSE(plan.next(3, 3));
  EXPECT_FALSE(plan.is_empty());
  EXPECT_EQ(plan.next(1, 7)->lasts, 0.5);
  EXPECT_TRUE(plan.is_empty());
}

TEST(FaultPlan, OfSeveralThatAreDueGivesOneAfterTheOtherAndHoldsOnlyItsOwn) {
  const std::vector<Fault> faults = {
      {.node = 2, .time = 1}, {.node = 0, .time = 1}, {.node = 1, .time = 1, .lasts = 3}};
  FaultPlan crashes(faults, [](const Fault& fault) { return fault.lasts == kForever; });
  const auto starts = [](NodeId) { return 1.0; };
  EXPECT_EQ(crashes.next(starts)->node, 2u);
  EXPECT_EQ(crashes.next(starts)->node, 0u);
  EXPECT_FALSE(crashes.next(starts));
}

// Iterations begin at 0, 1, 2, … s.
TEST(FaultPlan, StrikesTheSameIterationInVirtualTimeWhateverTheDelivery) {
  for (const char* algorithm : {"quantimed-dsgd", "async-dsgd"}) {
    const SmallRun small(algorithm, 4, "ring");
    const auto speed = make_speed_model("constant:20", 1);  // with batches of 20
    auto run = small.run();
    run.speed = speed.get();
    run.deadline = {.fixed_s = 1};
    run.link = {};
    for (const auto& [time, round] : {std::pair{0.0, 0u}, {0.5, 1u}, {1.0, 1u}, {1.5, 2u}, {4.0, 4u}}) {
      run.faults = {{.node = 1, .time = time}};
      KeepingWatcher watcher = small.watcher();
      EXPECT_EQ(run_virtual(run, watcher).lost, (std::vector<LostNode>{{1, round}})) << algorithm << " " << time;
    }
  }
}

// In real time no start is known beforehand, but what began before the fault's time was ended and recorded.
TEST(FaultPlan, StrikesBetweenTwoIterationsOnThreadsWhateverTheDelivery) {
  for (const char* algorithm : {"quantimed-dsgd", "async-dsgd"})
    for (const Seconds time : {0.0, 0.03}) {
      const SmallRun small(algorithm, 2);
      const auto speed = make_speed_model("constant:2000", 1);
      auto run = small.run();
      run.speed = speed.get();
      run.deadline = {.fixed_s = 0.01, .slack_s = 100};
      run.link = {};
      run.patience_s = 0.5;
      run.oversubscribe = true;
      run.faults = {{.node = 1, .time = time}};
      KeepingWatcher watcher = small.watcher();
      const Outcome outcome = run_threads(run, watcher);
      ASSERT_EQ(outcome.lost.size(), 1u) << algorithm;
      const Rounds rounds = outcome.rounds.all();
      const Round lost = outcome.lost[0].round;
      if (time == 0) {
        EXPECT_EQ(lost, 0u) << algorithm;
      }
      for (Round t = 0; t < rounds.iterations; ++t) {
        const Seconds start = rounds.start_time[t * 2 + 1];
        EXPECT_EQ(std::isnan(start), t >= lost) << algorithm;
        if (t < lost) {
          EXPECT_LT(start, time) << algorithm;
        }
      }
    }
}

}  // namespace
}  // namespace quantimed

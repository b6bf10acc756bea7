// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.hpp"
#include "engine/engine.hpp"
#include "engine/small_run.hpp"
#include "machine/placement.hpp"
#include "timing/chunk_costs.hpp"
#include "timing/deadline_rule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace quantimed {
namespace {

ChunkCosts microsecond_a_sample() {
  ChunkCosts costs;
  for (std::size_t chunk = 1; chunk <= ChunkCosts::kLargest; chunk *= 2)
    costs.warm_up(chunk, 1e-6 * static_cast<double>(chunk));
  return costs;
}

TEST(ChunkCosts, StartOnlyWhatIsExpectedToEndInTime) {
  ChunkCosts costs = microsecond_a_sample();
  EXPECT_EQ(costs.fitting(1, 0), ChunkCosts::kLargest);
  EXPECT_EQ(costs.fitting(20.5e-6, 0), 16u);
  EXPECT_EQ(costs.fitting(1.5e-6, 0), 1u);
  EXPECT_EQ(costs.fitting(0.5e-6, 0), 0u);
  costs.learn(1, 1);  // one outlier moves the average by a tenth at most
  EXPECT_LT(costs.expected(1), 1.2e-6);
}

TEST(ChunkCosts, UncertainChunksNeedSlack) {
  ChunkCosts costs = microsecond_a_sample();
  for (int k = 0; k < 200; ++k) costs.learn(16, k % 2 == 0 ? 14e-6 : 18e-6);  // mean deviation about 2 us
  EXPECT_EQ(costs.fitting(20e-6, 0), 8u);
  EXPECT_EQ(costs.fitting(20e-6, 10e-6), 16u);
  EXPECT_EQ(costs.fitting(12e-6, 10e-6), 8u);  // slack is for the rare case, not for the expected one
}

TEST(ChunkCosts, AreLongBesideAReadOfTheClock) {
  ChunkCosts costs = microsecond_a_sample();
  costs.warmed_up(50e-9);  // a hundred reads: 5 us
  EXPECT_EQ(costs.smallest(), 8u);
  EXPECT_EQ(costs.fitting(7e-6, 0), 0u);
  EXPECT_EQ(costs.fitting(9e-6, 0), 8u);
}

TEST(ChunkCosts, AnEstimateThatWasTooHighFades) {
  ChunkCosts costs = microsecond_a_sample();
  int rounds = 0;
  for (; costs.fitting(0.5e-6, 0) == 0; ++rounds) costs.doubt();
  EXPECT_NEAR(rounds, std::log(2) / 0.01, 2);
}

TEST(Deadline, IsReadStrictly) {
  EXPECT_EQ(parse_deadline("0.25", 50).fixed_s, 0.25);
  EXPECT_EQ(parse_deadline("auto", 50).batch, 50);
  EXPECT_EQ(parse_deadline("auto:20", 50).batch, 20);
  EXPECT_EQ(parse_deadline("auto:quantile:0.9", 50).quantile, 0.9);
  EXPECT_EQ(parse_deadline("auto:quantile:0.9", 50).batch, 50);
  for (const char* bad : {"0", "-1", "soon", "auto:", "auto:0", "auto:quantile:", "auto:quantile:1", "1s", "inf"})
    EXPECT_THROW(parse_deadline(bad, 50), InputError) << bad;
}

TEST(Deadline, OfModelledSpeedsGivesTheMeanBatchOrTheShareThatFinishes) {
  const auto speed = make_speed_model("uniform:10,90", 3);
  const auto share = [&](Seconds deadline, double batch) {
    int finished = 0, all = 0;
    for (Round t = 1000; t < 2000; ++t)  // others than the deadline was chosen from
      for (NodeId i = 0; i < 50; ++i, ++all) finished += speed->speed(i, t) * deadline >= batch;
    return finished / static_cast<double>(all);
  };
  EXPECT_EQ(modelled_deadline({.fixed_s = 7}, *speed, 50), 7);
  EXPECT_DOUBLE_EQ(modelled_deadline({.batch = 20}, *speed, 50), 0.4);
  for (const double q : {0.1, 0.5, 0.9})
    EXPECT_NEAR(share(modelled_deadline({.batch = 20, .quantile = q}, *speed, 50), 20), q, 0.01);
}

TEST(AdaptiveDeadline, FollowsTheSpeedsAndForgetsOldOnes) {
  AdaptiveDeadline deadline({.batch = 50, .adapts = true}, 3);
  EXPECT_EQ(deadline.next(3), 3);
  deadline.observe(0);  // not known
  EXPECT_EQ(deadline.next(3), 3);
  for (int k = 0; k < 100; ++k) deadline.observe(100);
  EXPECT_DOUBLE_EQ(deadline.next(3), 0.5);
  for (int k = 0; k < 64; ++k) deadline.observe(200);
  EXPECT_DOUBLE_EQ(deadline.next(3), 0.25);
}

TEST(AdaptiveDeadline, IsNotMovedFarByAHiccup) {
  AdaptiveDeadline deadline({.batch = 50, .adapts = true}, 3);
  for (int k = 0; k < 63; ++k) deadline.observe(100 + k % 5);
  const Seconds before = deadline.next(1);
  deadline.observe(1e6);
  EXPECT_NEAR(deadline.next(1), before, 0.002 * before);
}

TEST(AdaptiveDeadline, TakesTheQuantileOfWhatItSaw) {
  AdaptiveDeadline deadline({.batch = 50, .quantile = 0.75, .adapts = true}, 3);
  for (const double speed : {10, 20, 30, 40, 50}) deadline.observe(speed);
  EXPECT_DOUBLE_EQ(deadline.next(1), 50.0 / 20);
}

double mean_batch(const Rounds& rounds, Round from) {
  double sum = 0;
  std::size_t count = 0;
  for (std::size_t at = from * rounds.nodes; at < rounds.batch.size(); ++at) sum += rounds.batch[at], ++count;
  return sum / static_cast<double>(count);
}

TEST(VirtualEngine, AdaptsTheDeadlineToTheNeighbourhoodAlikeWithTwoWorkers) {
  const SmallRun small("quantimed-dsgd", 20, "complete");
  auto run = small.run();
  run.deadline = {.fixed_s = 40, .batch = 20, .adapts = true};  // a hundred times too long at first
  run.iterations = 200;
  KeepingWatcher watcher = small.watcher(), again = small.watcher();
  const Rounds rounds = run_virtual(run, watcher).rounds.all();
  EXPECT_EQ(rounds.deadline[0], 40);
  EXPECT_NEAR(mean_batch(rounds, 20), 19.5, 1.5);  // 20 less the half sample that is cut off
  run.threads = 2;
  EXPECT_EQ(run_virtual(run, again).rounds.all().deadline, rounds.deadline);
}

TEST(ThreadsEngine, MeasuresTheDeadlineThatGivesTheBatchAskedFor) {
  const SmallRun small("quantimed-dsgd", 2);
  auto run = small.run();
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  run.deadline = {.batch = 200};
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = run_threads(run, watcher);
  const double chosen = number(outcome.measured, "deadline_s", 0);
  EXPECT_GT(chosen, 0);
  for (const float deadline : outcome.rounds.all().deadline) EXPECT_EQ(deadline, static_cast<float>(chosen));
  if (usable_cores().size() < 2) GTEST_SKIP() << "two nodes on one core compute half of the time";
  // Far from exact, since others may use these cores: what a wrong unit or formula would give is farther off.
  EXPECT_GT(mean_batch(outcome.rounds.all(), 0), 20);
  EXPECT_LT(mean_batch(outcome.rounds.all(), 0), 2000);
}

// Node 0 is so slow that the deadline never leaves it a sample: it counts as slow, not as fast, for its neighbours.
TEST(ThreadsEngine, ANodeWithoutASampleDoesNotShortenTheDeadline) {
  const SmallRun small("quantimed-dsgd", 2);
  const auto slow = make_speed_model("slow-nodes:1,1000,20000", 1);
  auto run = small.run();
  run.speed = slow.get();
  run.link = {};
  run.oversubscribe = true;
  run.deadline = {.fixed_s = 1e-3, .batch = 20, .adapts = true};
  KeepingWatcher on_threads = small.watcher(), in_virtual = small.watcher();
  const Rounds rounds = run_threads(run, on_threads).rounds.all();
  EXPECT_EQ(rounds.batch[0], 0);
  for (const float deadline : rounds.deadline) EXPECT_GE(deadline, 0.9e-3f);
  const Rounds predicted = run_virtual(run, in_virtual).rounds.all();
  EXPECT_EQ(predicted.batch[0], 0);
  for (const float deadline : predicted.deadline) EXPECT_GE(deadline, 0.9e-3f);
}

// The speed asked for is not rounded to float before the batch is counted.
TEST(ThreadsEngine, AWholeBatchIsNotLostToRounding) {
  const SmallRun small("quantimed-dsgd", 2);
  const auto speed = make_speed_model("constant:9000.1", 1);
  auto run = small.run();
  run.speed = speed.get();
  run.link = {};
  run.oversubscribe = true;
  run.iterations = 5;
  run.deadline = {.fixed_s = 9 / 9000.1, .slack_s = 1};
  KeepingWatcher watcher = small.watcher();
  const Rounds rounds = run_threads(run, watcher).rounds.all();
  EXPECT_EQ(*std::max_element(rounds.batch.begin(), rounds.batch.end()), 9);
}

// Whatever the scheduler does: a node leaves after the deadline, and overshoot is what the last sample overran.
TEST(ThreadsEngine, RecordsWhatItDidWithTheDeadline) {
  const SmallRun small("quantimed-dsgd", 2);
  auto run = small.run();
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  for (const bool adapts : {false, true}) {
    run.deadline = {.fixed_s = 2e-3, .batch = 50, .adapts = adapts, .slack_s = 1e-5};
    KeepingWatcher watcher = small.watcher();
    const Rounds rounds = run_threads(run, watcher).rounds.all();
    for (std::size_t at = 0; at < rounds.batch.size(); ++at) {
      EXPECT_GE(rounds.compute_time[at], rounds.deadline[at] * 0.99999f);
      EXPECT_GE(rounds.overshoot[at], -rounds.deadline[at]);
      EXPECT_LE(rounds.overshoot[at], rounds.compute_time[at] - rounds.deadline[at] + 1e-6f);
    }
    EXPECT_EQ(rounds.deadline[0], 2e-3f);
    if (adapts) {
      EXPECT_NE(rounds.deadline.back(), 2e-3f);
    }
  }
}

// ---- predicting a machine ---------------------------------------------------------------------------------

const MachineCosts kMachine = {.gradient = {{10, 1e-3}, {20, 1.5e-3}, {40, 3e-3}},
                               .deadline_sample_s = 1e-4,
                               .encode_s = 2e-4,
                               .publish_s = 1e-5,
                               .latency_s = 2e-5,
                               .receive_s = 4e-5,
                               .mix = {{1, 1e-4}, {2, 1.5e-4}},
                               .record_s = 3e-5};

TEST(MachineCosts, AreLinearBetweenPointsAndBeyond) {
  EXPECT_DOUBLE_EQ(kMachine.gradient_time(5), 0.5e-3);
  EXPECT_DOUBLE_EQ(kMachine.gradient_time(10), 1e-3);
  EXPECT_DOUBLE_EQ(kMachine.gradient_time(15), 1.25e-3);
  EXPECT_DOUBLE_EQ(kMachine.gradient_time(30), 2.25e-3);
  EXPECT_DOUBLE_EQ(kMachine.gradient_time(60), 4.5e-3);
  EXPECT_DOUBLE_EQ(kMachine.mix_time(4), 2.5e-4);
}

TEST(VirtualEngine, OnAMachineARoundIsTheSumOfItsCosts) {
  const SmallRun small("dsgd", 4);
  auto run = small.run();
  run.speed = nullptr;
  run.link = {};
  run.machine = &kMachine;
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = run_virtual(run, watcher);
  const double round =
      2e-4 + 1e-5 + 1.5e-3 + 4e-5 + 1.5e-4 + 3e-5;  // batch 20; the neighbours' messages are there long before
  EXPECT_NEAR(outcome.end_time, 30 * round, 1e-9);
}

TEST(VirtualEngine, OnAMachineALinkIsWaitedForOnlyBeyondTheGradient) {
  const SmallRun small("dsgd", 4);
  auto run = small.run();
  run.speed = nullptr;
  run.machine = &kMachine;
  run.link = parse_link("alpha-beta:5e-3,1e12");
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = run_virtual(run, watcher);
  EXPECT_NEAR(outcome.end_time, 30 * (2e-4 + 5e-3 + 1.5e-4 + 3e-5), 1e-6);
  EXPECT_NEAR(outcome.rounds.all().exchange_time[0], 5e-3 - 1e-5 - 1.5e-3 - 4e-5,
              1e-7);  // runs beside publish and gradient
}

TEST(VirtualEngine, OnAMachineAsynchronousNodesPayForEachStep) {
  const SmallRun small("async-dsgd", 4);
  auto run = small.run();
  run.speed = nullptr;
  run.link = {};
  run.machine = &kMachine;
  KeepingWatcher watcher = small.watcher();
  const Rounds rounds = run_virtual(run, watcher).rounds.all();
  const double update = 1.5e-3 + 4e-5 + 1.5e-4 + 2e-4 + 1e-5 + 3e-5;
  for (std::size_t t = 0; t + 1 < rounds.iterations; ++t)
    EXPECT_NEAR(rounds.start_time[t * rounds.nodes], static_cast<double>(t) * update, 1e-8);
}

}  // namespace
}  // namespace quantimed

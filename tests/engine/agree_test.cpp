// SPDX-License-Identifier: BSD-3-Clause
// The same text on both engines, and on any number of workers: the same bits.
#include "engine/agreement.hpp"
#include "engine/small_run.hpp"

#include "base/error.hpp"
#include "machine/placement.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quantimed {
namespace {

class EveryAlgorithm : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Table, EveryAlgorithm, testing::ValuesIn(all_algorithms()), kAlgorithmAsName);

TEST_P(EveryAlgorithm, GivesTheSameBitsAndTimesWithOneAndTwoWorkers) {
  expect_same_with_one_and_two_workers(SmallRun(GetParam(), 12, "erdos-renyi:0.4"));
}

void expect_same_on_threads_and_in_virtual_time(const SmallRun& small, Run run) {
  KeepingWatcher in_virtual = small.watcher(), on_threads = small.watcher();
  run_virtual(run, in_virtual);
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  run_threads(run, on_threads);
  EXPECT_EQ(in_virtual.cuts.back().models, on_threads.cuts.back().models);
  if (small.row.delivery != Delivery::round) return;  // its points are spread over time, not over iterations
  ASSERT_EQ(in_virtual.cuts.size(), on_threads.cuts.size());
  for (std::size_t k = 0; k < in_virtual.cuts.size(); ++k) {
    EXPECT_EQ(in_virtual.cuts[k].iteration, on_threads.cuts[k].iteration);
    EXPECT_EQ(in_virtual.cuts[k].models, on_threads.cuts[k].models);
  }
}

TEST_P(EveryAlgorithm, FixedBatchesGiveTheSameBitsOnThreadsAndInVirtualTime) {
  const AlgorithmRow& row = find_algorithm(GetParam());
  if (row.uses_deadline) GTEST_SKIP() << "the batch is whatever the real deadline allows";
  // What `newest` finds in real time is up to the machine, unless there are no neighbours.
  const SmallRun small(GetParam(), row.delivery == Delivery::round ? 4 : 1);
  auto run = small.run();
  expect_same_on_threads_and_in_virtual_time(small, run);
  run.options.momentum = run.options.gamma = 0.5f;
  if (choose_other_form(row, run.options)) expect_same_on_threads_and_in_virtual_time(small, run);
}

TEST_P(EveryAlgorithm, LearnsOnBothEngines) {
  const SmallRun small(GetParam(), 2);
  auto run = small.run();
  run.penalty.lambda = 0;
  run.iterations = 300;
  // Of the better node: where they share a core an asynchronous one may hardly have had a turn when the run ends.
  const auto loss = [&](const KeepingWatcher::Kept& cut) {
    Workspace work = small.problem->make_workspace();
    double least = kForever;
    for (const auto& model : cut.models)
      least = std::min(least, small.problem->loss_sum(model, small.data, small.shards.rows, work).loss);
    return least;
  };
  KeepingWatcher in_virtual = small.watcher();
  run_virtual(run, in_virtual);
  EXPECT_LT(loss(in_virtual.cuts.back()), 0.9 * loss(in_virtual.cuts.front()));
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  run.deadline = {.fixed_s = 2e-3, .slack_s = 1};
  // How far an asynchronous run gets, and r-fast at all, depends on how often its nodes take turns on a busy machine:
  // it is long enough for two on one core, and one of twenty must get there.
  const bool waits = small.row.delivery != Delivery::newest;
  run.iterations = waits ? 300 : 5000;
  const double share = waits ? 0.9 : 0.99;
  bool has_learnt = false;
  for (int attempt = 0; attempt < (waits ? 1 : 20) && !has_learnt; ++attempt) {
    KeepingWatcher on_threads = small.watcher();
    run_threads(run, on_threads);
    has_learnt = loss(on_threads.cuts.back()) < share * loss(on_threads.cuts.front());
  }
  EXPECT_TRUE(has_learnt);
}

TEST_P(EveryAlgorithm, EndsAtTheTimeLimitOnBothEngines) {
  const SmallRun small(GetParam());
  auto run = small.run();
  run.iterations = 1000000;
  run.max_time = 100;
  KeepingWatcher in_virtual = small.watcher();
  const Outcome outcome = run_virtual(run, in_virtual);
  EXPECT_GE(outcome.end_time, 100 - 1e-9);
  EXPECT_LT(outcome.end_time, 120);
  EXPECT_GE(in_virtual.cuts.size(), 7u);
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  run.deadline.fixed_s = 1e-3;
  run.max_time = 0.1;
  KeepingWatcher on_threads = small.watcher();
  EXPECT_GE(run_threads(run, on_threads).end_time, 0.1);
  EXPECT_GE(on_threads.cuts.size(), 2u);
}

TEST_P(EveryAlgorithm, StopsWhenAsked) {
  const SmallRun small(GetParam());
  auto run = small.run();
  run.iterations = 1000000;
  KeepingWatcher watcher = small.watcher();
  watcher.stop = true;
  EXPECT_TRUE(run_virtual(run, watcher).interrupted);
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  run.deadline.fixed_s = 1e-3;
  KeepingWatcher on_threads = small.watcher();
  on_threads.stop = true;
  EXPECT_TRUE(run_threads(run, on_threads).interrupted);
}

TEST_P(EveryAlgorithm, EndsWhenTheWatcherHasSeenEnough) {
  const SmallRun small(GetParam());
  KeepingWatcher watcher = small.watcher();
  watcher.most_cuts = 3;
  run_virtual(small.run(), watcher);
  EXPECT_LE(watcher.cuts.size(), 4u);
}

TEST_P(EveryAlgorithm, RecordsAddUp) {
  const SmallRun small(GetParam(), 6, "complete");
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = run_virtual(small.run(), watcher);
  const Rounds r = outcome.rounds.all();
  for (std::size_t i = 0; i < r.nodes; ++i)
    for (std::size_t t = 0; t + 1 < r.iterations; ++t) {
      const std::size_t at = t * r.nodes + i, next = at + r.nodes;
      if (std::isnan(r.start_time[next])) continue;
      const double sum = r.start_time[at] + static_cast<double>(r.compute_time[at]) +
                         static_cast<double>(r.wait_time[at]) + static_cast<double>(r.exchange_time[at]);
      EXPECT_NEAR(sum, r.start_time[next], 1e-4);
    }
}

TEST(VirtualEngine, SparseGraphRunsAheadAndStillAgreesWithAPlainOrder) {
  // 64 nodes in a ring: workers run several rounds ahead of each other between two holds.
  const SmallRun small("q-dsgd", 64);
  auto run = small.run();
  run.evaluations = 1;
  KeepingWatcher ahead = small.watcher(), in_step = small.watcher();
  run.threads = 2;
  run_virtual(run, ahead);
  run.evaluations = 30;  // held after every round
  run.threads = 1;
  run_virtual(run, in_step);
  EXPECT_EQ(ahead.cuts.back(), in_step.cuts.back());
}

TEST(ThreadsEngine, MoreNodesThanCoresIsInvalidAndNeedsToBeAskedFor) {
  const SmallRun small("dsgd", 64);
  auto run = small.run();
  run.speed = nullptr;
  run.link = {};
  run.iterations = 3;
  KeepingWatcher watcher = small.watcher();
  if (usable_cores().size() >= 64) GTEST_SKIP() << "this machine has a core for each of 64 nodes";
  EXPECT_THROW(run_threads(run, watcher), InputError);
  run.oversubscribe = true;
  EXPECT_FALSE(run_threads(run, watcher).verdict.is_valid());
}

TEST(ThreadsEngine, ANodeThatThrowsEndsTheRun) {
  const SmallRun small("dsgd");
  static constexpr AlgorithmRow kBroken{.name = "broken",
                                        .help = "",
                                        .run = [](Node& node, const Options&) -> Task {
                                          (void)node.begins(0);
                                          node.publish({0}, formula::x);
                                          co_await node.newest({0});  // not its delivery
                                        },
                                        .delivery = Delivery::round,
                                        .quantizes = false,
                                        .uses_epsilon = false,
                                        .uses_deadline = false,
                                        .goes_on_without = false,
                                        .alpha = "1",
                                        .epsilon = "1",
                                        .sends_its_model = true};
  auto broken = small.run_with(kBroken, *small.codec);
  broken.speed = nullptr;
  broken.link = {};
  broken.penalty = {};
  broken.iterations = 3;
  broken.oversubscribe = true;
  KeepingWatcher watcher = small.watcher();
  EXPECT_THAT(run_threads(broken, watcher).failure,
              testing::AllOf(testing::HasSubstr("failed in round 0"), testing::HasSubstr("asked for as neighbours()")));
}

// modulo decodes to low-precision's numbers, so the whole trajectory is the same while no block is decoded wrongly.
TEST_P(EveryAlgorithm, ModuloGoesLowPrecisionsWayWithFewerBits) {
  if (!find_algorithm(GetParam()).quantizes) GTEST_SKIP() << "sends exact models";
  const auto end_of = [&](const char* codec, Outcome& outcome) {
    const SmallRun small(GetParam(), 6, "complete", codec);
    KeepingWatcher watcher = small.watcher();
    auto run = small.run();
    if (small.row.delivery != Delivery::round) run.link = {};  // longer messages would be another order of events
    outcome = run_virtual(run, watcher);
    return watcher.cuts.back().models;
  };
  Outcome low_precision, enough, too_few;
  const auto models = end_of("low-precision:1e-3", low_precision);
  EXPECT_EQ(end_of("modulo:1e-3,14", enough), models);
  EXPECT_EQ(enough.violations, 0u);
  EXPECT_NE(end_of("modulo:1e-3,3", too_few), models);
  EXPECT_GT(too_few.violations, 0u);
}

TEST(ThreadsEngine, StragglersTakeTheTimeThatTheirSpeedAsksFor) {
  const SmallRun small("dsgd", 2);
  auto run = small.run();
  const auto slow = make_speed_model("slow-nodes:1,2,20000", 1);  // node 0: 10,000 samples a second, node 1: 20,000
  run.speed = slow.get();
  run.link = {};
  run.oversubscribe = true;
  KeepingWatcher watcher = small.watcher();
  const Rounds rounds = run_threads(run, watcher).rounds.all();
  for (std::size_t t = 0; t < rounds.iterations; ++t) {
    EXPECT_GE(rounds.compute_time[2 * t], 20 / 10000.0f * 0.9999f);
    EXPECT_GE(rounds.compute_time[2 * t + 1], 20 / 20000.0f * 0.9999f);
  }
}

Seconds longest_iteration(const Rounds& r) {
  Seconds longest = 0;
  for (std::size_t next = r.nodes; next < r.start_time.size(); ++next)
    if (!std::isnan(r.start_time[next])) longest = std::max(longest, r.start_time[next] - r.start_time[next - r.nodes]);
  return longest;
}

TEST(ThreadsEngine, ADelayedLinkDelaysBothDeliveries) {
  for (const char* algorithm : {"dsgd", "async-dsgd"}) {
    const SmallRun small(algorithm, 2);
    auto run = small.run();
    const auto paced = make_speed_model("constant:20000", 1);  // a millisecond an update: a few messages under way
    run.speed = paced.get();
    run.link = parse_link("alpha-beta:0.003,1e9");
    run.oversubscribe = true;
    run.iterations = 100;
    KeepingWatcher watcher = small.watcher();
    const Outcome outcome = run_threads(run, watcher);
    if (longest_iteration(outcome.rounds.all()) < 0.03) {  // no node lost its core for as long as its mailbox can hold
      EXPECT_THAT(outcome.verdict.why(), testing::Not(testing::HasSubstr("dropped")));
    }
    if (small.row.delivery == Delivery::round) {
      EXPECT_GE(outcome.end_time, 100 * 0.003);
    } else {  // but for the first message, which is there at once, none is younger than the link is long
      const Rounds r = outcome.rounds.all();
      int delayed = 0;
      for (std::size_t at = 0; at < r.staleness.size(); ++at)
        if (const std::size_t t = at / r.nodes; r.staleness[at] < static_cast<float>(t)) {
          EXPECT_GE(r.message_age[at], 0.003f);
          ++delayed;
        }
      EXPECT_GT(delayed, 0);
    }
  }
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Nodes spread over ranks that are threads of one process: the same bits, and nothing torn, lost or left over.
#include "engine/agreement.hpp"
#include "engine/layout.hpp"
#include "engine/loopback.hpp"
#include "engine/small_run.hpp"
#include "engine/spread/fleet.hpp"

#include "base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace quantimed {
namespace {

Run in_real_time(Run run) {
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  return run;
}

// As `ranks` processes would do it. What rank 0 throws is thrown.
Outcome run_on(Rank ranks, const Run& run, Watcher& watcher, bool is_late = false) {
  Loopback loopback(ranks);
  loopback.is_late = is_late;
  std::vector<std::jthread> others;
  for (Rank r = 1; r < ranks; ++r)
    others.emplace_back([&, r] {
      Fleet fleet(loopback[r]);
      Run its_own = run;  // which has no rounds from before
      std::optional<Resume> resume;
      if (run.resume) resume.emplace(Resume{"", run.resume->checkpoint, {}, run.resume->recording});
      its_own.resume = resume ? &*resume : nullptr;
      try {
        follow_spread(its_own, fleet);
      } catch (const Abandoned&) {
      }
    });
  Fleet fleet(loopback[0]);
  Outcome outcome = run_spread(run, watcher, fleet);
  others.clear();
  EXPECT_EQ(loopback.left_over(), 0u);
  return outcome;
}

TEST(Layout, DealsNodesInBlocksThatDifferByOneAtMost) {
  for (const std::uint32_t nodes : {1u, 2u, 5u, 12u, 97u, 1000u})
    for (Rank ranks = 1; ranks <= std::min(nodes, 13u); ++ranks) {
      NodeId next = 0;
      for (Rank r = 0; r < ranks; ++r) {
        const Layout layout{nodes, ranks, r};
        EXPECT_EQ(layout.first(), next);
        EXPECT_GE(layout.here(), nodes / ranks);
        EXPECT_LE(layout.here(), nodes / ranks + 1);
        for (NodeId i = layout.first(); i < layout.last(); ++i) EXPECT_EQ(layout.rank_of(i), r);
        next = layout.last();
      }
      EXPECT_EQ(next, nodes);
    }
}

class EveryAlgorithmSpread : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Table, EveryAlgorithmSpread, testing::ValuesIn(all_algorithms()), kAlgorithmAsName);

TEST_P(EveryAlgorithmSpread, FixedBatchesGiveTheBitsOfVirtualTimeAndOfThreads) {
  const AlgorithmRow& row = find_algorithm(GetParam());
  if (row.uses_deadline) GTEST_SKIP() << "the batch is whatever the real deadline allows";
  if (row.delivery != Delivery::round) GTEST_SKIP() << "what it finds in real time is up to the machine";
  const SmallRun small(GetParam(), 5);  // over two ranks a node has no neighbour elsewhere, and over four all have
  KeepingWatcher in_virtual = small.watcher(), on_threads = small.watcher();
  run_virtual(small.run(), in_virtual);
  const auto run = in_real_time(small.run());
  run_threads(run, on_threads);
  const auto expect_same = [&](const KeepingWatcher& watcher, Rank ranks) {
    ASSERT_EQ(watcher.cuts.size(), in_virtual.cuts.size()) << ranks;
    for (std::size_t k = 0; k < watcher.cuts.size(); ++k) {
      EXPECT_EQ(watcher.cuts[k].iteration, in_virtual.cuts[k].iteration) << ranks;
      EXPECT_EQ(watcher.cuts[k].models, in_virtual.cuts[k].models) << ranks << " ranks, cut " << k;
    }
  };
  expect_same(on_threads, 0);
  for (const Rank ranks : {1u, 2u, 4u}) {
    KeepingWatcher spread = small.watcher();
    const Outcome outcome = run_on(ranks, run, spread, ranks == 4);
    EXPECT_EQ(outcome.failure, "");
    expect_same(spread, ranks);
    EXPECT_EQ(outcome.rounds.iterations(), 30u);
  }
}

TEST_P(EveryAlgorithmSpread, EndsAtTheTimeLimitAndWhenAsked) {
  const SmallRun small(GetParam(), 4);
  if (small.row.delivery == Delivery::pairwise) GTEST_SKIP() << "works within one rank";
  auto run = in_real_time(small.run());
  run.iterations = 1000000;
  run.deadline.fixed_s = 1e-3;
  KeepingWatcher asked = small.watcher();
  asked.stop_after = 3;
  const Outcome stopped = run_on(2, run, asked);
  EXPECT_TRUE(stopped.interrupted);
  ASSERT_TRUE(stopped.checkpoint.has_value());
  EXPECT_EQ(stopped.checkpoint->models.size(), 4 * small.problem->dimension());
  run.max_time = 0.2;
  KeepingWatcher watcher = small.watcher();
  EXPECT_GE(run_on(2, run, watcher).end_time, 0.2);
  EXPECT_GE(watcher.cuts.size(), 2u);
}

// Every graph that changes with the messages, in parts that all of its links cross.
TEST(Spread, SchedulesGiveTheBitsOfVirtualTime) {
  for (const char* algorithm : {"sgp", "dsgd"})
    for (const char* graph : {"one-peer-exponential", "random-matching", "directed-exponential"}) {
      const AlgorithmRow& row = find_algorithm(algorithm);
      if (std::string(graph) != "random-matching" && row.graph.symmetric) continue;
      if (row.graph.fixed) continue;
      const SmallRun small(algorithm, 8, graph);
      KeepingWatcher in_virtual = small.watcher(), spread = small.watcher();
      run_virtual(small.run(), in_virtual);
      for (const Rank ranks : {2u, 8u}) {
        KeepingWatcher watcher = small.watcher();
        EXPECT_EQ(run_on(ranks, in_real_time(small.run()), watcher, true).failure, "");
        ASSERT_EQ(watcher.cuts.size(), in_virtual.cuts.size());
        for (std::size_t k = 0; k < watcher.cuts.size(); ++k)
          EXPECT_EQ(watcher.cuts[k].models, in_virtual.cuts[k].models) << graph << ", " << ranks << " ranks, cut " << k;
      }
    }
}

TEST(Spread, NewestNeverGoesBackAndCountsWhatItHasNotSeen) {
  const SmallRun small("async-dsgd", 4, "complete");
  auto run = in_real_time(small.run());
  run.iterations = 2000;
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = run_on(2, run, watcher);
  EXPECT_EQ(outcome.failure, "");
  const Rounds r = outcome.rounds.all();
  double updates = 0;
  for (std::size_t at = 0; at < r.batch.size(); ++at) updates += !std::isnan(r.batch[at]);
  EXPECT_GE(updates, 4 * 2000);
  for (const float seen : r.overwritten) EXPECT_FALSE(seen < 0);
}

TEST(Spread, AResumedRunGivesTheBitsOfOneThatWasNeverStopped) {
  for (const char* algorithm : {"dsgd", "gossip-pga", "relaysgd", "d2"}) {
    const SmallRun small(algorithm, 5);
    auto run = in_real_time(small.run());
    run.iterations = 600;
    KeepingWatcher whole = small.watcher(), first = small.watcher(), second = small.watcher();
    auto in_virtual = small.run();
    in_virtual.iterations = run.iterations;
    run_virtual(in_virtual, whole);
    first.stop_after = 0;
    Outcome stopped = run_on(2, run, first);
    if (!stopped.checkpoint) continue;  // the machine was too quick
    Resume resume{"trace", *stopped.checkpoint, stopped.rounds.all(), stopped.recording};
    run.resume = &resume;
    const Outcome ended = run_on(4, run, second);
    EXPECT_EQ(ended.failure, "");
    EXPECT_EQ(second.cuts.back().models, whole.cuts.back().models) << algorithm;
    EXPECT_EQ(ended.rounds.iterations(), 600u);
  }
}

TEST(Spread, ANodeThatThrowsEndsTheRunInAllProcesses) {
  static constexpr AlgorithmRow kBroken{.name = "broken",
                                        .help = "",
                                        .run = [](Node& node, const Options& o) -> Task {
                                          for (Round t = 0; node.begins(t); ++t) {
                                            node.publish({0}, formula::x);
                                            co_await node.gradient(o.batch);
                                            if (t == 5) throw InternalError("no more");
                                            co_await node.neighbours({0});
                                            node.pass({{formula::x, formula::x}});
                                          }
                                        },
                                        .delivery = Delivery::round,
                                        .quantizes = false,
                                        .uses_epsilon = false,
                                        .uses_deadline = false,
                                        .goes_on_without = false,
                                        .alpha = "1",
                                        .epsilon = "1",
                                        .sends_its_model = true};
  const SmallRun small("dsgd");
  const auto run = in_real_time(small.run_with(kBroken, *small.codec));
  KeepingWatcher watcher = small.watcher();
  EXPECT_THAT(run_on(2, run, watcher).failure, testing::HasSubstr("failed in round 5: no more"));
}

TEST(Spread, WhatCannotBeIsRefusedByRankZeroAndAbandonedByTheOthers) {
  const SmallRun small("dsgd", 3);
  KeepingWatcher watcher = small.watcher();
  EXPECT_THROW(run_on(4, in_real_time(small.run()), watcher), InputError);  // a rank without a node
  const SmallRun pairs("ad-psgd", 4);
  EXPECT_THROW(run_on(2, in_real_time(pairs.run()), watcher), InputError);
}

}  // namespace
}  // namespace quantimed

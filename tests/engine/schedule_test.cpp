// SPDX-License-Identifier: BSD-3-Clause
// Graphs that are directed, or another for every message: the same bits on every engine, and what theory says of them.
#include "engine/agreement.hpp"
#include "engine/small_run.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>
#include <tuple>

namespace quantimed {
namespace {

using Models = std::vector<std::vector<float>>;

class EverySchedule : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  static constexpr std::uint32_t kNodes = 5;  // random-matching leaves one over
  const char* algorithm() const { return std::get<0>(GetParam()); }
  const char* graph() const { return std::get<1>(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Table, EverySchedule,
                         testing::Combine(testing::Values("dsgd", "dsgd-atc", "sgp", "dsgt-atc", "aug-dgm",
                                                          "gossip-pga", "deepsqueeze", "amb"),
                                          testing::Values("one-peer-exponential", "random-matching",
                                                          "directed-exponential")),
                         [](const auto& test) {
                           std::string name = fmt::format("{}_{}", std::get<0>(test.param), std::get<1>(test.param));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

Run oversubscribed(Run run) {
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  return run;
}

void expect_same_on_threads(const SmallRun& small) {
  auto run = small.run();
  run.iterations = 200;
  KeepingWatcher in_virtual = small.watcher(), in_real_time = small.watcher();
  run_virtual(run, in_virtual);
  run_threads(oversubscribed(run), in_real_time);
  ASSERT_EQ(in_virtual.cuts.size(), in_real_time.cuts.size());
  for (std::size_t k = 0; k < in_virtual.cuts.size(); ++k)
    EXPECT_EQ(in_virtual.cuts[k].models, in_real_time.cuts[k].models) << k;
}

TEST_P(EverySchedule, GivesTheSameBitsAndTimesWithOneAndTwoWorkers) {
  expect_same_with_one_and_two_workers(SmallRun(algorithm(), 9, graph()));
}

TEST_P(EverySchedule, FixedBatchesGiveTheSameBitsOnThreadsAndInVirtualTime) {
  const SmallRun small(algorithm(), kNodes, graph());
  if (small.row.uses_deadline) GTEST_SKIP() << "the batch is whatever the real deadline allows";
  expect_same_on_threads(small);
}

// A constant graph with links of a direction, of which one node hears three, and one none but the last.
TEST(DirectedFile, GivesTheSameBitsOnBothEngines) {
  const std::string path = testing::TempDir() + "quantimed_directed.txt";
  std::ofstream(path) << "0 1\n1 2\n2 3\n3 4\n4 0\n0 3\n1 3\n";
  const SmallRun small("sgp", 5, "directed-file:" + path);
  expect_same_with_one_and_two_workers(small);
  expect_same_on_threads(small);
  std::filesystem::remove(path);
}

// Whoever sees first that time is up must not let anybody end earlier than another has begun.
TEST_P(EverySchedule, EndsWithOneRoundAtTheTimeLimitOnThreads) {
  for (int repeat = 0; repeat < 5; ++repeat) {
    const SmallRun small(algorithm(), kNodes, graph());
    auto run = oversubscribed(small.run());
    run.iterations = 1000000;
    run.deadline.fixed_s = 1e-3;
    run.max_time = 0.03;
    KeepingWatcher watcher = small.watcher();
    const Outcome outcome = run_threads(run, watcher);
    EXPECT_EQ(outcome.failure, "");
    EXPECT_GE(outcome.end_time, 0.03);
    const Rounds rounds = outcome.rounds.all();
    for (const double start : rounds.start_time) EXPECT_FALSE(std::isnan(start));
  }
}

TEST_P(EverySchedule, IsResumedWithTheBitsOfARunThatWasNeverStopped) {
  const SmallRun small(algorithm(), kNodes, graph());
  auto run = small.run();
  KeepingWatcher whole = small.watcher();
  const Outcome expected = run_virtual(run, whole);
  for (const std::size_t moment : {0, 2, 3}) {
    KeepingWatcher before = small.watcher(), after = small.watcher();
    before.stop_after = moment;
    const Outcome stopped = run_virtual(run, before);
    ASSERT_TRUE(stopped.checkpoint.has_value()) << moment;
    Resume resume{"a.h5", *stopped.checkpoint, stopped.rounds.all()};
    run.resume = &resume;
    run.threads = 2;
    const Outcome resumed = run_virtual(run, after);
    run.resume = nullptr;
    run.threads = 1;
    EXPECT_EQ(resumed.end_time, expected.end_time) << moment;
    EXPECT_EQ(resumed.rounds.all().bytes_sent, expected.rounds.all().bytes_sent) << moment;
    ASSERT_FALSE(after.cuts.empty());
    EXPECT_EQ(after.cuts.back(), whole.cuts.back()) << moment;
  }
}

Models last_models(const char* algorithm, std::uint32_t nodes, const char* graph, const char* mixing = "laplacian") {
  SmallRun small(algorithm, nodes, graph);
  small.network = make_network(parse_graph(graph), parse_mixing(mixing), nodes, 1);
  KeepingWatcher watcher = small.watcher();
  run_virtual(small.run(), watcher);
  return watcher.cuts.back().models;
}

// Where a schedule is a static graph with equal weights.
TEST(Schedule, OfTwoOrThreeNodesGivesTheBitsOfACompleteGraph) {
  for (const char* algorithm : {"dsgd", "dsgd-atc", "sgp", "dsgt-atc", "amb"}) {
    for (const char* graph : {"one-peer-exponential", "random-matching", "directed-exponential"})
      EXPECT_EQ(last_models(algorithm, 2, graph), last_models(algorithm, 2, "complete", "metropolis")) << algorithm;
    EXPECT_EQ(last_models(algorithm, 3, "directed-exponential"), last_models(algorithm, 3, "complete", "metropolis"))
        << algorithm;
  }
}

TEST(Schedule, PushSumIsDsgdOnOnePeerExponential) {
  for (const std::uint32_t n : {6u, 8u})
    EXPECT_EQ(last_models("sgp", n, "one-peer-exponential"), last_models("dsgd-atc", n, "one-peer-exponential")) << n;
  EXPECT_NE(last_models("sgp", 6, "one-peer-exponential"), last_models("sgp", 6, "directed-exponential"));
}

// How far nodes are apart after an iteration with three exchanges, against how far a model has gone.
double apart_after_one(std::uint32_t nodes, Round iterations) {
  const SmallRun small("amb", nodes, "one-peer-exponential");
  auto run = small.run();
  run.options.rounds = 3;
  run.iterations = iterations;
  run.evaluations = iterations;
  KeepingWatcher watcher = small.watcher();
  run_virtual(run, watcher);
  double apart = 0, gone = 0;
  const Models &before = watcher.cuts.front().models, &after = watcher.cuts.back().models;
  for (NodeId i = 0; i < nodes; ++i)
    for (std::size_t k = 0; k < after[i].size(); ++k) {
      apart = std::max(apart, std::abs(static_cast<double>(after[i][k]) - static_cast<double>(after[0][k])));
      gone = std::max(gone, std::abs(static_cast<double>(after[i][k]) - static_cast<double>(before[i][k])));
    }
  EXPECT_GT(gone, 0.01);
  return apart / gone;
}

TEST(Schedule, ThreeMessagesBringTheMeanOfEightNodesAndNotOfSix) {
  for (const Round iterations : {1u, 2u, 5u}) {
    EXPECT_LT(apart_after_one(8, iterations), 1e-5) << iterations;
    EXPECT_GT(apart_after_one(6, iterations), 1e-3) << iterations;
  }
}

TEST(Schedule, KeepsTheSumOfPushSumWeights) {
  for (const char* graph : {"one-peer-exponential", "random-matching", "directed-exponential"})
    for (const std::uint32_t n : {5u, 6u}) {
      const SmallRun small("sgp", n, graph);
      auto run = small.run();
      run.iterations = 2000;
      run.evaluations = 2000;
      KeepingWatcher watcher = small.watcher();
      watcher.stop_after = 1500;
      const Outcome outcome = run_virtual(run, watcher);
      ASSERT_TRUE(outcome.checkpoint.has_value());
      const auto& omega = outcome.checkpoint->scalars;
      ASSERT_EQ(omega.size(), n);
      EXPECT_NEAR(std::accumulate(omega.begin(), omega.end(), 0.0), n, 1e-3) << graph;
    }
}

// Two nodes of which one is slow: whom the fast one hears decides when it goes on.
TEST(Schedule, ChargesTheWaitForThoseWhoAreHeard) {
  const SmallRun small("dsgd-atc", 8, "one-peer-exponential");
  auto run = small.run();
  run.sync = Sync::neighbourhood;
  run.link = parse_link("none");
  run.iterations = 3;
  run.evaluations = 1;
  KeepingWatcher watcher = small.watcher();
  const Rounds rounds = run_virtual(run, watcher).rounds.all();
  const auto at = [](Round t, NodeId i) { return t * 8 + i; };
  for (Round t = 0; t + 1 < 3; ++t)
    for (NodeId i = 0; i < 8; ++i) {
      const NodeId heard = (i + 8 - (1u << t)) % 8;
      const auto done = [&](NodeId j) { return rounds.start_time[at(t, j)] + double{rounds.compute_time[at(t, j)]}; };
      EXPECT_NEAR(rounds.start_time[at(t + 1, i)], std::max(done(i), done(heard)), 1e-6) << t << ' ' << i;
    }
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The paper's clock against sums done by hand.
#include "engine/small_run.hpp"
#include "engine/virtual/virtual_clock.hpp"
#include "engine/virtual/virtual_engines.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace quantimed {
namespace {

// A path 0 – 1 – 2 as a star of three: node 0 is the centre.
struct Path {
  SmallRun small{"q-dsgd", 3, "star"};
  quantimed::Run run = small.run();
  Records records = Records(3, "");
  Charge paper{.wire_bits = false, .paper_bits = 3, .dimension = 100}, wire{true, 3, 100};
  void round(float a, float b, float c) {
    const float compute[] = {a, b, c};
    for (std::size_t i = 0; i < 3; ++i) {
      records[i].push_back({});
      records[i].back().compute = compute[i];
      records[i].back().bytes = 100;
    }
  }
};

TEST(VirtualClock, ABarrierRoundLastsAsLongAsItsSlowestNodePlusTheExchange) {
  Path path;
  VirtualClock clock(path.run, path.paper);
  path.round(1, 2, 5);
  clock.advance(path.records, 0);
  const double exchange = 3.0 * 3 / 16;  // T_c · s/16
  EXPECT_NEAR(clock.earliest(), 5 + exchange, 1e-6);
  EXPECT_EQ(clock.earliest(), clock.latest());
  EXPECT_NEAR(path.records[0][0].wait, 4, 1e-6);
  EXPECT_NEAR(path.records[2][0].wait, 0, 1e-6);
  EXPECT_NEAR(path.records[1][0].exchange, exchange, 1e-6);
}

TEST(VirtualClock, ANeighbourhoodWaitsForItsOwnOnly) {
  Path path;
  path.run.sync = Sync::neighbourhood;
  VirtualClock clock(path.run, path.paper);
  path.round(1, 2, 5);
  clock.advance(path.records, 0);
  const double exchange = 3.0 * 3 / 16;
  EXPECT_NEAR(clock.earliest(), 2 + exchange, 1e-6);  // node 1 hears of node 0 alone
  EXPECT_NEAR(clock.latest(), 5 + exchange, 1e-6);
  path.round(1, 1, 1);
  clock.advance(path.records, 1);
  EXPECT_NEAR(path.records[1][1].start, 2 + exchange, 1e-6);
  EXPECT_NEAR(path.records[1][1].wait, 3, 1e-5);  // for the centre, which had waited for node 2
}

TEST(VirtualClock, ChargesTheBitsOnTheWireWhenAsked) {
  Path path;
  VirtualClock clock(path.run, path.wire);
  path.round(1, 1, 1);
  clock.advance(path.records, 0);
  EXPECT_NEAR(clock.latest(), 1 + 3.0 * 8 / 16, 1e-6);  // 100 bytes for 100 coordinates
}

TEST(VirtualClock, AMessageOnAnAlphaBetaLinkTravelsWhileItsReceiverComputes) {
  Path path;
  path.run.link = parse_link("alpha-beta:2,100");  // 2 s + 100 bytes / 100 bytes/s = 3 s
  path.run.sync = Sync::neighbourhood;
  VirtualClock clock(path.run, path.wire);
  path.round(1, 4, 1);
  clock.advance(path.records, 0);
  EXPECT_NEAR(clock.earliest(), 3, 1e-6);  // nodes 0 and 2 wait for messages sent at 0
  EXPECT_NEAR(clock.latest(), 4, 1e-6);    // node 1 still computes
  EXPECT_NEAR(path.records[0][0].wait + path.records[0][0].exchange, 2, 1e-6);
}

TEST(VirtualClock, AnAlphaBetaLinkCarriesThePapersCountWhereThatIsCharged) {
  Path path;
  path.run.link = parse_link("alpha-beta:2,100");  // 3 bits of 100 coordinates are 37.5 bytes
  VirtualClock clock(path.run, path.paper);
  path.round(0.5, 1, 0.5);
  clock.advance(path.records, 0);
  EXPECT_NEAR(clock.latest(), 2 + 0.375, 1e-6);
}

// A clock that only passes a round ends where one does that fills its records, and leaves them as they are.
TEST(VirtualClock, PassesARoundWithoutARecord) {
  for (const char* link : {"paper:3", "alpha-beta:2,100", "none"})
    for (const Sync sync : {Sync::barrier, Sync::neighbourhood}) {
      Path path;
      path.run.link = parse_link(link);
      path.run.sync = sync;
      VirtualClock fills(path.run, path.wire), passes(path.run, path.wire);
      for (Round t = 0; t < 3; ++t) {
        path.round(1, static_cast<float>(2 + t), 5);
        passes.pass(path.records, t);
        EXPECT_EQ(path.records[0][t].start, 0);
        EXPECT_EQ(path.records[0][t].exchange, 0);
        fills.advance(path.records, t);
        EXPECT_EQ(fills.starts(), passes.starts());
      }
    }
}

TEST(EvaluationSchedule, SpreadsPointsOverIterationsAndIncludesBothEnds) {
  const SmallRun small("dsgd");
  auto run = small.run();
  run.iterations = 100;
  run.evaluations = 4;
  EvaluationSchedule schedule(run);
  std::vector<int> seen;
  for (int t = 0; t <= 100; ++t)
    if (schedule.due(t, t * 7.0)) seen.push_back(t);
  EXPECT_EQ(seen, (std::vector<int>{0, 25, 50, 75, 100}));
  EXPECT_TRUE(schedule.observed(100));
}

// The next point always lies ahead, also where there are more points than iterations or the products are not exact.
TEST(EvaluationSchedule, AlwaysMovesOn) {
  const SmallRun small("dsgd");
  quantimed::Run run = small.run();
  for (const Round iterations : {1u, 7u, 49u, 100u, 300u})
    for (const std::uint32_t points : {1u, 3u, 50u, 200u, 1000u}) {
      run.iterations = iterations;
      run.evaluations = points;
      EvaluationSchedule schedule(run);
      for (Round t = 0; t <= iterations; ++t) {
        schedule.due(t, 0);
        if (t < iterations) {
          ASSERT_GT(schedule.next_iteration(), t) << iterations << " " << points;
        }
      }
    }
}

TEST(VirtualEngine, TakesMorePointsThanIterations) {
  const SmallRun small("dsgd");
  quantimed::Run run = small.run();
  run.evaluations = 200;
  KeepingWatcher watcher = small.watcher();
  run_virtual(run, watcher);
  ASSERT_EQ(watcher.cuts.size(), 31u);
  for (std::size_t t = 0; t < watcher.cuts.size(); ++t) EXPECT_EQ(watcher.cuts[t].iteration, static_cast<double>(t));
}

TEST(SpeedModel, AWholeBatchIsNotLostToRounding) {
  EXPECT_EQ(samples_within(100, 29.0 / 100), 29u);
  EXPECT_EQ(samples_within(49, 1.0 / 49), 1u);
  EXPECT_EQ(samples_within(10, 0.19), 1u);
}

TEST(EvaluationSchedule, SpreadsPointsOverALimitedTimeToo) {
  const SmallRun small("dsgd");
  auto run = small.run();
  run.iterations = 1000000;
  run.max_time = 40;
  run.evaluations = 4;
  EvaluationSchedule schedule(run);
  int seen = 0;
  for (int t = 0; t <= 40; ++t) seen += schedule.due(t, t);
  EXPECT_EQ(seen, 5);
}

// The deadline's batch is ⌊V T_d⌋ and its round takes T_d exactly.
TEST(VirtualEngine, DeadlineRoundsTakeTheDeadlineAndHoldWhatTheSpeedAllows) {
  const SmallRun small("quantimed-dsgd", 6);
  KeepingWatcher watcher = small.watcher();
  const auto run = small.run();
  const Rounds rounds = run_virtual(run, watcher).rounds.all();
  for (Round t = 0; t < rounds.iterations; ++t)
    for (NodeId i = 0; i < rounds.nodes; ++i) {
      EXPECT_EQ(rounds.batch[t * rounds.nodes + i], std::floor(small.speed->speed(i, t) * 0.4));
      EXPECT_EQ(rounds.compute_time[t * rounds.nodes + i], 0.4f);
    }
  EXPECT_NEAR(watcher.cuts.back().time, 30 * (0.4 + 3.0 * 3 / 16), 1e-4);
}

TEST(VirtualEngine, AnEmptyBatchOnlyMixes) {
  const SmallRun small("quantimed-dsgd", 3, "complete", "exact");
  auto run = small.run();
  run.deadline.fixed_s = 1e-3;  // less than any sample takes
  KeepingWatcher watcher = small.watcher();
  const Rounds rounds = run_virtual(run, watcher).rounds.all();
  for (const float batch : rounds.batch) EXPECT_EQ(batch, 0);
  // All start at the same point, and a mixture of equals is the same, up to rounding.
  for (std::size_t k = 0; k < watcher.dimension; ++k)
    EXPECT_NEAR(watcher.cuts.back().models[0][k], watcher.cuts.front().models[0][k], 1e-5);
}

// Node j's own clock: b / V_j,t + T_c per update, and nobody waits.
TEST(VirtualEngine, AsynchronousUpdatesFollowEachNodesOwnClock) {
  const SmallRun small("async-dsgd", 5, "complete");
  KeepingWatcher watcher = small.watcher();
  const Rounds rounds = run_virtual(small.run(), watcher).rounds.all();
  for (NodeId i = 0; i < rounds.nodes; ++i) {
    double clock = 0;
    for (Round t = 0; t < rounds.iterations && !std::isnan(rounds.start_time[t * rounds.nodes + i]); ++t) {
      EXPECT_NEAR(rounds.start_time[t * rounds.nodes + i], clock, 1e-6);
      clock += 20 / small.speed->speed(i, t) + 3;
    }
  }
  std::size_t updates = 0;
  for (const float batch : rounds.batch) updates += !std::isnan(batch);
  EXPECT_EQ(updates, 30u * 5);
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// One run of `round` delivery gives the curves of both ways to charge bits: its second clock is, bit for bit, the clock
// of the run that charges the other way.
#include "engine/small_run.hpp"

#include "codec/codec.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

namespace quantimed {
namespace {

constexpr const char* kCodecs[] = {"exact",        "float16", "low-precision:1e-3", "rounding:0.5", "modulo:1e-3,14",
                                   "sparsifier:4", "qsgd:16"};
constexpr const char* kLinks[] = {"none", "paper:3", "alpha-beta:0.5,200", "alpha-beta:0,20"};

struct Both {
  KeepingWatcher paper, wire;
  Outcome by_paper, by_wire;
};

Both run_both(const SmallRun& small, Run run) {
  Both both{.paper = small.watcher(), .wire = small.watcher(), .by_paper = {}, .by_wire = {}};
  run.charge_wire_bits = false;
  both.by_paper = run_virtual(run, both.paper);
  run.charge_wire_bits = true;
  both.by_wire = run_virtual(run, both.wire);
  return both;
}

void expect_each_others_clock(const Both& both) {
  EXPECT_EQ(both.by_paper.end_time_paper_bits, both.by_paper.end_time);
  EXPECT_EQ(both.by_paper.end_time_wire_bits, both.by_wire.end_time);
  EXPECT_EQ(both.by_wire.end_time_paper_bits, both.by_paper.end_time);
  EXPECT_EQ(both.by_wire.end_time_wire_bits, both.by_wire.end_time);
  ASSERT_EQ(both.paper.cuts.size(), both.wire.cuts.size());
  for (std::size_t k = 0; k < both.paper.cuts.size(); ++k) {
    const auto &paper = both.paper.cuts[k], &wire = both.wire.cuts[k];
    EXPECT_EQ(paper.models, wire.models) << k;
    EXPECT_EQ(paper.time_paper_bits, paper.time) << k;
    EXPECT_EQ(paper.time_wire_bits, wire.time) << k;
    EXPECT_EQ(wire.time_paper_bits, paper.time) << k;
    EXPECT_EQ(wire.time_wire_bits, wire.time) << k;
  }
}

void expect_own_clock_only(const KeepingWatcher& watcher, const Outcome& outcome, bool is_wire) {
  EXPECT_EQ(outcome.end_time_wire_bits.has_value(), is_wire);
  EXPECT_EQ(outcome.end_time_paper_bits.has_value(), !is_wire);
  for (const auto& cut : watcher.cuts) {
    EXPECT_EQ(is_wire ? cut.time_wire_bits : cut.time_paper_bits, cut.time);
    EXPECT_FALSE(is_wire ? cut.time_paper_bits : cut.time_wire_bits);
  }
}

TEST(TwoClocks, EachRunHasTheOthersForEveryAlgorithmCodeLinkAndSync) {
  std::size_t differing = 0;
  for (const AlgorithmRow& row : algorithm_table())
    for (const char* codec : kCodecs) {
      if (!row.quantizes && codec != std::string("exact")) continue;
      const SmallRun small(row.name, 6, "erdos-renyi:0.5", codec);
      for (const char* link : kLinks)
        for (const Sync sync : {Sync::barrier, Sync::neighbourhood}) {
          SCOPED_TRACE(
              fmt::format("{} {} {} {}", row.name, codec, link, sync == Sync::barrier ? "barrier" : "neighbours"));
          auto run = small.run();
          run.link = parse_link(link);
          run.sync = sync;
          run.iterations = 12;
          run.evaluations = 5;
          const Both both = run_both(small, run);
          if (row.delivery == Delivery::round || run.link.kind == LinkModel::Kind::none) {
            expect_each_others_clock(both);
            differing += both.by_paper.end_time != both.by_wire.end_time;
          } else {
            expect_own_clock_only(both.paper, both.by_paper, false);
            expect_own_clock_only(both.wire, both.by_wire, true);
          }
        }
    }
  EXPECT_GT(differing, 40u) << "or the two ways to charge are one";
}

// A stall strikes at its time on either clock; who is lost, and when, decides values, so there is no second clock then.
TEST(TwoClocks, StallsStrikeByTheirOwnClockAndLossesLeaveOne) {
  const SmallRun small("quantimed-dsgd", 6, "ring");
  for (const Sync sync : {Sync::barrier, Sync::neighbourhood}) {
    auto run = small.run();
    run.sync = sync;
    run.faults = {{.node = 1, .time = 6, .lasts = 7}, {.node = 4, .time = 11, .lasts = 2}};
    const Both both = run_both(small, run);
    expect_each_others_clock(both);
    EXPECT_NE(both.by_paper.end_time, both.by_wire.end_time);
    EXPECT_NE(both.by_paper.rounds.all().record_time, both.by_wire.rounds.all().record_time) << "other rounds";
    run.faults.push_back({.node = 2, .time = 15});
    const Both lost = run_both(small, run);
    expect_own_clock_only(lost.paper, lost.by_paper, false);
    expect_own_clock_only(lost.wire, lost.by_wire, true);
  }
}

// With a time limit the two runs end apart; where both have been they agree.
TEST(TwoClocks, ATimeLimitEndsARunByItsOwnClock) {
  const SmallRun small("q-dsgd", 6, "ring");
  auto run = small.run();
  run.iterations = 200;
  run.evaluations = 200;
  run.max_time = 60;
  const Both both = run_both(small, run);
  std::map<double, Seconds> wire;
  for (const auto& cut : both.wire.cuts) wire[cut.iteration] = cut.time;
  std::size_t met = 0;
  for (const auto& cut : both.paper.cuts) {
    ASSERT_TRUE(cut.time_wire_bits);
    if (!wire.contains(cut.iteration)) continue;
    EXPECT_EQ(*cut.time_wire_bits, wire[cut.iteration]);
    ++met;
  }
  EXPECT_GT(met, 5u);
  EXPECT_LT(both.wire.cuts.back().iteration, both.paper.cuts.back().iteration);
}

TEST(TwoClocks, RealTimeAndAPredictedMachineHaveOne) {
  const SmallRun small("q-dsgd", 2);
  auto run = small.run();
  const MachineCosts costs{.gradient = {{20, 1e-3}}, .deadline_sample_s = 1e-4, .mix = {{1, 1e-5}}};
  run.machine = &costs;
  run.speed = nullptr;
  run.link = {};
  KeepingWatcher predicted = small.watcher();
  const Outcome outcome = run_virtual(run, predicted);
  EXPECT_FALSE(outcome.end_time_paper_bits || outcome.end_time_wire_bits);
  for (const auto& cut : predicted.cuts) EXPECT_FALSE(cut.time_paper_bits || cut.time_wire_bits);
  run.machine = nullptr;
  run.oversubscribe = true;
  KeepingWatcher real = small.watcher();
  const Outcome on_threads = run_threads(run, real);
  EXPECT_FALSE(on_threads.end_time_paper_bits || on_threads.end_time_wire_bits);
  for (const auto& cut : real.cuts) EXPECT_FALSE(cut.time_paper_bits || cut.time_wire_bits);
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Messages between ranks: measured over ranks that are threads of one process, and charged by the clock that predicts
// them, against sums done by hand.
#include "engine/loopback.hpp"
#include "engine/small_run.hpp"
#include "engine/spread/measure_links.hpp"
#include "engine/virtual/virtual_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace quantimed {
namespace {

using testing::ElementsAre;
using testing::Pair;

// What rank 0 has measured. `stops`: of which rank a signal comes before the second pair.
MeasuredLinks measured_on(const std::vector<std::string>& hosts, std::optional<Rank> stops = {}) {
  const SmallRun small("dsgd", 2, "complete");
  const std::vector<std::size_t> sizes = {64, 200};
  Loopback loopback(static_cast<Rank>(hosts.size()));
  loopback.hosts = hosts;
  const auto measure = [&](Rank r) {
    Run run = small.run();
    run.speed = nullptr;
    run.link = {};
    Fleet fleet(loopback[r]);
    int asked = 0;
    return measure_links(fleet, run, sizes, [&](double) { return ++asked < 2 || stops != r; });
  };
  std::vector<std::jthread> others;
  for (Rank r = 1; r < hosts.size(); ++r) others.emplace_back([&, r] { (void)measure(r); });
  MeasuredLinks links = measure(0);
  others.clear();
  EXPECT_EQ(loopback.left_over(), 0u);
  return links;
}

void expect_whole(const std::optional<LinkCosts>& link, std::uint32_t pairs) {
  ASSERT_TRUE(link.has_value());
  EXPECT_EQ(link->pairs, pairs);
  ASSERT_EQ(link->one_way.size(), 2u);
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(link->one_way[k].first, k == 0 ? 64u : 200u);
    EXPECT_GT(link->low[k].second, 0);
    EXPECT_LE(link->low[k].second, link->one_way[k].second);
    EXPECT_LE(link->one_way[k].second, link->high[k].second);
    EXPECT_GT(link->gap[k].second, 0);
  }
}

TEST(RankLinks, PairsOnOneHostAndOnTwoAreMeasuredApart) {
  const MeasuredLinks all = measured_on({"a", "b", "a", "c"});
  EXPECT_FALSE(all.is_interrupted);
  expect_whole(all.links.one_host, 1);   // 0 and 2
  expect_whole(all.links.two_hosts, 3);  // of a, b and c
  const MeasuredLinks alone = measured_on({"a", "a"});
  expect_whole(alone.links.one_host, 1);
  EXPECT_FALSE(alone.links.two_hosts.has_value());
  const MeasuredLinks apart = measured_on({"a", "b"});
  EXPECT_FALSE(apart.links.one_host.has_value());
  expect_whole(apart.links.two_hosts, 1);
}

TEST(RankLinks, ASignalToAnyRankEndsTheMeasurementInAll) {
  for (const Rank r : {0u, 2u}) EXPECT_TRUE(measured_on({"a", "a", "a"}, r).is_interrupted) << r;
}

TEST(RankLinks, BetweenTheirPointsCostsAreOnALineAndBeforeTheFirstAsThat) {
  LinkCosts link;
  link.one_way = {{64, 2}, {164, 4}, {264, 10}};
  link.gap = {{64, 1}, {164, 5}, {264, 6}};
  EXPECT_DOUBLE_EQ(link.gap_time(1), 1);
  EXPECT_DOUBLE_EQ(link.gap_time(114), 3);
  EXPECT_DOUBLE_EQ(link.gap_time(214), 5.5);
  EXPECT_DOUBLE_EQ(link.gap_time(364), 7);
  EXPECT_DOUBLE_EQ(link.one_way_time(264), 10);
  EXPECT_DOUBLE_EQ(link.one_way_time(164), 5);  // no shorter than the gap
}

// A machine on which computing is all that costs, and links that do.
struct Predicted {
  explicit Predicted(std::uint32_t nodes, const char* graph, PredictedRanks of) : small("dsgd", nodes, graph) {
    machine.gradient = {{1, 0}};
    machine.mix = {{1, 0}};
    machine.latency_s = 0.5;
    one.one_way = {{100, 3}};
    one.gap = {{100, 1}};
    two.one_way = {{100, 20}};
    two.gap = {{100, 10}};
    of.one_host = &one;
    of.two_hosts = &two;
    run.speed = nullptr;
    run.link = {};
    run.machine = &machine;
    run.ranks = of;
    for (NodeId i = 0; i < nodes; ++i) {
      records[i].push_back({});
      records[i].back().bytes = 100;
    }
  }
  std::vector<double> ends() {
    VirtualClock clock(run, {});
    clock.advance(records, 0);
    return clock.starts();
  }
  SmallRun small;
  quantimed::Run run = small.run();
  MachineCosts machine;
  LinkCosts one, two;
  Records records = Records(run.network.nodes, "");
};

TEST(RankClock, AMessageThatStaysInItsRankCostsWhatItDoesOnOneMachine) {
  EXPECT_THAT(Predicted(4, "ring", {.ranks = 1, .hosts = 1}).ends(), ElementsAre(0.5, 0.5, 0.5, 0.5));
}

// Nodes 0 and 1 in rank 0, 2 and 3 in rank 1; on a ring each has one neighbour elsewhere. Each rank sends two messages:
// seen by the courier at 0.5, they leave at 0.5 and 1.5, and are there 3 later, and seen 0.5 after that.
TEST(RankClock, ACourierSendsItsMessagesOneAfterTheOther) {
  EXPECT_THAT(Predicted(4, "ring", {.ranks = 2, .hosts = 1}).ends(), ElementsAre(5, 4, 5, 4));
}

// Four ranks of one node each, two on a host; node 1's and 2's messages, and 0's and 3's, go between the hosts. Each
// rank sends two messages, to the lower rank first, and each host two to the other, ten apart.
TEST(RankClock, MessagesBetweenHostsLeaveAHostOneAfterTheOther) {
  Predicted ring(4, "ring", {.ranks = 4, .hosts = 2});
  // From host 0: 0 → 1 leaves at 0.5 and is there at 3.5, 0 → 3 at 1.5: 21.5; 1 → 0 at 0.5: 3.5, 1 → 2 at 11.5: 31.5.
  // From host 1: 2 → 1 leaves at 0.5: 20.5, 2 → 3 at 10.5: 13.5; 3 → 0 when host 1 may, at 10.5: 30.5, 3 → 2 at 20.5:
  // 23.5. Rank 3 has 2 → 3 first, so 0 → 3, which takes it ten, is there at 23.5; host 1 then has 1 → 2 at 33.5.
  EXPECT_THAT(ring.ends(), ElementsAre(31, 21, 34, 24));
  const CrossingMessages count = crossing_messages(ring.run.network, *ring.run.ranks);
  EXPECT_EQ(count.within_ranks, 0u);
  EXPECT_EQ(count.between_ranks, 8u);
  EXPECT_EQ(count.between_hosts, 4u);
}

// The centre of a star: one message to each other rank, however many read it there; what comes in comes one by one.
TEST(RankClock, AMessageCrossesOnceToEachRankAndArrivesAfterTheOneBefore) {
  Predicted star(6, "star", {.ranks = 3, .hosts = 1});  // 0, 1 | 2, 3 | 4, 5
  const CrossingMessages count = crossing_messages(star.run.network, *star.run.ranks);
  EXPECT_EQ(count.within_ranks, 2u);
  EXPECT_EQ(count.between_ranks, 2u + 4u);
  EXPECT_EQ(count.between_hosts, 0u);
  // Node 0 hears 2 and 4 at 3.5, the second a gap later, 3 and 5 likewise from 4.5 on: the last is there at 6.5.
  EXPECT_THAT(star.ends(), ElementsAre(7, 0.5, 4, 4, 5, 5));
}

TEST(RankClock, GoesOnFromACheckpointAsIfItHadNeverStopped) {
  const auto run_it = [](std::uint32_t iterations, Resume* resume, KeepingWatcher& watcher) {
    Predicted predicted(6, "complete", {.ranks = 3, .hosts = 3});
    predicted.machine.mix = {{1, 0.25}};
    predicted.machine.gradient = {{1, 0.125}};
    predicted.run.iterations = iterations;
    predicted.run.resume = resume;
    return run_virtual(predicted.run, watcher);
  };
  const SmallRun small("dsgd", 6, "complete");
  KeepingWatcher whole = small.watcher(), first = small.watcher(), second = small.watcher();
  const Outcome all = run_it(30, nullptr, whole);
  first.stop_after = 2;
  Outcome part = run_it(30, nullptr, first);
  ASSERT_TRUE(part.interrupted);
  ASSERT_TRUE(part.checkpoint.has_value());
  EXPECT_THAT(part.checkpoint->state, testing::Contains(Pair("rank_2_in", testing::_)));
  Resume resume{"", *part.checkpoint, part.rounds.all()};
  const Outcome rest = run_it(30, &resume, second);
  EXPECT_EQ(rest.end_time, all.end_time);
  EXPECT_EQ(second.cuts.back(), whole.cuts.back());
}

}  // namespace
}  // namespace quantimed

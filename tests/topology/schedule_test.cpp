// SPDX-License-Identifier: BSD-3-Clause
// Graphs that are directed or change with the message: who hears whom, with which weights, and what that brings about.
#include "topology/schedule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <set>
#include <thread>

#include "base/error.hpp"
#include "topology/graph.hpp"

namespace quantimed {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

Network scheduled(const std::string& graph, std::uint32_t nodes, std::uint64_t seed = 1) {
  return make_network(parse_graph(graph), parse_mixing("laplacian"), nodes, seed);
}

std::vector<NodeId> ids(std::span<const Neighbour> peers) {
  std::vector<NodeId> list;
  for (const Neighbour& j : peers) list.push_back(j.id);
  return list;
}
std::vector<NodeId> sources(const Network& network, NodeId i, Round k) {
  std::vector<Neighbour> room;
  return ids(network.sources(i, k, room));
}
std::vector<NodeId> readers(const Network& network, NodeId i, Round k) {
  std::vector<Neighbour> room;
  return ids(network.readers(i, k, room));
}

// W(k) x
std::vector<double> mixed(const Network& network, Round k, const std::vector<double>& x) {
  std::vector<Neighbour> room;
  std::vector<double> y(x.size());
  for (NodeId i = 0; i < network.nodes; ++i) {
    y[i] = network.self_weight(i, k) * x[i];
    for (const Neighbour& j : network.sources(i, k, room)) y[i] += static_cast<double>(j.weight) * x[j.id];
  }
  return y;
}

class EverySchedule : public testing::TestWithParam<std::tuple<const char*, std::uint32_t>> {};

TEST_P(EverySchedule, HasTwoEndsAndRowsAndColumnsThatSumToOne) {
  const auto& [graph, n] = GetParam();
  const Network network = scheduled(graph, n);
  std::set<std::pair<NodeId, NodeId>> seen;
  for (Round k = 0; k < 200; ++k) {
    std::vector<double> columns(n);
    for (NodeId i = 0; i < n; ++i) {
      double row = network.self_weight(i, k);
      columns[i] += row;
      std::vector<Neighbour> room, others;
      const auto heard = network.sources(i, k, room);
      EXPECT_TRUE(std::ranges::is_sorted(heard, {}, &Neighbour::id));
      for (const Neighbour& j : heard) {
        row += static_cast<double>(j.weight);
        columns[j.id] += static_cast<double>(j.weight);
        EXPECT_NE(j.id, i);
        EXPECT_THAT(ids(network.readers(j.id, k, others)), testing::Contains(i));
        seen.insert(std::minmax({i, j.id}));
      }
      EXPECT_NEAR(row, 1, 1e-6);
      EXPECT_EQ(readers(network, i, k).size(), network.reader_count(i, k));
      EXPECT_LE(room.capacity(), Network::kMostPeers);
    }
    for (const double column : columns) EXPECT_NEAR(column, 1, 1e-6);
  }
  EXPECT_EQ(topology::Edges(seen.begin(), seen.end()), network.edges);  // all of them come, and no others
}

// The mean of W(k) over many messages, without its directions.
TEST_P(EverySchedule, SaysItsMeanWeights) {
  const auto& [graph, n] = GetParam();
  const Network network = scheduled(graph, n);
  constexpr Round kMessages = 6000;
  std::vector<double> mean(std::size_t{n} * n);
  std::vector<Neighbour> room;
  for (Round k = 0; k < kMessages; ++k)
    for (NodeId i = 0; i < n; ++i)
      for (const Neighbour& j : network.sources(i, k, room))
        mean[std::min(i, j.id) * n + std::max(i, j.id)] += static_cast<double>(j.weight) / 2 / kMessages;
  for (std::size_t e = 0; e < network.edges.size(); ++e)
    EXPECT_NEAR(mean[network.edges[e].first * n + network.edges[e].second], network.weights[e],
                5 * std::sqrt(network.weights[e] / kMessages));
  EXPECT_GE(network.beta, -1e-12);
  EXPECT_LE(network.beta, 1);
}

INSTANTIATE_TEST_SUITE_P(All, EverySchedule,
                         testing::Combine(testing::Values("one-peer-exponential", "random-matching",
                                                          "directed-exponential"),
                                          testing::Values(1u, 2u, 3u, 6u, 8u, 9u)));

TEST(OnePeerExponential, SendsAheadByPowersOfTwoInTurn) {
  const Network network = scheduled("one-peer-exponential", 6);  // 1, 2, 4, 1, …
  EXPECT_THAT(readers(network, 5, 0), ElementsAre(0));
  EXPECT_THAT(readers(network, 5, 1), ElementsAre(1));
  EXPECT_THAT(readers(network, 5, 2), ElementsAre(3));
  EXPECT_THAT(readers(network, 5, 3), ElementsAre(0));
  EXPECT_THAT(sources(network, 0, 2), ElementsAre(2));
  EXPECT_EQ(network.self_weight(0, 2), 0.5);
}

// From any message on, so whatever an algorithm has sent before.
TEST(OnePeerExponential, BringsTheExactMeanForPowersOfTwoAlone) {
  for (const std::uint32_t n : {2u, 8u, 16u, 6u, 12u})
    for (Round first = 0; first < 4; ++first) {
      const Network network = scheduled("one-peer-exponential", n);
      std::vector<double> x(n);
      for (NodeId i = 0; i < n; ++i) x[i] = i * i;
      const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
      const auto rounds = static_cast<Round>(std::bit_width(n - 1));
      for (Round k = first; k < first + rounds; ++k) x = mixed(network, k, x);
      const bool is_exact = std::ranges::all_of(x, [&](double value) { return value == mean; });
      EXPECT_EQ(is_exact, std::has_single_bit(n)) << n;
    }
}

TEST(DirectedExponential, SendsToAllPowersOfTwo) {
  const Network network = scheduled("directed-exponential", 8);
  EXPECT_THAT(readers(network, 6, 5), ElementsAre(0, 2, 7));
  EXPECT_THAT(sources(network, 6, 5), ElementsAre(2, 4, 5));
  EXPECT_EQ(network.self_weight(6, 5), 0.25);
}

TEST(RandomMatching, IsDrawnAlikeByEveryThreadAndInAnyOrder) {
  const Network network = scheduled("random-matching", 9, 4);
  std::vector<std::vector<NodeId>> forward, backward;
  for (Round k = 0; k < 40; ++k) forward.push_back(sources(network, k % 9, k));
  std::thread([&] {
    for (Round k = 40; k-- > 0;) backward.push_back(sources(network, k % 9, k));
  }).join();
  std::ranges::reverse(backward);
  EXPECT_EQ(forward, backward);
  for (Round k = 0; k < 40; ++k)
    for (NodeId i = 0; i < 9; ++i) {
      EXPECT_EQ(sources(network, i, k), readers(network, i, k));
      for (const NodeId j : sources(network, i, k)) EXPECT_THAT(sources(network, j, k), ElementsAre(i));
    }
}

TEST(RandomMatching, DependsOnTheSeedAndLeavesOneOverAtMost) {
  const Network a = scheduled("random-matching", 9, 4), b = scheduled("random-matching", 9, 5);
  std::vector<int> left_over(9);
  int same = 0;
  for (Round k = 0; k < 900; ++k) {
    int alone = 0;
    for (NodeId i = 0; i < 9; ++i) {
      if (sources(a, i, k).empty()) ++alone, ++left_over[i];
      same += sources(a, i, k) == sources(b, i, k);
    }
    EXPECT_EQ(alone, 1);
  }
  EXPECT_NEAR(same, 900, 200);  // by chance one of nine
  for (const int times : left_over) EXPECT_NEAR(times, 100, 50);
}

TEST(Schedules, SayHowManyMessagesUntilAllHaveHeard) {
  EXPECT_EQ(scheduled("one-peer-exponential", 1).messages_until_all_hear(0, 0, 1), 0u);
  EXPECT_EQ(scheduled("one-peer-exponential", 8).messages_until_all_hear(3, 1, 1), 3u);
  EXPECT_EQ(scheduled("directed-exponential", 8).messages_until_all_hear(3, 0, 1), 3u);  // 7 = 1 + 2 + 4
  EXPECT_EQ(scheduled("ring", 8).messages_until_all_hear(3, 0, 1), scheduled("ring", 8).eccentricity(3));
  const Network random = scheduled("random-matching", 4);
  for (Round k = 0; k < 50; ++k) EXPECT_GE(random.messages_until_all_hear(0, k, 1), 2u);
}

TEST(Schedules, HaveWeightsOfTheirOwn) {
  for (const char* mixing : {"metropolis", "laplacian:7"})
    EXPECT_THAT([&] { make_network(parse_graph("random-matching"), parse_mixing(mixing), 4, 1); },
                ThrowsMessage<InputError>(
                    AllOf(HasSubstr(std::string("--mixing ") + mixing), HasSubstr("leave --mixing out"))));
  EXPECT_THAT([] { scheduled("random-matching", 4'000'000'000u); },
              ThrowsMessage<InputError>(HasSubstr("fewer nodes")));
}

TEST(Schedules, AreKnownByTheirNames) {
  for (const char* name : {"one-peer-exponential", "random-matching", "directed-exponential"}) {
    const GraphRequest graph = parse_graph(name);
    EXPECT_EQ(topology::describe(graph), name);
    EXPECT_EQ(topology::name_of(topology::schedule_of(graph.kind)), name);
    EXPECT_EQ(topology::schedule_named(name), topology::schedule_of(graph.kind));
  }
  EXPECT_EQ(topology::schedule_named("ring"), Schedule::Kind::none);
  EXPECT_FALSE(scheduled("ring", 5).is_scheduled());
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Which nodes each kind of graph links, and what is refused.
#include "topology/graph.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.hpp"

namespace quantimed::topology {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::ThrowsMessage;

Edges edges_of(const std::string& graph, std::uint32_t nodes, std::uint64_t seed = 1) {
  std::uint32_t redraws = 0;
  return make_edges(parse_graph(graph), nodes, seed, redraws);
}

TEST(Ring, LinksNext) {
  EXPECT_THAT(edges_of("ring", 4), ElementsAre(Pair(0, 1), Pair(0, 3), Pair(1, 2), Pair(2, 3)));
  EXPECT_THAT(edges_of("ring", 3), ElementsAre(Pair(0, 1), Pair(0, 2), Pair(1, 2)));
}

TEST(AllKinds, AreOneEdgeForTwoNodesAndNoneForOne) {
  for (const std::string graph : {"ring", "chain", "hypercube", "complete", "star", "two-cliques", "exponential",
                                  "k-regular:1", "erdos-renyi:0.5"}) {
    EXPECT_THAT(edges_of(graph, 2), ElementsAre(Pair(0, 1))) << graph;
    EXPECT_THAT(edges_of(graph, 1), IsEmpty()) << graph;
  }
  EXPECT_THAT(edges_of("torus", 1), IsEmpty());
}

TEST(Torus, IsAsSquareAsItCanBe) {
  EXPECT_EQ(most_square(36).rows, 6u);
  EXPECT_EQ(most_square(50).rows, 5u);
  EXPECT_EQ(most_square(50).columns, 10u);
  EXPECT_EQ(most_square(4294967291u).rows, 1u);  // the largest 32-bit prime
}

TEST(Torus, LinksRightAndDown) {
  EXPECT_EQ(edges_of("torus", 12).size(), 24u);  // 3 × 4, degree 4
  EXPECT_EQ(edges_of("torus", 10).size(), 15u);  // 2 × 5: the short cycles are single edges
  EXPECT_THAT(edges_of("torus", 4), ElementsAre(Pair(0, 1), Pair(0, 2), Pair(1, 3), Pair(2, 3)));
}

TEST(Torus, OfAPrimeNamesItsNeighbours) {
  EXPECT_THAT([] { edges_of("torus", 13); }, ThrowsMessage<InputError>(HasSubstr("--nodes 12 or 14")));
  EXPECT_THAT([] { edges_of("torus", 3); }, ThrowsMessage<InputError>(HasSubstr("--nodes 4")));
}

TEST(Chain, LinksNextWithoutAnEnd) {
  EXPECT_THAT(edges_of("chain", 4), ElementsAre(Pair(0, 1), Pair(1, 2), Pair(2, 3)));
}

TEST(Hypercube, LinksWhatDiffersInOneBit) {
  EXPECT_THAT(edges_of("hypercube", 4), ElementsAre(Pair(0, 1), Pair(0, 2), Pair(1, 3), Pair(2, 3)));
  EXPECT_EQ(edges_of("hypercube", 64).size(), 64u * 6 / 2);
  for (const auto& [i, j] : edges_of("hypercube", 64)) EXPECT_EQ(std::popcount(i ^ j), 1);
}

TEST(Hypercube, OfNoPowerOfTwoNamesItsNeighbours) {
  EXPECT_THAT([] { edges_of("hypercube", 10); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("no power of two"), HasSubstr("--nodes 8 or 16"))));
  EXPECT_THAT([] { edges_of("hypercube", 15); }, ThrowsMessage<InputError>(HasSubstr("--nodes 8 or 16")));
  EXPECT_THAT([] { edges_of("hypercube", 3); }, ThrowsMessage<InputError>(HasSubstr("--nodes 2 or 4")));
}

TEST(TwoCliques, AreJoinedByOneBridge) {
  EXPECT_THAT(edges_of("two-cliques", 5), ElementsAre(Pair(0, 1), Pair(0, 2), Pair(1, 2), Pair(2, 3), Pair(3, 4)));
  EXPECT_EQ(edges_of("two-cliques", 20).size(), 2u * 45 + 1);
}

TEST(Regular, HasTheDegreeThatWasAskedFor) {
  for (const std::uint32_t degree : {2u, 3u, 4u, 7u, 10u, 17u, 18u, 19u})
    for (const std::uint64_t seed : {1, 2, 3}) {
      const Edges edges = edges_of(fmt::format("k-regular:{}", degree), 20, seed);
      std::vector<std::uint32_t> degrees(20);
      for (const auto& [i, j] : edges) ++degrees[i], ++degrees[j];
      EXPECT_THAT(degrees, testing::Each(degree)) << seed;
      EXPECT_TRUE(std::ranges::is_sorted(edges));
      EXPECT_TRUE(is_connected(edges, 20)) << seed;
    }
  EXPECT_EQ(edges_of("k-regular:19", 20), edges_of("complete", 20));
  EXPECT_EQ(edges_of("k-regular:4", 2000).size(), 4000u);
}

TEST(Regular, DependsOnTheSeedAlone) {
  EXPECT_EQ(edges_of("k-regular:4", 50, 7), edges_of("k-regular:4", 50, 7));
  EXPECT_NE(edges_of("k-regular:4", 50, 7), edges_of("k-regular:4", 50, 8));
}

// Every pair is an edge with probability K/(n − 1): the sum of squared deviations over pairs, in 400 graphs. Degrees
// are fixed, so that the deviations of n pairs follow from the others'.
TEST(Regular, FavoursNoPair) {
  constexpr std::uint32_t n = 20, graphs = 400, degree = 4;
  constexpr double p = double{degree} / (n - 1), free = n * (n - 1) / 2 - n;
  std::vector<double> count(n * n);
  for (std::uint32_t seed = 0; seed < graphs; ++seed)
    for (const auto& [i, j] : edges_of("k-regular:4", n, seed)) count[i * n + j] += 1;
  double squares = 0;
  for (NodeId i = 0; i < n; ++i)
    for (NodeId j = i + 1; j < n; ++j) squares += (count[i * n + j] - graphs * p) * (count[i * n + j] - graphs * p);
  const double chi_squared = squares / (graphs * p * (1 - p)) * free / (n * (n - 1) / 2);
  EXPECT_NEAR((chi_squared - free) / std::sqrt(2 * free), 0, 4);
}

TEST(Regular, IsRedrawnUntilConnectedAndCounts) {
  std::uint32_t redraws = 0;  // of two neighbours each: cycles, and mostly several
  EXPECT_TRUE(is_connected(make_edges(parse_graph("k-regular:2"), 60, 1, redraws), 60));
  EXPECT_GT(redraws, 0u);
}

TEST(Regular, RefusesWhatCannotBe) {
  EXPECT_THAT([] { edges_of("k-regular:3", 9); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("--graph k-regular:3"), HasSubstr("even K, or --nodes 10"))));
  EXPECT_THAT([] { edges_of("k-regular:9", 9); }, ThrowsMessage<InputError>(HasSubstr("at most 8 neighbours")));
  EXPECT_THAT([] { edges_of("k-regular:1", 8); }, ThrowsMessage<InputError>(HasSubstr("take a larger K")));
}

TEST(Complete, LinksAll) { EXPECT_EQ(edges_of("complete", 20).size(), 190u); }

TEST(Star, LinksNodeZeroToAll) { EXPECT_THAT(edges_of("star", 4), ElementsAre(Pair(0, 1), Pair(0, 2), Pair(0, 3))); }

TEST(Exponential, LinksPowersOfTwo) {
  // n = 6: i ± 1 and i ± 2, and i ± 4 = i ∓ 2.
  EXPECT_EQ(edges_of("exponential", 6).size(), 12u);
  // n = 16: ±1, ±2, ±4, and 8, which is its own opposite: degree 7.
  EXPECT_EQ(edges_of("exponential", 16).size(), 16u * 7 / 2);
}

TEST(TooManyEdges, AreRefusedBeforeTheyAreMade) {
  for (const std::string graph : {"complete", "erdos-renyi:0.4", "ring", "two-cliques", "k-regular:4"})
    EXPECT_THAT([&] { edges_of(graph, 4'000'000'000u); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("--graph " + graph), HasSubstr("fewer nodes"))))
        << graph;
}

TEST(ErdosRenyi, DependsOnTheSeedAlone) {
  EXPECT_EQ(edges_of("erdos-renyi:0.4", 50, 7), edges_of("erdos-renyi:0.4", 50, 7));
  EXPECT_NE(edges_of("erdos-renyi:0.4", 50, 7), edges_of("erdos-renyi:0.4", 50, 8));
}

TEST(ErdosRenyi, OfProbabilityOneIsComplete) { EXPECT_EQ(edges_of("erdos-renyi:1", 30), edges_of("complete", 30)); }

// Each pair is an edge with probability P: mean and spread over pairs of how often it is one, in 400 graphs.
TEST(ErdosRenyi, FavoursNoPair) {
  constexpr std::uint32_t n = 30, graphs = 400;
  constexpr double p = 0.4, pairs = n * (n - 1) / 2;
  std::vector<double> count(n * n);
  for (std::uint32_t seed = 0; seed < graphs; ++seed)
    for (const auto& [i, j] : edges_of("erdos-renyi:0.4", n, seed)) count[i * n + j] += 1;
  double total = 0, chi_squared = 0;
  for (NodeId i = 0; i < n; ++i)
    for (NodeId j = i + 1; j < n; ++j) {
      const double deviation = count[i * n + j] - graphs * p;
      total += deviation;
      chi_squared += deviation * deviation / (graphs * p * (1 - p));
    }
  EXPECT_NEAR(total / std::sqrt(pairs * graphs * p * (1 - p)), 0, 4);
  EXPECT_NEAR((chi_squared - pairs) / std::sqrt(2 * pairs), 0, 4);
}

TEST(ErdosRenyi, IsRedrawnUntilConnectedAndCounts) {
  std::uint32_t redraws = 0;
  // ln(n)/n = 0.078: below it most draws are not connected, and yet one is found.
  EXPECT_TRUE(is_connected(make_edges(parse_graph("erdos-renyi:0.06"), 50, 1, redraws), 50));
  EXPECT_GT(redraws, 0u);
  make_edges(parse_graph("erdos-renyi:0.4"), 50, 1, redraws);
  EXPECT_EQ(redraws, 0u);
}

TEST(ErdosRenyi, TooSparseNamesTheThreshold) {
  EXPECT_THAT(
      [] { edges_of("erdos-renyi:0.03", 50); },
      ThrowsMessage<InputError>(AllOf(HasSubstr("--graph erdos-renyi:0.03"), HasSubstr("too small for 50 nodes"),
                                      HasSubstr("1000 draws"), HasSubstr("ln(n)/n = 0.078"))));
  EXPECT_THAT([] { edges_of("erdos-renyi:1e-6", 100'000); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("too small for 100000 nodes"), HasSubstr("no neighbour"))));
  EXPECT_THAT([] { edges_of("erdos-renyi:1e-310", 2); }, ThrowsMessage<InputError>(HasSubstr("too small for 2 nodes")));
}

TEST(ErdosRenyi, RefusesRequestsThatWereNotParsed) {
  std::uint32_t redraws = 0;
  for (const double p : {0.0, -1.0, 1.5, std::nan("")})
    EXPECT_THROW(make_edges({.probability = p, .path = {}}, 5, 1, redraws), InputError) << p;
}

TEST(ConnectedParts, LargestFirst) {
  const Edges edges{{0, 4}, {1, 2}, {2, 5}};
  EXPECT_THAT(connected_parts(edges, 6), ElementsAre(ElementsAre(1, 2, 5), ElementsAre(0, 4), ElementsAre(3)));
  EXPECT_FALSE(is_connected(edges, 6));
}

}  // namespace
}  // namespace quantimed::topology

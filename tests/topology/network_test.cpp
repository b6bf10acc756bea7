// SPDX-License-Identifier: BSD-3-Clause
// The promises of Network, for every graph × size × mixing.
#include "topology/network.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "base/error.hpp"

namespace quantimed {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

Network make(const std::string& graph, std::uint32_t nodes, const std::string& mixing = "laplacian",
             std::uint64_t seed = 1) {
  return make_network(parse_graph(graph), parse_mixing(mixing), nodes, seed);
}

using Case = std::tuple<std::string, std::uint32_t, std::string>;
class EveryNetwork : public testing::TestWithParam<Case> {};

// W is rebuilt from the lists and tested as a matrix.
TEST_P(EveryNetwork, IsSymmetricDoublyStochasticAndConnected) {
  const auto& [graph, n, mixing] = GetParam();
  const Network network = make(graph, n, mixing);
  ASSERT_EQ(network.nodes, n);
  ASSERT_EQ(network.weights.size(), network.edges.size());
  std::vector<double> w(std::size_t{n} * n);
  for (NodeId i = 0; i < n; ++i) w[i * n + i] = network.self_weights[i];
  for (std::size_t e = 0; e < network.edges.size(); ++e) {
    const auto [i, j] = network.edges[e];
    ASSERT_LT(i, j);
    w[i * n + j] = w[j * n + i] = network.weights[e];
  }
  std::size_t listed = 0;
  for (NodeId i = 0; i < n; ++i) {
    double row = 0;
    for (NodeId j = 0; j < n; ++j) {
      EXPECT_GE(w[i * n + j], 0);
      row += w[i * n + j];
    }
    EXPECT_NEAR(row, 1, 1e-12);
    NodeId previous = 0;
    for (const Neighbour& neighbour : network.neighbours(i)) {
      EXPECT_EQ(neighbour.weight, static_cast<float>(w[i * n + neighbour.id]));
      if (listed++ > network.offsets[i]) {
        EXPECT_GT(neighbour.id, previous);
      }
      previous = neighbour.id;
    }
  }
  EXPECT_EQ(listed, 2 * network.edges.size());
  EXPECT_LT(network.eccentricity(0), n);
  EXPECT_GE(network.beta, -1e-12);
  EXPECT_LT(network.beta, 1);
  EXPECT_NEAR(network.beta + network.spectral_gap, 1, 1e-15);
}

INSTANTIATE_TEST_SUITE_P(All, EveryNetwork,
                         testing::Combine(testing::Values("ring", "chain", "torus", "complete", "star", "two-cliques",
                                                          "exponential", "erdos-renyi:0.4"),
                                          testing::Values(1u, 4u, 6u, 9u, 50u, 64u, 210u),
                                          testing::Values("laplacian", "laplacian:300", "metropolis")));
INSTANTIATE_TEST_SUITE_P(PowersOfTwo, EveryNetwork,
                         testing::Combine(testing::Values("hypercube"), testing::Values(1u, 2u, 4u, 64u),
                                          testing::Values("laplacian", "metropolis")));
INSTANTIATE_TEST_SUITE_P(Regular, EveryNetwork,
                         testing::Combine(testing::Values("k-regular:4"), testing::Values(5u, 6u, 50u, 210u),
                                          testing::Values("laplacian", "metropolis")));
INSTANTIATE_TEST_SUITE_P(Small, EveryNetwork,
                         testing::Combine(testing::Values("ring", "complete", "star", "exponential", "erdos-renyi:0.9"),
                                          testing::Values(2u, 3u, 5u), testing::Values("laplacian", "metropolis")));

TEST(Network, OfOneNodeIsTheNodeItself) {
  const Network network = make("ring", 1);
  EXPECT_TRUE(network.edges.empty());
  EXPECT_TRUE(network.neighbours(0).empty());
  EXPECT_THAT(network.self_weights, ElementsAre(1.0));
  EXPECT_EQ(network.beta, 0);
  EXPECT_EQ(network.eccentricity(0), 0u);
}

TEST(Network, OfNoNodeIsRefused) {
  EXPECT_THAT([] { make("ring", 0); }, ThrowsMessage<InputError>(HasSubstr("--nodes 0")));
}

TEST(Mixing, LaplacianIsThePapers) {
  const Network network = make("star", 5);  // d_max = 4, κ = 6
  EXPECT_DOUBLE_EQ(network.weights[0], 1.0 / 6);
  EXPECT_DOUBLE_EQ(network.self_weights[0], 2.0 / 6);
  EXPECT_DOUBLE_EQ(network.self_weights[1], 5.0 / 6);
}

TEST(Mixing, MetropolisLooksAtBothEnds) {
  const Network network = make("star", 5, "metropolis");
  EXPECT_DOUBLE_EQ(network.weights[0], 1.0 / 5);
  EXPECT_DOUBLE_EQ(network.self_weights[0], 1.0 / 5);
  EXPECT_DOUBLE_EQ(network.self_weights[1], 4.0 / 5);
}

TEST(Mixing, TooSmallKappaNamesTheNodeAndTheFix) {
  EXPECT_THAT([] { make("star", 5, "laplacian:3"); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("--mixing laplacian:3"), HasSubstr("node 0 has 4 neighbours"),
                                              HasSubstr("-0.333"), HasSubstr("out for 6"))));
}

TEST(Mixing, KappaEqualToTheDegreeNeedsAnOddCycle) {
  EXPECT_THAT([] { make("ring", 6, "laplacian:2"); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("--mixing laplacian:2"), HasSubstr("beta = 1"))));
  EXPECT_LT(make("ring", 7, "laplacian:2").beta, 1);
  EXPECT_LT(make("star", 5, "laplacian:4").beta, 1);  // the leaves keep weights of their own
}

TEST(Network, OfTheSameSeedIsTheSame) {
  const Network one = make("erdos-renyi:0.4", 50), two = make("erdos-renyi:0.4", 50);
  EXPECT_EQ(one.edges, two.edges);
  EXPECT_EQ(one.beta, two.beta);
  EXPECT_NE(one.edges, make("erdos-renyi:0.4", 50, "laplacian", 2).edges);
}

TEST(Network, DisconnectedFileNamesItsParts) {
  const std::string path = testing::TempDir() + "quantimed_disconnected.txt";
  std::ofstream(path) << "0 1\n1 2\n2 3\n5 6\n";
  EXPECT_THAT([&] { make("file:" + path, 8); },
              ThrowsMessage<InputError>(
                  AllOf(HasSubstr("--graph file:"), HasSubstr("not connected"), HasSubstr("8 nodes fall into 4 parts"),
                        HasSubstr("4 nodes (0, 1, 2, …), 2 nodes (5, 6), 1 node (4)"), HasSubstr("add edges"))));
  std::filesystem::remove(path);
}

TEST(Eccentricity, CountsEdges) {
  EXPECT_EQ(make("ring", 10).eccentricity(3), 5u);
  EXPECT_EQ(make("ring", 11).eccentricity(3), 5u);
  EXPECT_EQ(make("torus", 36).eccentricity(7), 6u);
  EXPECT_EQ(make("complete", 9).eccentricity(8), 1u);
  EXPECT_EQ(make("star", 9).eccentricity(0), 1u);
  EXPECT_EQ(make("star", 9).eccentricity(4), 2u);
}

TEST(Network, OfAHundredThousandNodes) {
  const Network network = make("ring", 100'000);
  const double s = std::sin(3.14159265358979323846 / 100'000);
  EXPECT_NEAR(network.spectral_gap / (s * s), 1, 1e-12);
  EXPECT_EQ(network.eccentricity(0), 50'000u);
}

}  // namespace
}  // namespace quantimed

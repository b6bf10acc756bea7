// SPDX-License-Identifier: BSD-3-Clause
#include "theory/reference.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "theory/problems.hpp"

namespace quantimed {
namespace {

constexpr std::uint32_t kReferenceNodes = 7;

// Node i's part of x*_α on a ring, f_i = ½ (x − c_i)²: (I − W) x + α (x − c) = 0, solved in the ring's own modes, with
// W = I − L/4 (the paper's κ = d_max + 2), whose eigenvalues are 1 − (1 − cos 2πk/n)/2.
std::vector<double> ring_solution(const std::vector<float>& c, double alpha) {
  const std::size_t n = c.size();
  std::vector<double> x(n, 0.0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < n; ++k) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
        const double one_minus_lambda = (1 - std::cos(angle)) / 2;
        const double wave = std::cos(angle * (static_cast<double>(i) - static_cast<double>(j)));
        x[i] += alpha / (alpha + one_minus_lambda) * wave / static_cast<double>(n) * static_cast<double>(c[j]);
      }
  return x;
}

const std::vector<float> kCentres = {0.5f, -1.0f, 2.0f, 0.25f, -0.75f, 1.5f, 0.0f};

TEST(Reference, ThePenaltyFunctionsMinimiserOnARingIsTheClosedForm) {
  const Dataset data = centres(kCentres);
  const ConvexProblem f(data, equal_shards(data, kReferenceNodes), ConvexLoss::squared, 0);
  const Network ring = make_network(parse_graph("ring"), {}, kReferenceNodes, 1);
  const Minimum minimum = minimise(f);
  for (const double alpha : {1.0, 0.1, 1e-3}) {
    const PenaltyMinimum penalty = minimise_penalty(f, ring, alpha, smoothness(f).mu, minimum.x);
    const std::vector<double> exact = ring_solution(kCentres, alpha);
    for (NodeId i = 0; i < kReferenceNodes; ++i) EXPECT_NEAR(penalty.x[i], exact[i], 1e-12) << alpha;
    EXPECT_LT(penalty.error, 1e-10);
  }
}

// ‖x*_α,i − x*‖² = O(α²): with α = T^(−δ/2) that is the T^−δ of the proof's second step.
TEST(Reference, TheBiasFallsWithTheSquareOfAlpha) {
  const Dataset data = centres(kCentres);
  const ConvexProblem f(data, equal_shards(data, kReferenceNodes), ConvexLoss::squared, 0);
  const Network ring = make_network(parse_graph("ring"), {}, kReferenceNodes, 1);
  const Minimum minimum = minimise(f);
  const auto bias = [&](double alpha) {
    const PenaltyMinimum penalty = minimise_penalty(f, ring, alpha, 1, minimum.x);
    double sum = 0;
    for (const double x : penalty.x) sum += (x - minimum.x[0]) * (x - minimum.x[0]);
    return sum / kReferenceNodes;
  };
  EXPECT_NEAR(std::log10(bias(1e-3) / bias(1e-4)), 2, 0.01);
  EXPECT_NEAR(std::log10(bias(1e-4) / bias(1e-5)), 2, 0.001);
}

TEST(Reference, TheMeanIsTheMinimumOfSquares) {
  const Dataset data = centres(kCentres);
  const ConvexProblem f(data, equal_shards(data, kReferenceNodes), ConvexLoss::squared, 0);
  const Minimum minimum = minimise(f);
  double mean = 0, variance = 0;
  for (const float c : kCentres) mean += static_cast<double>(c) / kReferenceNodes;
  for (const float c : kCentres) variance += std::pow(static_cast<double>(c) - mean, 2) / kReferenceNodes;
  EXPECT_NEAR(minimum.x[0], mean, 1e-14);
  EXPECT_NEAR(minimum.value, variance / 2, 1e-14);
}

TEST(Reference, ARankThatIsShortGivesTheSolutionOfLeastNorm) {
  const Dataset data = table({1, 1, 2, 2}, {2, 4});  // x_1 + x_2 = 2, twice
  const ConvexProblem f(data, equal_shards(data, 1), ConvexLoss::squared, 0);
  const Minimum minimum = minimise(f);
  EXPECT_NEAR(minimum.x[0], 1, 1e-12);
  EXPECT_NEAR(minimum.x[1], 1, 1e-12);
  EXPECT_NEAR(minimum.value, 0, 1e-24);
  EXPECT_EQ(smoothness(f).mu, 0);
}

TEST(Reference, LogisticRegressionIsSolvedToRounding) {
  const DataSplit data = load_dataset({.name = "gaussian-logistic:6"});
  const Shards shards = make_shards(data.train, {}, 5, 40, 1);
  const ConvexProblem f(data.train, shards, ConvexLoss::logistic, 20);
  const Minimum minimum = minimise(f);
  EXPECT_LT(minimum.gradient_norm, 1e-12);
  std::vector<double> aside = minimum.x;
  for (double& x : aside) x += 1e-3;
  EXPECT_GT(f.value(aside), minimum.value);
  // The penalty function's gradient vanishes node by node: (I − W) x + α ∇f_i(x_i) = 0.
  const Network network = make_network(parse_graph("complete"), {}, 5, 1);
  const double alpha = 0.01, mu = smoothness(f).mu;
  EXPECT_DOUBLE_EQ(mu, 0.1);
  const PenaltyMinimum penalty = minimise_penalty(f, network, alpha, mu, minimum.x);
  EXPECT_LE(penalty.error, 1e-10);
  std::vector<double> g(6);
  for (NodeId i = 0; i < 5; ++i) {
    f.local_gradient(i, std::span(penalty.x).subspan(i * 6, 6), g);
    for (std::size_t k = 0; k < 6; ++k) {
      double pull = alpha * g[k];
      for (const Neighbour& j : network.neighbours(i))
        pull += static_cast<double>(j.weight) * (penalty.x[i * 6 + k] - penalty.x[j.id * 6 + k]);
      EXPECT_NEAR(pull, 0, 1e-13);
    }
  }
}

TEST(Reference, SeparableClassesWithoutPenaltyHaveNoMinimiser) {
  const Dataset data = table({1, 2, -1, -2}, {1, 1, 0, 0}, 2);
  const ConvexProblem f(data, equal_shards(data, 2), ConvexLoss::logistic, 0);
  try {
    minimise(f);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("--l2"));
  }
}

TEST(Reference, ConstantsOfAHandMadeProblem) {
  // Node 0 has rows (2, 0), (0, 1) with targets 2, 0; node 1 has (1, 0), (0, 3) with 0, 3.
  const Dataset data = table({2, 0, 0, 1, 1, 0, 0, 3}, {2, 0, 0, 3});
  const ConvexProblem f(data, equal_shards(data, 2), ConvexLoss::squared, 4);  // λ/N = 1
  EXPECT_DOUBLE_EQ(smoothness(f).mu, 1.5);  // node 0: (4, 1)/2 + 1; node 1: (1, 9)/2 + 1
  EXPECT_DOUBLE_EQ(smoothness(f).K, 5.5);
  const std::vector<double> origin = {0, 0};
  // Sample gradients at 0: node 0 (−4, 0), (0, 0); node 1 (0, 0), (0, −9). Their means are half of the first.
  EXPECT_DOUBLE_EQ(gradient_noise(f, origin), 9 * 9 / 4.0);
  EXPECT_DOUBLE_EQ(disagreement(f, origin), (4 + 20.25) / 2);
}

TEST(Reference, QuantizerVarianceIsTheGridsAndWithinItsBound) {
  const auto codec = make_codec("low-precision:0.5");
  const std::vector<float> x(1000, 0.25f);  // halfway between two points of the grid: Δ²/4 each
  EXPECT_NEAR(quantizer_variance(*codec, x, 1), 1000 * 0.0625, 1e-6);
  EXPECT_LE(quantizer_variance(*codec, x, 1), codec->variance_bound(x) * (1 + 1e-9));
  EXPECT_EQ(quantizer_variance(*make_codec("exact"), x, 1), 0);
}

TEST(Reference, MeanSecondsASampleOfUniformSpeeds) {
  const auto speed = make_speed_model("uniform:10,90", 1);
  EXPECT_NEAR(mean_seconds_a_sample(*speed, 10), std::log(9.0) / 80, 2e-4);  // E[1/V] = ln(90/10) / (90 − 10)
}

}  // namespace
}  // namespace quantimed

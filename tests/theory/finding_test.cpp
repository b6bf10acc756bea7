// SPDX-License-Identifier: BSD-3-Clause
#include "theory/finding.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace quantimed {
namespace {

constexpr Promise kQuarter{-0.25};

std::string said(double low, double high, Promise promise = kQuarter, Axis axis = Axis::horizon,
                 Quantity quantity = Quantity::distance) {
  return judge_bound({.exponent = (low + high) / 2, .low = low, .high = high}, promise, axis, quantity, "").text;
}

TEST(Finding, IsOneSidedAndLeavesOpenWhatTheIntervalHolds) {
  EXPECT_EQ(said(-0.32, -0.26), kBoundMet);
  EXPECT_EQ(said(-0.28, -0.226), kBoundMet) << "within a tenth of the bound";
  EXPECT_EQ(said(-0.60, -0.55), kBoundMet) << "faster than a bound meets it";
  EXPECT_EQ(said(-0.28, -0.20), kNotDecided) << "holds the bound";
  EXPECT_EQ(said(-0.15, -0.10), kSlower);
  EXPECT_EQ(said(-0.10, 0.02), kNotDecided) << "holds 0";
  EXPECT_EQ(said(-0.249 - 0.304, -0.249 + 0.306), kNotDecided) << "less data is no confirmation";
  EXPECT_EQ(said(-0.55, -0.27), kNotDecided) << "wider than half the bound";
}

TEST(Finding, AProvenBoundIsNeverRefuted) {
  EXPECT_EQ(said(-0.221, -0.213, kQuarter, Axis::horizon, Quantity::bias), kNotDecided);
  EXPECT_EQ(said(-0.240, -0.237, kQuarter, Axis::horizon, Quantity::bias), kBoundMet);
}

TEST(Finding, FollowsTheAxis) {
  EXPECT_EQ(said(0.95, 1.05, {1}, Axis::deadline), kBoundMet);
  EXPECT_EQ(said(0.5, 0.7, {1}, Axis::deadline), kSlower);
  EXPECT_EQ(said(0.86, 1.07, {1}, Axis::deadline), kNotDecided);
  EXPECT_EQ(said(-1.3, -0.7, {-2}, Axis::graph), kNoViolation) << "never more than that";
  EXPECT_EQ(said(-4, -2.5, {-2}, Axis::graph), kSlower);
}

TEST(Finding, SaysWhyItIsOpen) {
  const PowerFit fit{.exponent = -0.25, .low = -0.26, .high = -0.24};
  const Finding short_range = judge_bound(fit, kQuarter, Axis::horizon, Quantity::distance, "too short");
  EXPECT_EQ(short_range.text, kNotDecided);
  EXPECT_EQ(short_range.reason, "too short");
  PowerFit bent = fit;
  bent.is_straight = false;
  EXPECT_EQ(judge_bound(bent, kQuarter, Axis::horizon, Quantity::distance, "").reason, "no straight range");
}

// Seven horizons, ten seeds, values y = T^slope with lognormal scatter: how often each finding is made.
struct Shares {
  double met = 0, slower = 0;
};
Shares shares(double slope, double scatter) {
  constexpr int kStudies = 100;
  const std::vector<double> x = {100, 300, 1000, 3000, 1e4, 3e4, 1e5};
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal(0, scatter);
  Shares result;
  for (int k = 0; k < kStudies; ++k) {
    std::vector<std::vector<double>> y(x.size());
    for (std::size_t point = 0; point < x.size(); ++point)
      for (int seed = 0; seed < 10; ++seed) y[point].push_back(std::pow(x[point], slope) * std::exp(normal(random)));
    const Finding finding = judge_bound(fit_power(x, y, 1), kQuarter, Axis::horizon, Quantity::distance, "");
    result.met += (finding.text == kBoundMet) / static_cast<double>(kStudies);
    result.slower += (finding.text == kSlower) / static_cast<double>(kStudies);
  }
  return result;
}

TEST(Finding, ScatterNeverTurnsASlowerRateIntoAMetBound) {
  for (const double scatter : {0.3, 0.6, 1.0, 1.5}) EXPECT_LE(shares(-0.15, scatter).met, 0.05) << scatter;
}

TEST(Finding, ARateThatMeetsTheBoundIsNotCalledSlower) {
  for (const double scatter : {0.1, 0.3, 1.0}) EXPECT_LE(shares(-0.25, scatter).slower, 0.05) << scatter;
}

TEST(Finding, HasThePowerToDecideWhereSeedsAgree) {
  EXPECT_GE(shares(-0.30, 0.1).met, 0.9);
  EXPECT_GE(shares(-0.15, 0.1).slower, 0.9);
}

TEST(Terms, TheLargestIsNamed) {
  EXPECT_STREQ(terms_of(1, 100, 14, 0.1).largest(), "start");
  EXPECT_STREQ(terms_of(10, 100, 0.5, 0.1).largest(), "noise");
  EXPECT_STREQ(terms_of(10, 100, 0.05, 0.1).largest(), "bias");
  EXPECT_NEAR(terms_of(1, 100, 14, 0).start, 100 * std::exp(-2), 1e-12);
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "theory/fit.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"

namespace quantimed {
namespace {

const std::vector<double> kHorizons = {100, 300, 1000, 3000, 10000, 30000, 100000};

TEST(Fit, FindsAnExactPowerAndUsesAllPoints) {
  std::vector<std::vector<double>> y;
  for (const double t : kHorizons) y.push_back({3 * std::pow(t, -0.4)});
  const PowerFit fit = fit_power(kHorizons, y, 1);
  EXPECT_NEAR(fit.exponent, -0.4, 1e-12);
  EXPECT_NEAR(fit.low, -0.4, 1e-9);
  EXPECT_NEAR(fit.high, -0.4, 1e-9);
  EXPECT_NEAR(std::exp(fit.log_constant), 3, 1e-9);
  EXPECT_EQ(fit.first, 0u);
  EXPECT_TRUE(fit.is_straight);
}

TEST(Fit, LeavesATransientOut) {
  std::vector<std::vector<double>> y;
  for (const double t : kHorizons) y.push_back({std::pow(t, -0.3) + 100 * std::exp(-t / 100)});
  const PowerFit fit = fit_power(kHorizons, y, 1);
  EXPECT_GE(fit.first, 2u);
  EXPECT_NEAR(fit.exponent, -0.3, 0.01);
}

TEST(Fit, SaysWhereEvenTheLastPointsAreBent) {
  std::vector<std::vector<double>> y;
  for (const double t : kHorizons) y.push_back({std::exp(-std::pow(std::log(t), 2) / 10)});
  const PowerFit fit = fit_power(kHorizons, y, 1);
  EXPECT_FALSE(fit.is_straight);
  EXPECT_EQ(fit.first, kHorizons.size() - kLeastPoints);
}

// Of a hundred noisy experiments the 95 % interval should hold the truth in about 95; seeds are few, so ask for 85.
TEST(Fit, TheIntervalHoldsTheTruth) {
  int held = 0;
  for (std::uint64_t experiment = 0; experiment < 100; ++experiment) {
    Stream random({.seed = experiment, .purpose = Purpose::check});
    std::vector<std::vector<double>> y;
    for (const double t : kHorizons) {
      y.emplace_back();
      for (int seed = 0; seed < 8; ++seed) y.back().push_back(std::pow(t, -0.25) * random.uniform(0.5, 1.5));
    }
    const PowerFit fit = fit_power(kHorizons, y, 1);
    EXPECT_LE(fit.low, fit.exponent);
    EXPECT_GE(fit.high, fit.exponent);
    held += fit.low <= -0.25 && -0.25 <= fit.high;
  }
  EXPECT_GE(held, 85);
}

TEST(Fit, DoesNotDependOnTheUnit) {
  std::vector<std::vector<double>> y, scaled;
  std::vector<double> minutes;
  Stream random({.seed = 5, .purpose = Purpose::check});
  for (const double t : kHorizons) {
    minutes.push_back(t / 60);
    y.push_back({random.uniform(1, 2) / t, random.uniform(1, 2) / t});
    scaled.push_back({y.back()[0] * 1e-6, y.back()[1] * 1e-6});
  }
  const PowerFit a = fit_power(kHorizons, y, 1), b = fit_power(minutes, scaled, 1);
  EXPECT_NEAR(a.exponent, b.exponent, 1e-9);
  EXPECT_NEAR(a.low, b.low, 1e-9);
  EXPECT_EQ(a.first, b.first);
}

}  // namespace
}  // namespace quantimed

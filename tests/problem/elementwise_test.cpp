// SPDX-License-Identifier: BSD-3-Clause
// The vectorised functions against float64 on dense grids.
#include "problem/elementwise.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

namespace quantimed {
namespace {

constexpr double kTolerance = 2e-7;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The largest relative error over `points` floats from low to high, and as many that crowd towards 0.
template <class Fast, class Exact>
double worst_error(float low, float high, Fast fast, Exact exact) {
  constexpr int points = 400'000;
  double worst = 0;
  const auto try_at = [&](float x) {
    const double truth = exact(static_cast<double>(x));
    if (std::fabs(truth) < 1.2e-38) return;
    worst = std::max(worst, std::fabs(static_cast<double>(fast(x)) - truth) / std::fabs(truth));
  };
  for (int i = 0; i <= points; ++i) {
    const float t = static_cast<float>(i) / points;
    try_at(low + (high - low) * t);
    try_at(low * std::pow(1e-9f, t));
    try_at(high * std::pow(1e-9f, t));
  }
  return worst;
}

TEST(Elementwise, ExpOfNonPositive) {
  EXPECT_LT(worst_error(-87, 0, exp_nonpositive, [](double x) { return std::exp(x); }), kTolerance);
  EXPECT_EQ(exp_nonpositive(0), 1.0f);
  EXPECT_LT(exp_nonpositive(-1000), 2e-38f);
  EXPECT_LT(exp_nonpositive(-kInfinity), 2e-38f);
}

TEST(Elementwise, LogOfOnePlus) {
  EXPECT_LT(worst_error(0, 1, log1p_unit, [](double u) { return std::log1p(u); }), kTolerance);
  EXPECT_EQ(log1p_unit(0), 0.0f);
}

TEST(Elementwise, SoftplusTail) {
  EXPECT_LT(worst_error(-87, 87, softplus_tail, [](double z) { return std::log1p(std::exp(-std::fabs(z))); }),
            2 * kTolerance);
}

TEST(Elementwise, Sigmoid) {
  EXPECT_LT(worst_error(-87, 87, sigmoid, [](double z) { return 1 / (1 + std::exp(-z)); }), kTolerance);
  EXPECT_EQ(sigmoid(0), 0.5f);
  EXPECT_EQ(sigmoid(kInfinity), 1.0f);
  EXPECT_LT(sigmoid(-kInfinity), 2e-38f);
}

TEST(Elementwise, Tangent) {
  EXPECT_LT(worst_error(-50, 50, tangent, [](double z) { return std::tanh(z); }), kTolerance);
  EXPECT_LT(worst_error(-1, 1, tangent, [](double z) { return std::tanh(z); }), kTolerance);
  EXPECT_EQ(tangent(0), 0.0f);
  EXPECT_EQ(tangent(kInfinity), 1.0f);
  EXPECT_EQ(tangent(-kInfinity), -1.0f);
}

TEST(Elementwise, NaNStays) {
  for (float (*function)(float) : {exp_nonpositive, log1p_unit, softplus_tail, sigmoid, tangent})
    EXPECT_TRUE(std::isnan(function(kNaN)));
}

}  // namespace
}  // namespace quantimed

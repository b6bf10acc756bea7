// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/median.hpp"

#include "statistics/arrival.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace quantimed {
namespace {

TEST(Median, IsTheMeanOfTheMiddleTwoAndTakesNeverAsTheLargest) {
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);  // not the lower middle, 2
  EXPECT_EQ(median({5, 1, 3}), 3);
  EXPECT_EQ(median({1, kNever, 2}), 2);
  EXPECT_EQ(median({1, kNever}), kNever);
  EXPECT_EQ(median({kNever, kNever}), kNever);
  EXPECT_EQ(median({kNoFigure, 7}), 7);
  EXPECT_TRUE(std::isnan(median({})));
}

TEST(Median, OfUpToFiveValuesHasARangeAndNoCoverage) {
  const Estimate five = estimate_median({3, 1, 5, 2, 4});
  EXPECT_EQ(five.spread, SpreadKind::range);
  EXPECT_EQ(five.low, 1);
  EXPECT_EQ(five.high, 5);
  EXPECT_EQ(five.coverage, 0);
  EXPECT_EQ(five.count, 5u);
  EXPECT_EQ(estimate_median({}).spread, SpreadKind::none);
}

TEST(Median, FromSixOnHasTheNarrowestOrderStatisticsOfNinetyFivePercent) {
  // Exact coverages from the table of signs: 1 − 2/2⁶; 1 − 2·11/2¹⁰; 1 − 2·(1+20+190+1140+4845+15504)/2²⁰ = 0.9586.
  const Estimate six = estimate_median({1, 2, 3, 4, 5, 6});
  EXPECT_EQ(six.spread, SpreadKind::interval);
  EXPECT_EQ(six.low, 1);
  EXPECT_EQ(six.high, 6);
  EXPECT_DOUBLE_EQ(six.coverage, 1 - 2.0 / 64);
  const Estimate ten = estimate_median({10, 9, 8, 7, 6, 5, 4, 3, 2, 1});
  EXPECT_EQ(ten.low, 2);
  EXPECT_EQ(ten.high, 9);
  EXPECT_DOUBLE_EQ(ten.coverage, 1 - 22.0 / 1024);
  EXPECT_EQ(interval_rank(20), 6u);
  EXPECT_NEAR(coverage(20, 6), 0.95861, 1e-5);
  EXPECT_LT(coverage(20, 7), kLevel);
}

TEST(Median, MissesMakeAnIntervalWorseAndAreNeverDropped) {
  const Estimate ten = estimate_median({1, 2, 3, 4, 5, 6, 7, 8, kNever, kNever});
  EXPECT_EQ(ten.median, 5.5);
  EXPECT_EQ(ten.low, 2);
  EXPECT_EQ(ten.high, kNever);
}

TEST(Median, ValuesKnownWithinBoundsWidenTheEdgesAlone) {
  const double least[] = {2, 0, 3, 4}, most[] = {2, kNever, 3, 4};
  const Estimate found = estimate_median(least, most);
  EXPECT_EQ(found.median, 3);
  EXPECT_EQ(found.low, 0);
  EXPECT_EQ(found.high, kNever);
  EXPECT_EQ(found.count, 4u);
}

TEST(Median, TheIntervalsCoverTheTrueMedianAsTheySay) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> law;  // median 1
  for (const std::size_t n : {6, 10, 20}) {
    int held = 0;
    constexpr int kSamples = 4000;
    double said = 0;
    for (int k = 0; k < kSamples; ++k) {
      std::vector<double> sample(n);
      for (double& value : sample) value = law(random);
      const Estimate found = estimate_median(sample);
      held += found.low <= 1 && 1 <= found.high;
      said = found.coverage;
    }
    EXPECT_NEAR(static_cast<double>(held) / kSamples, said, 0.01) << n;
    EXPECT_GE(said, kLevel);
  }
}

}  // namespace
}  // namespace quantimed

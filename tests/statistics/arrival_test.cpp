// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/arrival.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace quantimed {
namespace {

using testing::ElementsAre;

TEST(Arrival, OnACurveThatFallsIsLinearBetweenItsPoints) {
  const std::vector<double> time = {0, 1, 3, 4, 8}, loss = {10, 8, 5, 2, 1};
  EXPECT_THAT(smoothed(loss), testing::ElementsAreArray(loss));  // no noise, no change
  const Arrival at = arrival(time, loss, 3);
  EXPECT_DOUBLE_EQ(at.time, 3 + 2.0 / 3);
  EXPECT_EQ(at.from, 3);
  EXPECT_EQ(at.until, 4);
  EXPECT_TRUE(at.is_resolved);
  EXPECT_DOUBLE_EQ(arrival(time, loss, 1).time, 8) << "the last point counts";
  EXPECT_FALSE(arrival(time, loss, 0.5).is_there());
  EXPECT_FALSE(arrival(time, loss, std::nan("")).is_there());
  EXPECT_FALSE(arrival({}, {}, 1).is_there());
}

TEST(Arrival, BeforeTheThirdPointIsTheGridsAndUnresolved) {
  const std::vector<double> time = {0, 100, 200, 300}, loss = {10, 4, 3, 2};
  EXPECT_FALSE(arrival(time, loss, 5).is_resolved);
  EXPECT_FALSE(arrival(time, loss, 3.5).is_resolved);
  EXPECT_TRUE(arrival(time, loss, 2.5).is_resolved);
}

TEST(Arrival, IsWhereTheLossFallsAndStays) {
  const std::vector<double> time = {0, 1, 2, 3, 4, 5, 6, 7};
  // One point that dips below is no arrival; one that jumps above is no departure.
  EXPECT_DOUBLE_EQ(arrival(time, std::vector<double>{9, 8, 1, 7, 6, 5, 2, 1}, 4).time, 5 + 1.0 / 3);
  EXPECT_DOUBLE_EQ(arrival(time, std::vector<double>{9, 8, 3, 2, 9, 2, 1, 1}, 4).time, 1.8);
  // A run that rises above the target and stays there has not arrived.
  EXPECT_FALSE(arrival(time, std::vector<double>{9, 5, 2, 1, 1, 3, 78, 364}, 4).is_there());
  // The end: a lone jump is none, a lone dip neither.
  EXPECT_TRUE(arrival(time, std::vector<double>{9, 8, 7, 3, 3, 3, 3, 9}, 4).is_there());
  EXPECT_FALSE(arrival(time, std::vector<double>{9, 8, 7, 6, 6, 6, 6, 1}, 4).is_there());
}

TEST(Arrival, LossesThatAreNotFiniteAreAboveEveryTarget) {
  const std::vector<double> time = {0, 1, 2, 3, 4};
  EXPECT_FALSE(arrival(time, std::vector<double>{9, 3, 2, kNever, std::nan("")}, 4).is_there());
  EXPECT_EQ(arrival(time, std::vector<double>{kNever, kNever, 3, 2, 1}, 4).time, 2);
}

// The first crossing of a noisy curve is early; this one is not, and the same mean curve gives the same time.
TEST(Arrival, HardlyFavoursNoise) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  const auto mean = [](double t) { return 1 + 8 * std::exp(-t / 30); };
  const double target = 2, exact = 30 * std::log(8.0);
  double sum = 0, first_sum = 0;
  constexpr int kRuns = 400;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<double> time, loss;
    for (int k = 0; k <= 60; ++k) {
      time.push_back(3.0 * k);
      loss.push_back(mean(time.back()) * (1 + 0.1 * normal(random)));
    }
    sum += arrival(time, loss, target).time;
    std::size_t first = 0;
    while (loss[first] > target) ++first;
    const double share = (loss[first - 1] - target) / (loss[first - 1] - loss[first]);
    first_sum += time[first - 1] + share * (time[first] - time[first - 1]);
  }
  EXPECT_LT(first_sum / kRuns, 0.97 * exact);
  EXPECT_NEAR(sum / kRuns, exact, 0.03 * exact);
}

TEST(Arrival, TheLowestLossIsOneThatWasKept) {
  EXPECT_EQ(lowest_loss(std::vector<double>{9, 5, 1, 4, 3}), 3);
  EXPECT_EQ(lowest_loss(std::vector<double>{9, 5, 4, 3, 2}), 2);
  EXPECT_EQ(lowest_loss({}), kNever);
}

}  // namespace
}  // namespace quantimed

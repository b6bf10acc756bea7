// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/paired.hpp"

#include "statistics/arrival.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <vector>

namespace quantimed {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

TEST(Paired, TIsThatOfTheLogarithms) {
  // Logs 0.1 … 0.5: mean 0.3, sd 0.15811, t = 4.2426 with 4 degrees of freedom: p = 0.01324 (R: 2*pt(-4.2426, 4)).
  std::vector<double> ratios;
  for (const double log : {0.1, 0.2, 0.3, 0.4, 0.5}) ratios.push_back(std::exp(log));
  const PairedP found = ratios_above_one(ratios);
  EXPECT_EQ(found.test, PairedTest::log_t);
  EXPECT_NEAR(found.p, 0.013236, 1e-6);
  for (double& ratio : ratios) ratio = 1 / ratio;
  EXPECT_EQ(ratios_above_one(ratios).p, 1) << "slower is no sign of faster";
}

TEST(Paired, TheGeometricMeanHasStudentsInterval) {
  std::vector<double> ratios;
  for (const double log : {0.1, 0.2, 0.3, 0.4, 0.5}) ratios.push_back(std::exp(log));
  const GeometricMean found = geometric_mean(ratios);
  EXPECT_NEAR(found.mean, std::exp(0.3), 1e-12);
  EXPECT_NEAR(std::log(found.low), 0.3 - 2.776445 * 0.0707107, 1e-6);  // t(0.975; 4) = 2.776445
  EXPECT_NEAR(std::log(found.high), 0.3 + 2.776445 * 0.0707107, 1e-6);
}

TEST(Paired, WithAMissTheExactSignTestDecides) {
  EXPECT_EQ(ratios_above_one(std::vector<double>{2, 3, 2, 3, 2, 0}).test, PairedTest::sign);
  EXPECT_DOUBLE_EQ(ratios_above_one(std::vector<double>{2, 3, 2, 3, 2, kNever}).p, 2.0 / 64);
  EXPECT_DOUBLE_EQ(ratios_above_one(std::vector<double>{2, 3, 2, 3, 2, 0}).p, 2.0 * 7 / 64);
  EXPECT_DOUBLE_EQ(ratios_above_one(std::vector<double>{2, 0, 0, 0, 0, 1}).p, 1);
}

TEST(Paired, FewerThanFivePairsNameNobody) {
  EXPECT_EQ(ratios_above_one(std::vector<double>{4, 4.01, 4.02, 4}).p, 1);
  EXPECT_EQ(ratios_above_one(std::vector<double>{4, 4.01, 4.02, 4}).test, PairedTest::none);
}

TEST(Paired, HolmStepsDown) {
  // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
  EXPECT_THAT(
      holm(std::vector<double>{0.01, 0.04, 0.03, 0.005}),
      ElementsAre(DoubleNear(0.03, 1e-12), DoubleNear(0.06, 1e-12), DoubleNear(0.06, 1e-12), DoubleNear(0.02, 1e-12)));
  EXPECT_THAT(holm(std::vector<double>{0.6, 0.7}), ElementsAre(1, 1));
  EXPECT_TRUE(holm({}).empty());
}

}  // namespace
}  // namespace quantimed

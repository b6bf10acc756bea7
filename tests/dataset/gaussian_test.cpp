// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/gaussian.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"

namespace quantimed {
namespace {

TEST(Gaussian, HasTheStatedShapeAndMoments) {
  const DataSplit split = load_dataset({.name = "gaussian-linear:4", .seed = 3});
  ASSERT_TRUE(split.test);
  EXPECT_EQ(split.train.samples, 10'000u);
  EXPECT_EQ(split.test->samples, 2'000u);
  EXPECT_EQ(split.train.features, 4u);
  EXPECT_EQ(split.train.classes, 0u);
  double sum = 0, squares = 0;
  for (const float a : split.train.values) {
    sum += static_cast<double>(a);
    squares += static_cast<double>(a) * static_cast<double>(a);
  }
  const double count = static_cast<double>(split.train.values.size());  // five standard errors
  EXPECT_NEAR(sum / count, 0, 5 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 1, 5 * std::sqrt(2 / count));
}

TEST(Gaussian, ClassesOverlap) {
  const DataSplit split = load_dataset({.name = "gaussian-logistic:6"});
  EXPECT_EQ(split.train.classes, 2u);
  double ones = 0;
  for (const float y : split.train.targets) ones += static_cast<double>(y);
  EXPECT_NEAR(ones / split.train.samples, 0.5, 0.03);
}

TEST(Gaussian, TheSeedAloneFixesIt) {
  const DataSplit a = load_dataset({.name = "gaussian-linear:2", .seed = 5}),
                  b = load_dataset({.name = "gaussian-linear:2", .seed = 5}),
                  c = load_dataset({.name = "gaussian-linear:2", .seed = 6});
  EXPECT_EQ(a.train.values, b.train.values);
  EXPECT_EQ(a.train.targets, b.train.targets);
  EXPECT_NE(a.train.values, c.train.values);
  EXPECT_TRUE(is_generated("gaussian-linear:2"));
  EXPECT_FALSE(is_generated("mnist"));
}

TEST(Gaussian, BadNumbersOfFeaturesAreRefused) {
  for (const char* name : {"gaussian-linear:", "gaussian-linear:0", "gaussian-linear:x", "gaussian-logistic:2001",
                           "gaussian-linear:-3", "gaussian-linear:3x"})
    EXPECT_THROW(load_dataset({.name = name}), InputError) << name;
  EXPECT_THROW(load_dataset({.name = "gaussian-linear"}), InputError);  // a path that is not there
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "theory/schedule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace quantimed {
namespace {

// The table of paper.md, row by row.
TEST(Schedule, StepSizesAndPromisesAreTheTheorems) {
  const StepSchedule strong = parse_schedule("strongly-convex:0.4"), convex = parse_schedule("convex:0.4"),
                     nonconvex = parse_schedule("nonconvex");
  EXPECT_DOUBLE_EQ(powers(strong).alpha, 0.2);
  EXPECT_DOUBLE_EQ(powers(strong).epsilon, 0.6);
  EXPECT_DOUBLE_EQ(promise(strong, Axis::horizon, Quantity::distance)->exponent, -0.4);
  EXPECT_DOUBLE_EQ(promise(strong, Axis::horizon, Quantity::bias)->exponent, -0.4);
  EXPECT_DOUBLE_EQ(powers(convex).alpha, 0.1);
  EXPECT_DOUBLE_EQ(powers(convex).epsilon, 0.3);
  EXPECT_DOUBLE_EQ(promise(convex, Axis::horizon, Quantity::average_gap)->exponent, -0.2);
  EXPECT_DOUBLE_EQ(powers(nonconvex).alpha, 1.0 / 6);
  EXPECT_DOUBLE_EQ(powers(nonconvex).epsilon, 0.5);
  EXPECT_DOUBLE_EQ(promise(nonconvex, Axis::horizon, Quantity::mean_gradient)->exponent, -1.0 / 3);
  EXPECT_DOUBLE_EQ(promise(nonconvex, Axis::horizon, Quantity::mean_consensus)->exponent, -1.0 / 3);
  EXPECT_FALSE(promise(nonconvex, Axis::horizon, Quantity::distance));
  EXPECT_FALSE(promise(convex, Axis::deadline, Quantity::penalty_distance));
}

TEST(Schedule, BadOnesNameTheOption) {
  for (const char* text : {"", "strongly-convex", "strongly-convex:", "strongly-convex:0", "strongly-convex:0.5",
                           "convex:-1", "convex:nan", "convex:0.1x", "nonconvex:0.1", "linear:0.1"}) {
    try {
      parse_schedule(text);
      ADD_FAILURE() << text;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith("--schedule ")) << text;
    }
  }
}

TEST(Schedule, EveryQuantityIsFoundByItsName) {
  for (const QuantityRow& row : quantity_table()) {
    EXPECT_EQ(parse_quantity("--quantities", row.name), row.quantity);
    EXPECT_STREQ(row_of(row.quantity).name, row.name);
  }
  EXPECT_THROW(parse_quantity("--quantities", "speed"), InputError);
}

}  // namespace
}  // namespace quantimed

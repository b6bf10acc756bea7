// SPDX-License-Identifier: BSD-3-Clause
#include "engine/threads/stillness.hpp"

#include <gtest/gtest.h>

namespace quantimed {
namespace {

constexpr Seconds kLook = 0.05;

TEST(Stillness, APatienceThatWasGivenIsKeptToTheSecond) {
  Stillness watch(3, 10, kLook, 100);
  EXPECT_FALSE(watch.is_too_long(103));
  EXPECT_TRUE(watch.is_too_long(103.1));
  watch.look(103.1, 1);
  EXPECT_FALSE(watch.is_too_long(106));
  EXPECT_EQ(watch.lasts(106), 106 - 103.1);
}

TEST(Stillness, OnlyAnIterationThatEndsIsProgress) {
  Stillness watch(3, 0, kLook, 0);
  watch.look(1, 5);
  for (Seconds now = 1; now < 6; now += kLook) watch.look(now, 5);
  EXPECT_TRUE(watch.is_too_long(4.1));
}

TEST(Stillness, TheAutomaticPatienceAllowsAHundredOfTheLongestRounds) {
  Stillness watch(0, 0.01, kLook, 0);
  EXPECT_FALSE(watch.is_too_long(kUsualPatience_s));
  EXPECT_TRUE(watch.is_too_long(kUsualPatience_s + 1));
  watch.look(2.1, 1);  // a round of two seconds
  EXPECT_FALSE(watch.is_too_long(2.1 + 199));
  EXPECT_TRUE(watch.is_too_long(2.1 + 201));
}

TEST(Stillness, ARoundThatIsExpectedToBeLongIsWaitedFor) {
  const Stillness watch(0, 7, kLook, 0);
  EXPECT_FALSE(watch.is_too_long(699));
  EXPECT_TRUE(watch.is_too_long(701));
}

}  // namespace
}  // namespace quantimed

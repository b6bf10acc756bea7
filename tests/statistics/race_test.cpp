// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/race.hpp"

#include <gmock/gmock.h>

#include <cmath>

namespace quantimed {
namespace {

Finish at(double time, double end = 1000) {
  Finish run{.fate = Fate::arrived, .time = time, .from = time, .until = time};
  run.end = end;
  return run;
}
Finish other(Fate fate, double end = 1000) {
  Finish run{.fate = fate};
  run.end = end;
  return run;
}
std::vector<Finish> all(std::initializer_list<double> times) {
  std::vector<Finish> runs;
  for (const double time : times) runs.push_back(at(time));
  return runs;
}

TEST(Race, NamesAWinnerThatIsClearOverEachOther) {
  const std::vector<std::vector<Finish>> runs = {all({100, 110, 105, 95, 100}), all({200, 215, 212, 188, 204}),
                                                 all({150, 160, 158, 145, 149})};
  const Race found = race(runs);
  ASSERT_TRUE(found.first);
  EXPECT_EQ(*found.first, 0u);
  EXPECT_TRUE(found.has_winner);
  ASSERT_EQ(found.against.size(), 2u);
  EXPECT_EQ(found.against[0].test.test, PairedTest::log_t);
  EXPECT_GT(found.against[0].ratio.low, 1.9);
  EXPECT_GE(found.against[1].corrected_p, found.against[1].test.p);
}

TEST(Race, IsTooCloseWhereTheRunnerUpIsWithinTheSpread) {
  // The first beats the third by far, and the second in three of five.
  const std::vector<std::vector<Finish>> runs = {all({100, 110, 105, 95, 100}), all({104, 100, 111, 101, 98}),
                                                 all({300, 310, 320, 290, 300})};
  const Race found = race(runs);
  EXPECT_EQ(*found.first, 0u);
  EXPECT_FALSE(found.has_winner);
  EXPECT_FALSE(found.against[0].is_clear);
  EXPECT_TRUE(found.against[1].is_clear);
}

TEST(Race, ALeadThatPrintsAsNoneIsNone) {
  const std::vector<std::vector<Finish>> runs = {all({100, 110, 105, 95, 100}),
                                                 all({100.2, 110.2, 105.2, 95.2, 100.2})};
  EXPECT_LT(race(runs).against[0].test.p, 0.001);
  EXPECT_FALSE(race(runs).has_winner);
}

TEST(Race, MissesDivergenceAndInvalidRunsNeverArrive) {
  const std::vector<std::vector<Finish>> runs = {
      all({100, 110, 105, 95, 100, 101}),
      {at(90), at(90), other(Fate::missed), other(Fate::diverged), other(Fate::invalid), other(Fate::missed)}};
  const Race found = race(runs);
  EXPECT_EQ(found.times[1].median, kNever);
  EXPECT_EQ(*found.first, 0u);
  EXPECT_EQ(found.against[0].ratio.median, kNever);
  EXPECT_EQ(found.against[0].ratio.low, 90.0 / 110);
  EXPECT_FALSE(found.has_winner) << "the other was first where it arrived";
}

TEST(Race, TheOnlyOneToArriveWinsByWhatTheOthersRunsShow) {
  const std::vector<Finish> mine = all({100, 110, 105, 95, 100});
  const auto against = [&](Fate fate, double end) {
    return race(std::vector<std::vector<Finish>>{mine, std::vector<Finish>(5, other(fate, end))});
  };
  EXPECT_TRUE(against(Fate::missed, 1000).has_winner);
  EXPECT_TRUE(against(Fate::diverged, 1000).has_winner);
  // A run that was ended before our time shows nothing.
  EXPECT_FALSE(against(Fate::missed, 90).has_winner);
  // Nor do runs that do not count.
  EXPECT_FALSE(against(Fate::invalid, 1000).is_judged[1]);
  EXPECT_FALSE(against(Fate::unfinished, 1000).is_judged[1]);
  EXPECT_TRUE(against(Fate::unfinished, 1000).against.empty());
}

TEST(Race, APairThatBothMissedIsKeptAndSaysNothing) {
  std::vector<Finish> mine = all({100, 110, 105, 95, 100}), theirs = all({200, 215, 212, 188, 204});
  mine.push_back(other(Fate::missed));
  theirs.push_back(other(Fate::missed));
  const Race found = race(std::vector<std::vector<Finish>>{mine, theirs});
  EXPECT_EQ(found.against[0].ratio.count, 6u);
  EXPECT_EQ(found.against[0].ratio.low, 0);
  EXPECT_EQ(found.against[0].ratio.high, kNever);
  EXPECT_NEAR(found.against[0].ratio.median, 2, 0.05);
  EXPECT_EQ(found.against[0].test.test, PairedTest::sign);
  EXPECT_FALSE(found.has_winner);
}

TEST(Race, ATimeThatIsNotResolvedCountsAtItsWorseEdge) {
  std::vector<Finish> mine = all({50, 50, 50, 50, 50}), theirs = all({80, 81, 82, 83, 84});
  EXPECT_TRUE(race(std::vector<std::vector<Finish>>{mine, theirs}).has_winner);
  for (Finish& run : mine) {
    run.from = 0;
    run.until = 100;
    run.is_resolved = false;
  }
  const Race found = race(std::vector<std::vector<Finish>>{mine, theirs});
  EXPECT_FALSE(found.has_winner);
  EXPECT_EQ(found.against[0].ratio.low, 0.8);
  EXPECT_EQ(found.against[0].ratio.high, kNever);
}

TEST(Race, NobodyIsFirstWhereHalfOfEachMissed) {
  const std::vector<std::vector<Finish>> runs = {{at(1), at(2), other(Fate::missed), other(Fate::missed)},
                                                 {at(1), other(Fate::missed), other(Fate::missed), at(1)}};
  EXPECT_FALSE(race(runs).first);
  EXPECT_FALSE(race(runs).has_winner);
}

TEST(Race, TwoAlgorithmsAreCorrectedForTheTargets) {
  const std::vector<std::vector<Finish>> runs = {all({100, 110, 105, 95, 100}), all({104, 117, 109, 103, 102})};
  Race one = race(runs), same = one, third = one;
  ASSERT_TRUE(one.has_winner);
  const double alone = one.against[0].corrected_p;
  Race* const races[] = {&one, &same, &third};
  correct_over_targets(races);
  EXPECT_DOUBLE_EQ(one.against[0].corrected_p, 3 * alone);
  EXPECT_EQ(one.has_winner, 3 * alone <= 0.05);
}

}  // namespace
}  // namespace quantimed

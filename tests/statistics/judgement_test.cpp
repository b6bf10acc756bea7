// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/judgement.hpp"

#include "base/error.hpp"
#include "statistics/headline.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace quantimed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Falls from 9 to `floor` with this time constant; 41 points until `end`.
JudgedRun falling(std::size_t entry, std::uint64_t seed, double constant, double floor, double end = 400,
                  std::size_t clocks = 1) {
  JudgedRun run;
  run.entry = entry;
  run.seed = seed;
  const double scatter = 1 + 0.01 * static_cast<double>(seed % 5);
  for (std::size_t clock = 0; clock < clocks; ++clock) {
    TimedCurve curve;
    for (int k = 0; k <= 40; ++k) {
      const double t = end * k / 40;
      curve.time.push_back(t * (clock == 0   ? 1
                                : entry == 0 ? 4
                                             : 1.1));  // the first algorithm's code is long on the wire
      curve.loss.push_back(floor + (9 - floor) * std::exp(-t / (constant * scatter)));
    }
    run.curves.push_back(std::move(curve));
  }
  return run;
}

// "swift" is fast and has the higher floor, "deep" slow and low: their curves cross.
Inquiry crossing(std::size_t seeds = 5, std::size_t clocks = 1) {
  Inquiry inquiry;
  inquiry.entries = {{.name = "swift"}, {.name = "deep"}};
  inquiry.clocks = {"paper", "wire"};
  inquiry.clocks.resize(clocks);
  inquiry.baselines = {1};
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    inquiry.runs.push_back(falling(0, seed, 20, 2, 400, clocks));
    inquiry.runs.push_back(falling(1, seed, 60, 1, 400, clocks));
  }
  return inquiry;
}

TEST(Judgement, TargetsAreSharesOfTheFallToTheBestOfAnyRunAndCanBeQuoted) {
  const Judgement found = judge(crossing());
  EXPECT_THAT(found.targets, ElementsAre(5.01, 3.01, 1.81, 1.41, 1.1));  // the other's end, 2, is none of them
  EXPECT_EQ(found.start, 9);
  EXPECT_NEAR(found.best, 1.01, 0.01);
  EXPECT_THAT(targets_between(1, 1), IsEmpty());
  EXPECT_THAT(targets_between(0.4, 0.2), ElementsAre(0.3, 0.25, 0.22, 0.21, 0.202));
}

TEST(Judgement, SaysWhereCurvesCross) {
  const Inquiry inquiry = crossing();
  const Judgement found = judge(inquiry);
  const std::string text = headline(inquiry, found, 0);
  // At 5.01 the points of the curves do not resolve the times, so there is only a bound.
  EXPECT_THAT(text, HasSubstr("Fastest down to loss 3.01: swift, at least "));
  EXPECT_THAT(text, HasSubstr("× as fast as the next, deep (at 5.01, where its lead is least sure)"));
  EXPECT_THAT(text, HasSubstr("; fastest from 1.81 down: deep; swift did not arrive"));
  EXPECT_THAT(misses_text(inquiry, found, 0), HasSubstr("1.81 by all runs of swift"));
}

TEST(Judgement, TakesGivenTargetsAndRefusesThoseAboveTheStart) {
  Inquiry inquiry = crossing();
  inquiry.targets = {2.5, 3, 10};
  const Judgement found = judge(inquiry);
  EXPECT_TRUE(found.were_targets_given);
  EXPECT_THAT(found.targets, ElementsAre(3, 2.5));
  EXPECT_THAT(found.unusable, ElementsAre(10));
}

TEST(Judgement, WithBothClocksSaysWhetherTheResultTurnsRound) {
  Inquiry inquiry = crossing(5, 2);
  inquiry.targets = {4};
  const Judgement found = judge(inquiry);
  EXPECT_THAT(headline(inquiry, found, 0), HasSubstr("Fastest to loss 4: swift"));
  EXPECT_THAT(headline(inquiry, found, 1), HasSubstr("Fastest to loss 4: deep"));
  EXPECT_EQ(turns_round(inquiry, found), "The result turns round with the clock at loss 4 (paper: swift, wire: deep).");
}

TEST(Judgement, RunsThatDoNotCountStayInAsNeverAndAreCountedApart) {
  Inquiry inquiry = crossing(7);
  inquiry.targets = {4};
  inquiry.runs[1].fate = Fate::invalid;  // deep, seed 1
  inquiry.runs[3].fate = Fate::diverged;
  inquiry.runs[5].fate = Fate::unfinished;
  const Judgement found = judge(inquiry);
  EXPECT_EQ(found.counts[1].runs, 7u);
  EXPECT_EQ(found.counts[1].counted, 4u);
  EXPECT_EQ(found.counts[1].invalid, 1u);
  EXPECT_EQ(found.counts[1].diverged, 1u);
  EXPECT_EQ(found.counts[1].unfinished, 1u);
  const TargetRace& at = found.races[0][0];
  EXPECT_EQ(at.arrived[1], 4u);
  EXPECT_EQ(at.race.times[1].count, 7u) << "medians are over the same seeds in every row";
  EXPECT_TRUE(std::isinf(at.race.times[1].high));
}

TEST(Judgement, ADivergedRunDoesNotSetTargets) {
  Inquiry inquiry = crossing();
  JudgedRun lucky = falling(1, 6, 60, -50);
  lucky.fate = Fate::diverged;
  inquiry.runs.push_back(lucky);
  inquiry.runs.push_back(falling(0, 6, 20, 2));
  EXPECT_THAT(judge(inquiry).targets, ElementsAre(5.01, 3.01, 1.81, 1.41, 1.1));
}

TEST(Judgement, ASeedThatARowLacksIsLeftOutOfAll) {
  Inquiry inquiry = crossing(6);
  inquiry.runs.pop_back();  // deep, seed 6
  const Judgement found = judge(inquiry);
  EXPECT_THAT(found.pairs, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(found.left_out, ElementsAre(6));
  EXPECT_EQ(found.counts[0].runs, 5u);
  inquiry.runs.push_back(inquiry.runs.front());
  EXPECT_THROW(judge(inquiry), InputError);
}

TEST(Judgement, RepeatsOfASeedAreNoNewSeeds) {
  Inquiry inquiry = crossing(2);
  for (std::uint32_t repeat : {1u, 2u})
    for (std::size_t k = 0; k < 4; ++k) {
      inquiry.runs.push_back(inquiry.runs[k]);
      inquiry.runs.back().repeat = repeat;
    }
  const Judgement found = judge(inquiry);
  EXPECT_THAT(found.pairs, ElementsAre(1, 2));
  EXPECT_EQ(found.counts[0].runs, 6u);
  EXPECT_EQ(found.races[0][0].race.times[0].count, 2u);
  EXPECT_FALSE(found.races[0][0].race.has_winner);
  EXPECT_THAT(headline(inquiry, found, 0), HasSubstr("Ahead down to loss 3.01: swift"));
  EXPECT_THAT(headline(inquiry, found, 0), HasSubstr("2 pairs of runs: too few to name a winner"));
  // Of a single seed they are the pairs.
  std::erase_if(inquiry.runs, [](const JudgedRun& run) { return run.seed == 2; });
  EXPECT_FALSE(judge(inquiry).are_pairs_seeds);
  EXPECT_THAT(judge(inquiry).pairs, ElementsAre(0, 1, 2));
}

TEST(Judgement, StepsOfOneTargetRaceToThatTargetAlone) {
  Inquiry inquiry = crossing();
  inquiry.targets = {4, 1.5};
  inquiry.entries.push_back({.name = "swift, steps for 1.5", .only_target = 1.5});
  for (std::uint64_t seed = 1; seed <= 5; ++seed) inquiry.runs.push_back(falling(2, seed, 25, 1));
  const Judgement found = judge(inquiry);
  EXPECT_THAT(found.races[0][0].entries, ElementsAre(0, 1));
  EXPECT_THAT(found.races[0][1].entries, ElementsAre(0, 1, 2));
  EXPECT_THAT(headline(inquiry, found, 0), HasSubstr("fastest at 1.5: swift, steps for 1.5"));
}

TEST(Judgement, SaysThatTheOthersRunsEndedTooEarly) {
  Inquiry inquiry = crossing();
  inquiry.targets = {1.5};
  for (JudgedRun& run : inquiry.runs)
    if (run.entry == 0) run = falling(0, run.seed, 20, 2, 100);  // deep arrives at 166 s
  EXPECT_EQ(headline(inquiry, judge(inquiry), 0),
            "First to loss 1.5: deep; the runs of swift ended too early to tell.");
}

TEST(Judgement, SaysThatTheFirstMissedItTooWhereTheOthersDidNotArrive) {
  Inquiry inquiry = crossing();
  inquiry.targets = {1.5};
  for (JudgedRun& run : inquiry.runs) {
    if (run.entry == 0) run.fate = Fate::diverged;
    if (run.entry == 1 && run.seed == 1) run.fate = Fate::diverged;
  }
  EXPECT_EQ(headline(inquiry, judge(inquiry), 0),
            "First to loss 1.5: deep; swift did not arrive in most runs, but deep missed it in some, too.");
}

TEST(Judgement, OfAFirstThatArrivedAlwaysNeverSaysThatItMissed) {
  Inquiry inquiry = crossing();
  inquiry.targets = {1.5};
  const double arrives[5] = {40, 92, 94, 95, 96};  // deep, where swift had missed by 100
  for (JudgedRun& run : inquiry.runs)
    run =
        run.entry == 0 ? falling(0, run.seed, 20, 2, 100) : falling(1, run.seed, arrives[run.seed - 1] / 2.85, 1, 100);
  const Judgement found = judge(inquiry);
  EXPECT_EQ(found.races[0][0].arrived, (std::vector<std::size_t>{0, 5}));
  EXPECT_THAT(headline(inquiry, found, 0), Not(HasSubstr("missed it in some")));
}

TEST(Judgement, NeverSaysFasterOfALeadBelowOne) {
  // By medians the first is ahead, by pairs it is not.
  Inquiry inquiry;
  inquiry.entries = {{.name = "a"}, {.name = "b"}};
  inquiry.clocks = {"real"};
  inquiry.targets = {2};
  const double constants[2][5] = {{50, 52, 54, 80, 82}, {48, 50, 55, 78, 79}};
  for (std::size_t e = 0; e < 2; ++e)
    for (std::uint64_t seed = 0; seed < 5; ++seed) inquiry.runs.push_back(falling(e, 5 * seed, constants[e][seed], 1));
  EXPECT_EQ(headline(inquiry, judge(inquiry), 0), "Too close to call to loss 2: a, b.");
}

TEST(Headline, WritesFiguresOnce) {
  EXPECT_EQ(figure_text(1.85), "1.85");
  EXPECT_EQ(figure_text(123456), "123456");
  EXPECT_EQ(ratio_text(1.876), "1.88×");
  Estimate found{.median = 1.5164, .low = 1.4851, .high = 1.5172, .spread = SpreadKind::range};
  EXPECT_EQ(ratio_text(found), "1.52× [1.49–1.52]");  // 1.517 would not hold 1.52
  found.high = std::numeric_limits<double>::infinity();
  EXPECT_EQ(ratio_text(found), "1.52× [1.49–∞]");
  EXPECT_EQ(spread_kind_text(5, "seed"), "[a–b] is the range of 5 seeds");
  EXPECT_EQ(spread_kind_text(10, "seed"), "[a–b] holds the true median with 97.9 % (10 seeds)");
}

}  // namespace
}  // namespace quantimed

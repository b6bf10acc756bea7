// SPDX-License-Identifier: BSD-3-Clause
// Equal algorithms: how often is one of them called the fastest? In at most 5 %, of a target and of a whole comparison.
#include "statistics/judgement.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "base/types.hpp"

namespace quantimed {
namespace {

struct Law {
  const char* name;
  std::function<double(std::mt19937_64&)> time;  // of one run to the target
  double half, fifth;                            // ends that half, a fifth of the runs miss
};

std::vector<Law> laws() {
  const auto normal = [](std::mt19937_64& random) { return std::normal_distribution<double>()(random); };
  return {
      {"lognormal", [=](auto& r) { return std::exp(0.2 * normal(r)); }, 1, 1.18},
      {"heavy tails", [=](auto& r) { return std::exp(0.1 * std::student_t_distribution<double>(2)(r)); }, 1, 1.11},
      {"one of two times", [=](auto& r) { return normal(r) > 0 ? 1.0 : 2.0; }, 1.5, 2.1},
      {"skewed", [=](auto& r) { return 1 + std::exponential_distribution<double>()(r); }, 1.69, 2.61},
  };
}

// `absent`: further entries of which no run arrives.
double share_named(const Law& law, std::size_t algorithms, std::size_t seeds, double end, std::size_t absent = 0) {
  const int comparisons = algorithms == 2 ? 2000 : 500;  // of more, hardly one is named
  std::mt19937_64 random(algorithms * 1000 + seeds);
  int named = 0;
  for (int k = 0; k < comparisons; ++k) {
    std::vector<std::vector<Finish>> runs(algorithms + absent, std::vector<Finish>(seeds));
    for (std::size_t e = 0; e < runs.size(); ++e)
      for (Finish& run : runs[e]) {
        const double time = law.time(random);
        run.end = end;
        if (time > end || e >= algorithms) continue;
        run.fate = Fate::arrived;
        run.time = run.from = run.until = time;
      }
    named += race(runs).has_winner;
  }
  return static_cast<double>(named) / comparisons;
}

TEST(Null, EqualAlgorithmsHaveNoWinner) {
  for (const Law& law : laws())
    for (const std::size_t algorithms : {2, 3, 4, 8})
      for (const std::size_t seeds : {5, 6, 10})
        EXPECT_LE(share_named(law, algorithms, seeds, 1e9), 0.05) << law.name << " " << algorithms << " " << seeds;
}

TEST(Null, NorWhereManyMissTheTarget) {
  for (const Law& law : laws())
    for (const double end : {law.half, law.fifth})
      for (const std::size_t algorithms : {2, 3, 4, 8})
        for (const std::size_t seeds : {5, 10})
          EXPECT_LE(share_named(law, algorithms, seeds, end), 0.05)
              << law.name << " end " << end << " " << algorithms << " " << seeds;
}

TEST(Null, NorWhereSomeNeverArrive) {
  for (const Law& law : laws())
    for (const double end : {1e9, law.half})
      for (const std::size_t algorithms : {2, 4})
        for (const std::size_t absent : {1, 3})
          for (const std::size_t seeds : {5, 10})
            EXPECT_LE(share_named(law, algorithms, seeds, end, absent), 0.05)
                << law.name << " end " << end << " " << algorithms << " and " << absent << " " << seeds;
}

// The paired ratios of two equals, NaN where neither arrived until `end`.
std::vector<double> ratios_of_equals(const Law& law, std::size_t seeds, double end, std::mt19937_64& random) {
  std::vector<double> ratios;
  for (std::size_t seed = 0; seed < seeds; ++seed) {
    const double ours = law.time(random), theirs = law.time(random);
    ratios.push_back(ours > end ? theirs > end ? std::nan("") : 0 : theirs > end ? kForever : theirs / ours);
  }
  return ratios;
}

// A claim of many comparisons. Which of them can be won is known from those that arrived, whoever they are.
TEST(Null, AClaimOfEqualsShowsNothingThoughWhatNobodyReachedIsNotCounted) {
  for (const Law& law : laws())
    for (const std::size_t seeds : {5, 10})
      for (const std::size_t comparisons : {2, 10}) {
        constexpr int kClaims = 1500;
        std::mt19937_64 random(seeds + comparisons);
        std::vector<double> late;  // an end that most pairs miss on both sides
        for (int k = 0; k < 4000; ++k) late.push_back(law.time(random));
        std::ranges::nth_element(late, late.begin() + 200);
        int shown = 0, left_out = 0;
        for (int k = 0; k < kClaims; ++k) {
          std::vector<Against> family;
          for (std::size_t c = 0; c < comparisons; ++c)
            family.push_back(against_one(ratios_of_equals(law, seeds, c % 2 == 0 ? 1e9 : late[200] * 1.0001, random)));
          correct_together(family);
          shown += std::ranges::any_of(family, &Against::is_clear);
          left_out += static_cast<int>(std::ranges::count(family, false, &Against::can_be_won));
        }
        EXPECT_LE(shown, 0.05 * kClaims) << law.name << " " << seeds << " seeds, " << comparisons << " comparisons";
        if (law.half != 1.5) {  // it has two times alone
          EXPECT_GT(left_out, kClaims / 20) << law.name << " " << seeds;
        }
      }
}

TEST(Null, WhatNobodyReachedChangesNoOtherComparison) {
  const std::vector<double> weak = {1.2, 1.01, 1.3, 1.02, 1.1, 1.25}, nobody(6, std::nan("")), lost(6, 0);
  std::vector<Against> alone = {against_one(weak)};
  correct_together(alone);
  std::vector<Against> beside = {against_one(weak), against_one(nobody), against_one(nobody)};
  correct_together(beside);
  EXPECT_EQ(beside[0].corrected_p, alone[0].corrected_p);
  EXPECT_TRUE(beside[0].is_clear);
  EXPECT_FALSE(beside[1].is_clear);
  EXPECT_EQ(beside[1].corrected_p, 1);
  std::vector<Against> with_a_loss = {against_one(weak), against_one(lost)};  // there somebody arrived
  correct_together(with_a_loss);
  EXPECT_DOUBLE_EQ(with_a_loss[0].corrected_p, 2 * alone[0].corrected_p);
}

// The opposite: a rule that never names anybody would pass the tests above.
TEST(Null, ALeadOfAThirdIsSeen) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  for (const std::size_t seeds : {5, 10}) {
    int named = 0;
    constexpr int kComparisons = 500;
    for (int k = 0; k < kComparisons; ++k) {
      std::vector<std::vector<Finish>> runs(4, std::vector<Finish>(seeds));
      for (std::size_t e = 0; e < 4; ++e)
        for (Finish& run : runs[e]) {
          run.fate = Fate::arrived;
          run.time = run.from = run.until = (e == 2 ? 1 : 1.33) * std::exp(0.05 * normal(random));
        }
      const Race found = race(runs);
      named += found.has_winner && found.first == 2u;
    }
    EXPECT_GE(named, kComparisons * 0.9) << seeds;
  }
}

// Whole comparisons over curves: five targets that the runs themselves choose, with and without noise.
TEST(Null, AWholeComparisonOfEqualsNamesNobodyAtAnyTarget) {
  for (const std::size_t algorithms : {2, 4})
    for (const std::size_t seeds : {5, 10})
      for (const double noise : {0.0, 0.1}) {
        std::mt19937_64 random(algorithms * 100 + seeds);
        std::normal_distribution<double> normal;
        const int comparisons = algorithms == 2 ? 1500 : 300;
        int named = 0;
        for (int k = 0; k < comparisons; ++k) {
          Inquiry inquiry;
          inquiry.clocks = {"paper"};
          inquiry.entries.resize(algorithms);
          for (std::uint64_t seed = 0; seed < seeds; ++seed)
            for (std::size_t e = 0; e < algorithms; ++e) {
              const double rate = std::exp(0.15 * normal(random)), floor = 1.5 * std::exp(0.02 * normal(random));
              TimedCurve curve;
              for (int point = 0; point <= 50; ++point) {
                curve.time.push_back(8.0 * point);
                const double mean = floor + (9 - floor) * std::exp(-rate * curve.time.back() / 60);
                curve.loss.push_back(point == 0 ? 9 : mean * std::exp(noise * normal(random)));
              }
              JudgedRun run;
              run.entry = e;
              run.seed = seed;
              run.curves.push_back(std::move(curve));
              inquiry.runs.push_back(std::move(run));
            }
          const Judgement found = judge(inquiry);
          ASSERT_EQ(found.races[0].size(), 5u);
          named += std::any_of(found.races[0].begin(), found.races[0].end(),
                               [](const TargetRace& at) { return at.race.has_winner; });
        }
        EXPECT_LE(named, 0.05 * comparisons) << algorithms << " algorithms, " << seeds << " seeds, noise " << noise;
      }
}

}  // namespace
}  // namespace quantimed

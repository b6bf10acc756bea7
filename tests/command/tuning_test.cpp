#include "command/tuning.hpp"

#include "base/error.hpp"
#include "command/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace quantimed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kAlpha[] = {0.01, 1}, kEpsilon[] = {0.1, 1};

TEST(Tuning, EveryAlgorithmGetsTheSameNumberOfTrials) {
  for (const AlgorithmRow& row : algorithm_table()) {
    const auto trials = plan_trials(row, 24, kAlpha, kEpsilon);
    ASSERT_EQ(trials.size(), 25u) << row.name;
    EXPECT_TRUE(trials.back().is_published);
    EXPECT_EQ(trials.back().alpha, row.alpha);
    EXPECT_EQ(std::count_if(trials.begin(), trials.end(), [](const Trial& t) { return t.is_published; }), 1);
  }
}

TEST(Tuning, TheGridIsLogarithmicAndHoldsItsEnds) {
  const auto trials = plan_trials(find_algorithm("dsgd"), 3, kAlpha, kEpsilon);
  EXPECT_EQ(trials[0].alpha, "0.01");
  EXPECT_EQ(trials[1].alpha, "0.1");
  EXPECT_EQ(trials[2].alpha, "1");
  EXPECT_EQ(trials[0].epsilon, "1");
  const auto both = plan_trials(find_algorithm("quantimed-dsgd"), 8, kAlpha, kEpsilon);
  EXPECT_EQ(both[0].epsilon, "0.1");
  EXPECT_EQ(both[1].epsilon, "1");
  EXPECT_EQ(both[0].alpha, both[1].alpha);
  EXPECT_EQ(plan_trials(find_algorithm("dsgd"), 1, kAlpha, kEpsilon)[0].alpha, "0.1");
}

TEST(Tuning, RungsHalveTheTrialsAndEndWithAllSeeds) {
  const auto rungs = plan_rungs(24, 5);
  ASSERT_EQ(rungs.size(), 3u);
  EXPECT_EQ(rungs[0].survivors, 24u);
  EXPECT_EQ(rungs[0].seeds, 1u);
  EXPECT_EQ(rungs[1].survivors, 8u);
  EXPECT_EQ(rungs[1].seeds, 3u);
  EXPECT_EQ(rungs[2].survivors, 3u);
  EXPECT_EQ(rungs[2].seeds, 5u);
  EXPECT_EQ(plan_rungs(5, 1).size(), 1u);
  EXPECT_EQ(plan_rungs(1, 3).back().survivors, 1u);
}

TEST(Tuning, TheFasterToTheTargetWinsThenTheLowerLoss) {
  const std::vector<std::vector<Score>> scores = {
      {{kForever, 0.1}}, {{5, 0.9}}, {{3, 2}, {9, 2}, {4, 2}}, {}, {{kForever, 0.05}}};
  const std::size_t all[] = {0, 1, 2, 3, 4};
  EXPECT_THAT(best(scores, all, 5), ElementsAre(2, 1, 4, 0));
  EXPECT_THAT(best(scores, all, 1), ElementsAre(2));
}

TEST(Tuning, AScoreIsTheTimeToTheTargetOrTheLoss) {
  Progress curve;
  curve.time = {0, 1, 2};
  curve.loss = {4, 2, 1};
  EXPECT_EQ(score(RunStatus::complete, curve, 3), (Score{.time = 0.5, .loss = 1}));
  EXPECT_EQ(score(RunStatus::complete, curve, 0.5), (Score{.time = kForever, .loss = 1}));
  EXPECT_EQ(score(RunStatus::complete, curve, 0), (Score{.time = 0, .loss = 1}));
  EXPECT_EQ(score(RunStatus::diverged, curve, 3), (Score{.time = kForever, .loss = kForever}));
}

TEST(Tuning, SaysWhereTheBestLiesAtTheEdge) {
  const auto trials = plan_trials(find_algorithm("quantimed-dsgd"), 24, kAlpha, kEpsilon);
  EXPECT_EQ(edge_of_grid({.alpha = "0.01", .epsilon = "1"}, trials), "--alpha-range");
  EXPECT_EQ(edge_of_grid({.alpha = trials[6].alpha, .epsilon = "0.1"}, trials), "--epsilon-range");
  EXPECT_EQ(edge_of_grid({.alpha = trials[6].alpha, .epsilon = "1"}, trials), "");
}

TEST(Tune, FindsStepsKeepsEveryTrialAndWritesAnIniThatRuns) {
  const Folder folder;
  const std::string problem = "--dataset digits --nodes 4 --graph ring --model mlp:6 --samples-per-node 50 --batch 10 ";
  Ran ran = run_program(folder,
                        "tune --algorithms dsgd,q-dsgd --trials 6 --seeds 1-2 --iterations 20 --evaluations 4 "
                        "--output t --quiet " +
                            problem);
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("| dsgd "));
  // Two algorithms, each 6 trials with one seed, 2 with the other one, and the published steps with both.
  const std::string csv = contents(folder / "t/trials.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2 * (6 + 2 + 2));
  for (const char* file : {"t/dsgd-trial1-seed1.h5", "t/dsgd-published-seed2.h5", "t/q-dsgd-trial6-seed1.h5"})
    EXPECT_TRUE(std::filesystem::exists(folder / file)) << file;
  ran = run_program(folder, "run --config t/dsgd.ini --output best.h5");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const double best = number(read_trace(folder / "best.h5").summary, "final_loss", 1e9);
  for (int trial = 1; trial <= 6; ++trial) {
    const std::string name = fmt::format("t/dsgd-trial{}-seed2.h5", trial);
    if (std::filesystem::exists(folder / name)) {
      EXPECT_LE(best,
                1.001 * std::max(number(read_trace(folder / name).summary, "final_loss", 0),
                                 number(read_trace(folder / fmt::format("t/dsgd-trial{}-seed1.h5", trial)).summary,
                                        "final_loss", 0)));
    }
  }
}

TEST(Tune, RefusesInOneLine) {
  const Folder folder;
  for (const char* bad : {"--alpha-range 1", "--alpha-range 2,1", "--epsilon-range 0,1", "--trials 0", "--alpha 0.2"}) {
    const Ran ran = run_program(folder, std::string("tune --dataset digits ") + bad);
    EXPECT_EQ(ran.status, 2) << bad;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "command/comparison.hpp"

#include "base/error.hpp"
#include "command/table_text.hpp"
#include "program.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

namespace quantimed {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Falls from 9 to 1 with a time constant; on the wire it is `stretch` times as slow.
ComparedRun falling(const std::string& algorithm, std::uint64_t seed, double constant, double stretch = 1.2) {
  ComparedRun run;
  run.algorithm = algorithm;
  run.seed = seed;
  run.status = RunStatus::complete;
  run.verdict = "VALID";
  run.config = {{"algorithm", algorithm}, {"batch", std::int64_t{50}}, {"l2", 1.0}, {"l2-per", std::string("dataset")}};
  run.summary = {{"paper_bits_per_coordinate", 16.0}, {"wire_bits_per_coordinate", 32.0}, {"wait_share", 0.1}};
  for (const char* clock : {"paper", "wire"}) {
    ClockedCurve curve;
    curve.clock = clock;
    for (int k = 0; k <= 60; ++k) {
      curve.time.push_back(5.0 * k * (curve.clock == "wire" ? stretch : 1));
      curve.loss.push_back(1 + 8 * std::exp(-5.0 * k / (constant * (1 + 0.01 * static_cast<double>(seed)))));
      curve.accuracy.push_back(0.5 + 0.005 * k);
    }
    run.curves.push_back(std::move(curve));
  }
  return run;
}

std::vector<ComparedRun> two(std::size_t seeds = 5, double stretch = 1.2) {
  std::vector<ComparedRun> runs;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    runs.push_back(falling("dsgd", seed, 60));
    runs.push_back(falling("q-dsgd", seed, 30, stretch));
  }
  return runs;
}

TEST(Comparison, HasBothClocksSideBySide) {
  const auto made = judge_runs({"q-dsgd", "dsgd"}, two(), {4});
  const std::string text = comparison_text(made);
  EXPECT_THAT(text, HasSubstr("With the paper's bits: Fastest to loss 4: q-dsgd, 2.00×"));
  EXPECT_THAT(text, HasSubstr("With bits on the wire: Fastest to loss 4: q-dsgd"));
  EXPECT_THAT(text, HasSubstr("| time, paper's bits "));
  EXPECT_THAT(text, HasSubstr("| time, bits on the wire "));
  EXPECT_THAT(text, HasSubstr("speed-up over dsgd, bits on the wire"));
  EXPECT_THAT(text, HasSubstr("5 of 5"));
  EXPECT_THAT(text, HasSubstr("[a–b] is the range of 5 seeds"));
  EXPECT_THAT(text, Not(HasSubstr("turns round")));
  EXPECT_LT(text.find("q-dsgd"), text.find("| dsgd"));
}

TEST(Comparison, SaysThatALongCodeTurnsTheResultRound) {
  auto runs = two(5, 4);
  for (ComparedRun& run : runs)
    if (run.algorithm == "q-dsgd")
      run.summary = {{"paper_bits_per_coordinate", 3.0}, {"wire_bits_per_coordinate", 51.2}};
  const auto made = judge_runs({"dsgd", "q-dsgd"}, runs, {4});
  EXPECT_THAT(comparison_text(made), HasSubstr("turns round with the clock at loss 4 (paper: q-dsgd, wire: dsgd)"));
  EXPECT_THAT(made[0].warnings, Contains(HasSubstr("q-dsgd sends 51.2 bits a coordinate, more than float32's 32")));
  EXPECT_THAT(made[0].warnings, Contains(HasSubstr("it charges q-dsgd 3 of 51.2 bits")));
}

TEST(Comparison, WarnsOfWhatDiffersBesideTheSteps) {
  auto runs = two();
  for (ComparedRun& run : runs) {
    run.config.emplace_back("alpha", std::string(run.algorithm == "dsgd" ? "0.2" : "0.4"));
    if (run.algorithm != "dsgd") continue;
    run.config[1].second = std::int64_t{30};
    run.config[3].second = std::string("batch");
    run.config.emplace_back("tuned_by", std::string("24 trials"));
    for (ClockedCurve& curve : run.curves) {
      curve.time.resize(40);
      curve.loss.resize(40);
    }
  }
  const std::vector<std::string> said = judge_runs({"dsgd", "q-dsgd"}, runs, {})[0].warnings;
  EXPECT_THAT(said, Contains("--batch differs: 30: dsgd; 50: q-dsgd"));
  EXPECT_THAT(said, Contains(HasSubstr("--l2-per differs")));
  EXPECT_THAT(said, Contains(HasSubstr("not tuned with one budget: none: q-dsgd; 24 trials: dsgd")));
  EXPECT_THAT(said, Contains(HasSubstr("Unequal time (paper clock): runs end after dsgd 195 s, q-dsgd 300 s")));
  EXPECT_THAT(said, Contains(HasSubstr("(wire clock)")));
  EXPECT_THAT(said,
              Contains(HasSubstr("the runs have their time by the paper clock, and by this one with --bits wire")));
  EXPECT_THAT(said, Contains(HasSubstr("--l2-per batch")));
  EXPECT_THAT(said, Not(Contains(HasSubstr("--alpha"))));
  EXPECT_THAT(judge_runs({"dsgd", "q-dsgd"}, two(), {4})[0].warnings, IsEmpty());
}

// By the paper's clock all runs end at 300 s; by the wire's q-dsgd would have 1,200 s and dsgd 360.
TEST(Comparison, RunsHaveEqualTimeByTheSecondClockToo) {
  const auto made = judge_runs({"dsgd", "q-dsgd"}, two(5, 4), {4, 1.05});
  const auto& races = made[0].judgement.races;
  EXPECT_EQ(made[0].equal_until, (std::vector<double>{kForever, 360}));
  EXPECT_EQ(races[0][1].arrived, (std::vector<std::size_t>{0, 5})) << "paper";
  EXPECT_EQ(races[1][1].arrived, (std::vector<std::size_t>{0, 0})) << "after 609 s";
  EXPECT_EQ(races[1][0].arrived, (std::vector<std::size_t>{5, 5}));
  EXPECT_THAT(made[0].warnings,
              Contains("By the wire clock runs are judged up to 360 s, where the first one ends: they "
                       "were given equal time by the paper clock"));
  EXPECT_THAT(made[0].warnings, Not(Contains(HasSubstr("Unequal time"))));
}

// Asynchronous runs get further where messages are charged less: what they end with is of the clock that all runs have
// their time by.
TEST(Comparison, FinalFiguresAreOfTheClockThatTheRunsHaveTheirTimeBy) {
  auto runs = two();
  for (ComparedRun& run : runs) {
    run.config.emplace_back("bits", std::string("wire"));
    run.curves[0].loss.back() = 0.5;
    run.curves[0].accuracy.back() = 0.99;
  }
  const auto made = judge_runs({"dsgd", "q-dsgd"}, runs, {4});
  EXPECT_EQ(made[0].main_clock, 1u);
  EXPECT_GT(made[0].rows[0].final_loss.median, 1);
  EXPECT_NEAR(made[0].rows[0].test_accuracy.median, 0.8, 1e-9);
}

TEST(Comparison, CountsInvalidDivergedAndUnfinishedApart) {
  auto runs = two(8);
  runs[1].verdict = "INVALID: 3 gradients late";  // q-dsgd, seed 1
  runs[3].status = RunStatus::diverged;
  runs[5].status = RunStatus::interrupted;
  const auto made = judge_runs({"dsgd", "q-dsgd"}, runs, {4});
  const std::string text = comparison_text(made);
  EXPECT_THAT(text, HasSubstr("5 of 8, 1 INVALID, 1 diverged, 1 unfinished"));
  EXPECT_THAT(text, HasSubstr("WARNING: INVALID: 3 gradients late (1 of 16 runs)"));
  EXPECT_THAT(text, HasSubstr("q-dsgd: 3 of 8 runs do not count (1 INVALID, 1 diverged, 1 unfinished)"));
  EXPECT_EQ(made[0].rows[1].final_loss.count, 8u) << "the same seeds in every row";
  EXPECT_TRUE(std::isinf(made[0].rows[1].final_loss.high));
  EXPECT_THAT(text, HasSubstr("Missed: loss 4 by 3 of 8 of q-dsgd (1 INVALID, 1 diverged, 1 unfinished)."));
}

TEST(Comparison, WhereNoRunCountsItIsSaidOnceWithItsReasons) {
  auto runs = two(5);
  for (ComparedRun& run : runs) run.verdict = "INVALID: the machine is slower than --speed asks";
  const auto made = judge_runs({"dsgd", "q-dsgd"}, runs, {4});
  EXPECT_THAT(made[0].warnings, Contains("Nothing is judged: no run counts"));
  EXPECT_THAT(made[0].warnings, Contains("INVALID: the machine is slower than --speed asks (10 of 10 runs)"));
  EXPECT_THAT(made[0].warnings, Not(Contains(HasSubstr("do not count"))));
}

TEST(Comparison, StepsForATargetHaveATableOfTheirOwn) {
  auto runs = two();
  for (const ComparedRun& run : two()) {
    for (const double target : {4.0, 1.5}) {
      runs.push_back(run);
      runs.back().for_target = target;
      runs.back().setting = "alpha 1";
    }
  }
  const auto made = judge_runs({"dsgd", "q-dsgd"}, runs, {});
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(made[0].judgement.targets, (std::vector<double>{4, 1.5}));
  for (const TargetRace& race : made[0].judgement.races[0])
    EXPECT_NEAR(race.speed_ups[1].median, 2, 0.01) << "over the steps that DSGD has for this target";
  EXPECT_EQ(made[0].judgement.races[0][0].entries.size(), 2u) << "of the steps for this target alone";
  EXPECT_EQ(made[1].judgement.targets, made[0].judgement.targets);
  EXPECT_THAT(comparison_text(made), AllOf(HasSubstr("## Step sizes that were found best for each target"),
                                           HasSubstr("## One setting of step sizes for all targets")));
  const std::string best = comparison_text({made[0]});
  EXPECT_EQ(best.find("alpha 1)"), std::string::npos) << "step sizes stand in a column, not in names\n" << best;
  const std::string row = best.substr(best.find("| final loss"));  // the second table
  const std::size_t first = row.find("\n| dsgd ");
  ASSERT_NE(first, std::string::npos) << row;
  EXPECT_EQ(row.find("\n| dsgd ", first + 1), std::string::npos) << "steps of two targets are one row\n" << row;
}

TEST(Comparison, SaysWhereStepsForATargetAreSlowerThanThoseForAll) {
  auto runs = two();
  for (ComparedRun run : two()) {
    for (ClockedCurve& curve : run.curves)
      for (double& time : curve.time) time *= run.algorithm == "dsgd" ? 1.1 : 0.9;
    run.for_target = 4;
    run.setting = "alpha 1";
    runs.push_back(run);
  }
  const auto made = judge_runs({"dsgd", "q-dsgd"}, runs, {});
  EXPECT_THAT(made[0].warnings, Contains(HasSubstr("the setting for all targets was faster for dsgd at 4; give")));
}

TEST(Comparison, TheNextIsWhoMissedATargetLeast) {
  auto runs = two();
  for (const ComparedRun& run : two())
    if (run.algorithm == "dsgd") {
      runs.push_back(run);
      runs.back().algorithm = "async-dsgd";
      if (run.seed < 3) continue;
      for (ClockedCurve& curve : runs.back().curves) std::ranges::fill(curve.loss, 8);
    }
  for (ComparedRun& run : runs)
    if (run.algorithm == "dsgd")
      for (ClockedCurve& curve : run.curves) std::ranges::fill(curve.loss, 8);
  for (ComparedRun& run : runs)
    for (ClockedCurve& curve : run.curves) curve.loss.front() = 9;
  const auto made = judge_runs({"dsgd", "q-dsgd", "async-dsgd"}, runs, {4});
  EXPECT_THAT(comparison_text(made), HasSubstr("the next, async-dsgd, missed it in half of its runs or more"));
}

TEST(Comparison, StepsThatWereTunedByOneClockAreSaidToBe) {
  auto runs = two();
  for (ComparedRun& run : runs) {
    run.config.emplace_back("bits", std::string("wire"));
    run.config.emplace_back("tuned_by", std::string("equal budgets: 24 trials of each algorithm, seeds 101-103"));
  }
  const auto made = judge_runs({"dsgd", "q-dsgd"}, runs, {4});
  EXPECT_THAT(made[0].warnings,
              Contains("Steps were tuned by the wire clock; by the paper clock others may be better"));
  EXPECT_THAT(comparison_text(made), HasSubstr("| final loss, bits on the wire"));
}

TEST(Comparison, ACodeOfSeveralStepSizesIsWarnedOfOnce) {
  std::vector<ComparedRun> runs;
  for (const ComparedRun& run : two())
    for (const double target : {4.0, 1.5}) {
      runs.push_back(run);
      runs.back().for_target = target;
      runs.back().setting = fmt::format("alpha {}", target);
      if (run.algorithm == "q-dsgd")
        runs.back().summary = {{"paper_bits_per_coordinate", 3.0}, {"wire_bits_per_coordinate", 10 + target}};
    }
  const auto made = judge_runs({"dsgd", "q-dsgd"}, runs, {});
  EXPECT_THAT(made[0].warnings, Contains(HasSubstr("it charges q-dsgd 3 of 11.5 to 14 bits on the wire")));
}

TEST(Comparison, RunsWithoutAClockInCommonAreRefused) {
  auto runs = two();
  for (ComparedRun& run : runs) run.curves.erase(run.curves.begin() + (run.algorithm == "dsgd"));
  EXPECT_THROW(judge_runs({"dsgd", "q-dsgd"}, runs, {}), InputError);
}

TEST(Judge, AnswersRunsSamplesAndFamilies) {
  json document = {{"targets", {4}}, {"runs", json::array()}};
  for (const ComparedRun& run : two(6)) {
    json curves = json::array();
    for (const ClockedCurve& curve : run.curves)
      curves.push_back({{"clock", curve.clock}, {"time", curve.time}, {"loss", curve.loss}});
    document["runs"].push_back({{"algorithm", run.algorithm}, {"seed", run.seed}, {"curves", curves}});
  }
  document["samples"] = {{"ten", {1, 2, 3, 4, 5, 6, 7, 8, 9, "inf"}}, {"none", json::array()}};
  document["families"] = {{"claim", {{"a", {2, 2.1, 1.9, 2, 2.2, 2}}, {"b", {1.1, 0.9, 1, 1.2, 0.8, 1}}}}};
  const json answer = json::parse(answer_json(document.dump()));
  const json& race = answer["comparisons"][0]["races"][0];
  EXPECT_EQ(race["winner"], "q-dsgd");
  EXPECT_EQ(race["against"][0]["ratio"]["kind"], "interval");
  EXPECT_DOUBLE_EQ(race["against"][0]["ratio"]["coverage"], 1 - 2.0 / 64);
  EXPECT_EQ(race["entries"][0]["times_s"].size(), 6u);
  EXPECT_EQ(answer["medians"]["ten"]["low"], 2);
  EXPECT_EQ(answer["medians"]["ten"]["median"], 5.5);
  EXPECT_TRUE(answer["medians"]["none"]["median"].is_null());
  EXPECT_TRUE(answer["families"]["claim"]["a"]["clear"]);
  EXPECT_FALSE(answer["families"]["claim"]["b"]["clear"]);
}

TEST(Judge, RefusesWhatItDoesNotUnderstandInOneLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "not JSON"},
      {"[1]", "object"},
      {"{\"rnus\": []}", "\"rnus\""},
      {"{\"runs\": []}", "runs"},
      {"{\"runs\": [{\"seed\": 1}]}", "runs[0]"},
      {"{\"runs\": [{\"algorithm\": \"a\", \"curves\": [{\"clock\": \"x\", \"time\": [0, 1], \"loss\": [1]}]}]}",
       "length"},
      {"{\"runs\": [{\"algorithm\": \"a\", \"curves\": [{\"clock\": \"x\", \"time\": [1, 0], \"loss\": [1, 1]}]}]}",
       "backwards"},
      {"{\"runs\": [{\"algorithm\": \"a\", \"status\": \"ok\", \"curves\": [{\"clock\": \"x\"}]}]}", "status"},
      {"{\"samples\": {\"a\": [\"much\"]}}", "samples.a"},
      {"{\"families\": {\"a\": {\"b\": [-1]}}}", "families.a.b"},
  };
  for (const auto& [document, says] : cases) {
    try {
      answer_json(document);
      ADD_FAILURE() << document;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr(says), HasSubstr("judge"), Not(HasSubstr("\n")))) << document;
    }
  }
}

TEST(Judge, TheProgramReadsAFileOrStandardInput) {
  const Folder folder;
  std::ofstream(folder / "d.json") << R"({"samples": {"a": [3, 1, 2]}})";
  const Ran file = run_program(folder, "judge d.json");
  ASSERT_EQ(file.status, 0) << file.err;
  EXPECT_EQ(json::parse(file.out)["medians"]["a"]["median"], 2);
  EXPECT_EQ(run_program(folder, "judge - < d.json").out, file.out);
  EXPECT_EQ(run_program(folder, "judge gone.json").status, 2);
  EXPECT_THAT(run_program(folder, "judge gone.json").err, HasSubstr("gone.json"));
  EXPECT_EQ(run_program(folder, "judge d.json d.json").status, 2);
}

}  // namespace
}  // namespace quantimed

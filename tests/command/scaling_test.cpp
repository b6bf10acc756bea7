// SPDX-License-Identifier: BSD-3-Clause
// scale: its plan and its figures on made-up times, and the program itself.
#include "command/scaling.hpp"
#include "algorithm/table.hpp"
#include "base/error.hpp"
#include "command/program.hpp"
#include "command/table_text.hpp"
#include "machine/placement.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>

#include <cmath>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Config one_core() {
  Config config = default_config("scale");
  config.samples_per_node = 120;
  config.batch = 60;
  return config;
}

std::string refusal_of(const Config& config, Study study, std::uint32_t cores) {
  try {
    config_on(config, study, cores);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(ScalingPlan, CoresDoubleUpToAllThatThereAre) {
  EXPECT_THAT(cores_up_to(1), ElementsAre(1));
  EXPECT_THAT(cores_up_to(2), ElementsAre(1, 2));
  EXPECT_THAT(cores_up_to(6), ElementsAre(1, 2, 4, 6));
  EXPECT_THAT(cores_up_to(8), ElementsAre(1, 2, 4, 8));
}

TEST(ScalingPlan, StrongSplitsTheWorkOfOneCore) {
  Config config = one_core();
  config.deadline = "0.003";
  const Config split = config_on(config, Study::strong, 3);
  EXPECT_EQ(split.nodes, 3u);
  EXPECT_EQ(split.samples_per_node, 40u);
  EXPECT_EQ(split.batch, 20u);
  EXPECT_DOUBLE_EQ(std::stod(split.deadline), 0.001);
  for (const auto& [deadline, expected] :
       {std::pair{"", ""}, {"auto", "auto"}, {"auto:30", "auto:10"}, {"auto:quantile:0.9", "auto:quantile:0.9"}}) {
    config.deadline = deadline;
    EXPECT_EQ(config_on(config, Study::strong, 3).deadline, expected);
  }
  config.samples_per_node = 0;  // all: each node has an equal share
  EXPECT_EQ(config_on(config, Study::strong, 3).samples_per_node, 0u);
}

TEST(ScalingPlan, WeakLeavesEachCoreItsWork) {
  Config config = one_core();
  config.deadline = "0.003";
  Config expected = config;
  expected.nodes = 3;
  EXPECT_EQ(config_on(config, Study::weak, 3), expected);
}

TEST(ScalingPlan, RefusesWhatCannotBeSplit) {
  EXPECT_THAT(refusal_of(one_core(), Study::strong, 7), AllOf(HasSubstr("--samples-per-node 120"), HasSubstr("7")));
  EXPECT_THAT(refusal_of(one_core(), Study::strong, 8), AllOf(HasSubstr("--batch 60"), HasSubstr("--study weak")));
  EXPECT_THAT(refusal_of(one_core(), Study::strong, 120), HasSubstr("--batch 60"));  // half a sample each
  Config all = one_core();
  all.samples_per_node = 0;
  EXPECT_THAT(refusal_of(all, Study::weak, 2), HasSubstr("--samples-per-node all"));
}

TEST(ScalingPlan, HasAPointForEachStudyAlgorithmAndNumberOfCores) {
  const std::uint32_t cores[] = {1, 4};
  Config given = one_core();
  given.algorithms = {"dsgd", "q-dsgd"};
  std::vector<std::string> names;
  for (const ScalingPoint& point : plan_scaling(given, cores)) names.push_back(trace_name(point, 1));
  EXPECT_THAT(names,
              ElementsAre("strong-dsgd-n1-repeat2.h5", "strong-dsgd-n4-repeat2.h5", "strong-q-dsgd-n1-repeat2.h5",
                          "strong-q-dsgd-n4-repeat2.h5", "weak-dsgd-n1-repeat2.h5", "weak-dsgd-n4-repeat2.h5",
                          "weak-q-dsgd-n1-repeat2.h5", "weak-q-dsgd-n4-repeat2.h5"));
  given.study = "weak";
  given.algorithms = {};
  EXPECT_EQ(plan_scaling(given, cores).size(), 2 * compared_algorithms().size());
}

TEST(ScalingPlan, TakesAllPointsInTurnAndWarmUpsFirst) {
  std::vector<std::pair<std::size_t, int>> order;
  for (const ScalingRun& run : scaling_runs(2, 1, 2)) order.emplace_back(run.point, run.repeat ? *run.repeat : -1);
  EXPECT_THAT(order, ElementsAre(std::pair{0, -1}, std::pair{1, -1}, std::pair{0, 0}, std::pair{1, 0}, std::pair{0, 1},
                                 std::pair{1, 1}));
}

// Strong on 2 and 4 cores, by one algorithm.
std::vector<ScalingPoint> two_points() {
  Config given = one_core();
  given.algorithms = {"dsgd"};
  given.study = "strong";
  const std::uint32_t cores[] = {2, 4};
  return plan_scaling(given, cores);
}

ScalingResult result(std::size_t point, std::uint32_t repeat, double samples_per_s, const char* verdict = "VALID") {
  return {.point = point,
          .repeat = repeat,
          .iterations_per_s = samples_per_s / 60,
          .samples_per_s = samples_per_s,
          .wait_share = 0.25,
          .verdict = verdict};
}

TEST(ScalingRows, SpeedUpsArePairedByRepeat) {
  // The machine is twice as fast in the second repeat; each pair sees the same 1.5, 1.5 and 1.6.
  const ScalingResult results[] = {result(0, 0, 100), result(1, 0, 150), result(0, 1, 200),
                                   result(1, 1, 300), result(0, 2, 100), result(1, 2, 160)};
  const auto rows = scaling_rows(two_points(), results, Study::strong, 3);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].speed_up.high, 1);
  EXPECT_EQ(rows[0].efficiency.low, 1);
  EXPECT_EQ(rows[1].cores, 4u);
  EXPECT_EQ(rows[1].samples_per_s.median, 160);
  EXPECT_EQ(rows[1].iterations_per_s.high, 5);
  EXPECT_DOUBLE_EQ(rows[1].speed_up.median, 1.5);
  EXPECT_DOUBLE_EQ(rows[1].speed_up.high, 1.6);
  EXPECT_DOUBLE_EQ(rows[1].efficiency.median, 0.75);  // 1.5 on twice as many
  EXPECT_DOUBLE_EQ(rows[1].efficiency.high, 0.8);
  EXPECT_EQ(rows[1].wait_share, 0.25);
  EXPECT_EQ(rows[1].verdict, "VALID");
  EXPECT_EQ(rows[1].why, "");
  EXPECT_TRUE(scaling_rows(two_points(), results, Study::weak, 3).empty());
  EXPECT_THAT(scaling_conclusion(rows, Study::strong, 3),
              AllOf(HasSubstr("Strong scaling"), HasSubstr("from 2 cores"), HasSubstr("dsgd 1.50× on 4 cores, 75.0 %"),
                    Not(HasSubstr("pairs"))));
}

TEST(ScalingRows, WhatDoesNotCountIsNoFigure) {
  const ScalingResult results[] = {result(0, 0, 100), result(1, 0, 1e9, "INVALID: 4 nodes share 2 cores"),
                                   result(0, 1, 100), result(1, 1, 1e9, "INVALID: 4 nodes share 2 cores")};
  const auto rows = scaling_rows(two_points(), results, Study::strong, 2);
  EXPECT_TRUE(std::isnan(rows[1].samples_per_s.median));
  EXPECT_TRUE(std::isnan(rows[1].efficiency.median));
  const std::string table = scaling_table(rows);
  EXPECT_THAT(table, ContainsRegex("dsgd +\\| 4 +\\| — +\\| — +\\| — +\\| — +\\| — +\\| INVALID +\\|"));
  EXPECT_THAT(table, HasSubstr("dsgd on 4 cores: INVALID: 4 nodes share 2 cores\n"));
  EXPECT_THAT(scaling_conclusion(rows, Study::strong, 2), HasSubstr("no conclusion"));
}

TEST(ScalingRows, AStudyThatWasStoppedSaysSo) {
  // Repeat 1 ended on 2 cores alone, so repeat 0 is the only pair.
  const ScalingResult results[] = {result(0, 0, 100), result(1, 0, 180), result(0, 1, 50),
                                   result(1, 1, 170, "stopped by a signal")};
  const auto rows = scaling_rows(two_points(), results, Study::strong, 3);
  EXPECT_EQ(rows[0].verdict, "2 of 3 VALID");
  EXPECT_EQ(rows[0].why, "not all was run");
  EXPECT_EQ(rows[1].verdict, "1 of 3 VALID");
  EXPECT_EQ(rows[1].why, "stopped by a signal");
  EXPECT_DOUBLE_EQ(rows[1].speed_up.high, 1.8);
  EXPECT_THAT(scaling_conclusion(rows, Study::strong, 3), HasSubstr("(1 of 3 pairs)"));
  EXPECT_EQ(scaling_rows(two_points(), {}, Study::strong, 3)[0].verdict, "not run");
}

TEST(ScalingRows, OneNumberOfCoresScalesNothing) {
  const auto points = two_points();
  const ScalingResult results[] = {result(0, 0, 100)};
  const auto rows = scaling_rows(std::span(points).first(1), results, Study::strong, 1);
  EXPECT_THAT(scaling_conclusion(rows, Study::weak, 1), HasSubstr("Weak scaling: none on 2 cores alone"));
}

TEST(TableText, AlignsColumnsByCodePoints) {
  EXPECT_EQ(table_text({{"a", "long"}, {"—×—", "b"}}), "| a   | long |\n|-----|------|\n| —×— | b    |\n");
  EXPECT_EQ(estimate_text(estimate_median({2, 1, kForever}), " s"), "2 s [1–missed]");
  EXPECT_EQ(estimate_text(estimate_median({123456, 9.87654, 1e9})), "123456 [9.877–1e+09]");
  EXPECT_EQ(estimate_text({}), "—");
}

TEST(Tally, PutsTogetherWhatDiffersInItsNumbersAlone) {
  using Counts = std::vector<std::pair<std::string, std::size_t>>;
  const std::vector<std::string> said = {"9 % of 0.5 late", "10 % of 0.5 late",   "float16 is no node",
                                         "9 % of 2.5 late", "float32 is no node", "late by 1.",
                                         "late by 1."};
  EXPECT_EQ(
      tally(said),
      (Counts{{"9–10 % of 0.5–2.5 late", 3}, {"float16 is no node", 1}, {"float32 is no node", 1}, {"late by 1.", 2}}));
  EXPECT_EQ(tally({}), Counts{});
}

// ---- the program -----------------------------------------------------------------------------------
const std::string kQuick = "scale --dataset digits --model mlp:8 --iterations 20 ";

TEST(Scale, WorksOnASingleCore) {
  const Folder folder;
  const Ran ran = run_program(folder, kQuick + "--cores 1 --study both --repeats 2");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(without_progress(ran.err), "");
  EXPECT_THAT(ran.out, HasSubstr(table_of(folder / "runs/scale/table.md")));
  EXPECT_THAT(ran.out, AllOf(HasSubstr("efficiency"), HasSubstr("Strong scaling: none on 1 core alone"),
                             HasSubstr("Weak scaling: none on 1 core alone")));
  for (const char* study : {"strong", "weak"})
    for (const std::string& name : compared_algorithms())
      for (const char* repeat : {"1", "2"}) {
        const Trace trace = read_trace(folder / fmt::format("runs/scale/{}-{}-n1-repeat{}.h5", study, name, repeat));
        EXPECT_EQ(trace.status, RunStatus::complete);
        EXPECT_EQ(number(trace.config, "nodes", 0), 1);
        EXPECT_TRUE(verify_trace(trace).empty()) << verify_trace(trace).front();
      }
  std::size_t files = 0;  // warm-ups are gone
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(folder / "runs/scale")) ++files;
  EXPECT_EQ(files, 2 * 2 * compared_algorithms().size() + 2);  // table.md, study.ini
}

TEST(Scale, AGraphOfEachKindCanHaveOneNode) {
  for (const char* graph : {"ring", "torus", "complete", "star", "exponential", "erdos-renyi:0.1"}) {
    const Folder folder;
    const Ran ran = run_program(
        folder,
        kQuick + "--cores 1 --study weak --repeats 1 --warm-up 0 --algorithms dsgd,async-dsgd --graph " + graph);
    EXPECT_EQ(ran.status, 0) << graph << ": " << ran.err;
    const Trace trace = read_trace(folder / "runs/scale/weak-dsgd-n1-repeat1.h5");
    EXPECT_EQ(trace.status, RunStatus::complete) << graph;
    EXPECT_THAT(trace.verdict.text(), AnyOf("VALID", HasSubstr("waited"))) << graph;  // others may have used the core
  }
}

TEST(Scale, MoreCoresThanThereAreNeedOversubscribe) {
  const Folder folder;
  const std::size_t cores = usable_cores().size(), more = cores + 1;
  const std::string arguments =
      kQuick +
      fmt::format("--samples-per-node {0} --batch {0} --algorithms dsgd --repeats 1 --warm-up 0 --cores 1,{0} ", more);
  const Ran refused = run_program(folder, arguments);
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr(fmt::format("--cores 1,{}", more)), HasSubstr(fmt::format("only {}", cores))));
  EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
  const Ran ran = run_program(folder, arguments + "--oversubscribe");
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, ContainsRegex(fmt::format("dsgd +\\| {} +\\| — .*\\| INVALID", more)));
  EXPECT_THAT(ran.out, HasSubstr(fmt::format("dsgd on {} cores: INVALID: {} nodes share {} cores", more, more, cores)));
  EXPECT_THAT(ran.out, HasSubstr("no conclusion"));
}

TEST(Scale, RefusesInOneLineBeforeAnyRun) {
  const struct {
    const char *arguments, *says;
  } cases[] = {
      {"--nodes 2", "--cores"},
      {"--engine virtual", "quantimed predict"},
      {"--seeds 1,2", "--seed"},
      {"--algorithm dsgd", "--algorithms"},
      {"--study both --cores 2 --batch 3 --oversubscribe", "--batch 3"},
      {"--cores 1,2 --graph torus --oversubscribe", "--graph torus"},
      {"--cores 1,2 --samples-per-node 9000 --oversubscribe", "--samples-per-node 9000"},
  };
  for (const auto& c : cases) {
    const Folder folder;
    const Ran ran = run_program(folder, kQuick + c.arguments);
    EXPECT_EQ(ran.status, 2) << c.arguments;
    EXPECT_THAT(ran.err, HasSubstr(c.says)) << c.arguments;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << c.arguments << ": " << ran.err;
    EXPECT_FALSE(std::filesystem::exists(folder / "runs")) << c.arguments;
  }
}

TEST(Scale, DryRunPrintsThePlan) {
  const Folder folder;
  const Ran ran = run_program(folder, kQuick + "--cores 1,2 --oversubscribe --algorithms dsgd --batch 60 --dry-run");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("# runs/scale/strong-dsgd-n2-repeat1.h5: nodes 2, each: 192 samples, batch 30,"));
  EXPECT_THAT(ran.out, HasSubstr("# runs/scale/weak-dsgd-n2-repeat1.h5: nodes 2, each: 384 samples, batch 60,"));
  EXPECT_THAT(ran.out, HasSubstr("batch = 30\n"));
  EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
}

TEST(Scale, ASignalKeepsAndTablesWhatWasDone) {
  const Folder folder;
  const Ran ran =
      run_program(folder,
                  "scale --dataset digits --model mlp:8 --cores 1 --study weak --warm-up 0 --algorithms dsgd --batch 1 "
                  "--repeats 10000 --iterations 10 & p=$!; " +
                      until_there("runs/scale/weak-dsgd-n1-repeat1.h5") + "kill -INT $p; wait $p");
  EXPECT_EQ(ran.status, 75) << ran.err;
  EXPECT_EQ(read_trace(folder / "runs/scale/weak-dsgd-n1-repeat1.h5").status, RunStatus::complete);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("Stopped by a signal after "), HasSubstr(" of 10000 runs; ")));
  EXPECT_THAT(ran.out, AnyOf(HasSubstr(" of 10000 VALID"), HasSubstr("INVALID")));  // where something else had its core
  EXPECT_THAT(ran.out, HasSubstr(table_of(folder / "runs/scale/table.md")));
}

}  // namespace
}  // namespace quantimed

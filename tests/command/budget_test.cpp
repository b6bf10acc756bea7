// SPDX-License-Identifier: BSD-3-Clause
#include "command/budget.hpp"

#include "base/error.hpp"
#include "command/certificate.hpp"
#include "command/compared_steps.hpp"
#include "command/experiment.hpp"
#include "command/program.hpp"
#include "trace/trace.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>

namespace quantimed {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kBudgetProblem =
    "--dataset digits:600 --nodes 5 --graph ring --model mlp:4 --samples-per-node 40 --batch 10 --evaluations 5 "
    "--threads "
    "1 ";
const char* const kAlgorithms[] = {"quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"};

std::map<std::string, Trace> traces_of(const std::string& folder) {
  std::map<std::string, Trace> traces;
  for (const auto& file : std::filesystem::directory_iterator(folder))
    if (file.path().extension() == ".h5") {
      Trace trace = read_trace(file.path());
      if (text(trace.config, "bits", "") != "wire") continue;  // a second clock
      const std::string name = text(trace.config, "algorithm", "");
      traces.emplace(name, std::move(trace));
    }
  return traces;
}

TEST(Budget, EveryAlgorithmGetsTheSameTimeAndNobodyMoreIterationsThanWereAskedFor) {
  const Folder folder;
  const Ran ran = run_program(folder, "compare --seeds 3 --iterations 60 --output c " + kBudgetProblem);
  ASSERT_EQ(ran.status, 0) << ran.err;
  const auto traces = traces_of(folder / "c");
  ASSERT_EQ(traces.size(), 4u);
  const double time = number(traces.at("dsgd").config, "max-time", 0);
  EXPECT_THAT(ran.out, HasSubstr(fmt::format("{:g} s for every algorithm", time)));
  double most = 0;
  for (const char* name : kAlgorithms) {
    const Trace& trace = traces.at(name);
    const double iterations = number(trace.summary, "iterations", 0), end = number(trace.summary, "end_time_s", 0);
    EXPECT_EQ(number(trace.config, "max-time", 0), time) << name;
    EXPECT_GE(end, time * 0.999) << name;
    EXPECT_LE(end, time + 3 * end / iterations) << name;  // the round that was on its way
    EXPECT_NEAR(number(trace.config, "horizon", 0), iterations, 0.1 * iterations + 2) << name;
    most = std::max(most, iterations);
  }
  EXPECT_NEAR(most, 60, 7);
  // A step that depends on T takes the algorithm's own.
  const Trace& slow = traces.at("q-dsgd");
  const double horizon = number(slow.config, "horizon", 0);
  EXPECT_LT(horizon, most);
  EXPECT_NEAR(number(slow.config, "alpha_value", 0), 0.3 * std::pow(horizon, -1.0 / 6), 1e-6);
  // The trace's own .ini repeats the run.
  std::ofstream(folder / "again.ini") << slow.ini;
  ASSERT_EQ(run_program(folder, "run --config again.ini --output again.h5 --quiet").status, 0);
  EXPECT_EQ(read_trace(folder / "again.h5").progress.loss, slow.progress.loss);
}

TEST(Budget, ATimeThatIsGivenIsTheTime) {
  const Folder folder;
  const Ran ran = run_program(
      folder, "compare --algorithms dsgd,async-dsgd --seeds 1 --max-time 2min --output c " + kBudgetProblem);
  ASSERT_EQ(ran.status, 0) << ran.err;
  for (const auto& [name, trace] : traces_of(folder / "c")) EXPECT_EQ(number(trace.config, "max-time", 0), 120) << name;
  const Ran both = run_program(folder, "compare --max-time 5 --iterations 9 " + kBudgetProblem);
  EXPECT_EQ(both.status, 2);
  EXPECT_THAT(both.err, HasSubstr("--iterations 9: --max-time 5"));
}

// tuned.ini has a time; the command line may want something else.
TEST(Budget, TheCommandLineTakesBackTheTimeOfAConfig) {
  const Folder folder;
  std::ofstream(folder / "t.ini") << "iterations = 20\nmax-time = 30\nbudget = time\n";
  const std::string start = "compare --config t.ini --algorithms dsgd --seeds 1 " + kBudgetProblem;
  ASSERT_EQ(run_program(folder, start + "--budget iterations --output i").status, 0);
  const Trace by_iterations = traces_of(folder / "i").at("dsgd");
  EXPECT_EQ(by_iterations.progress.iteration.back(), 20);
  EXPECT_TRUE(std::isinf(number(by_iterations.config, "max-time", kForever)));
  ASSERT_EQ(run_program(folder, start + "--max-time none --output n").status, 0);
  EXPECT_NE(number(traces_of(folder / "n").at("dsgd").config, "max-time", 0), 30);
  const Ran cut = run_program(folder, start + "--iterations 9 --output c");
  EXPECT_EQ(cut.status, 2);
  EXPECT_THAT(cut.err, HasSubstr("--iterations 9: --max-time 30 of --config is the time of every algorithm"));
  std::ofstream(folder / "t.ini") << "max-time = 30\nbudget = iterations\n";
  EXPECT_THAT(run_program(folder, start + "--output d").err, HasSubstr("--max-time 30 of --config"));
}

TEST(Budget, IterationsAreEqualWhereTheyAreAskedFor) {
  const Folder folder;
  const Ran ran = run_program(
      folder,
      "compare --algorithms dsgd,async-dsgd --seeds 1 --iterations 9 --budget iterations --output c " + kBudgetProblem);
  ASSERT_EQ(ran.status, 0) << ran.err;
  for (const auto& [name, trace] : traces_of(folder / "c"))
    EXPECT_EQ(number(trace.summary, "iterations", 0), 9) << name;
}

TEST(Budget, IsFoundToTheSameBitInVirtualTime) {
  const Folder folder;
  const std::string command = "compare --algorithms dsgd,q-dsgd --seeds 1 --iterations 30 --dry-run " + kBudgetProblem;
  const std::string first = run_program(folder, command).out;
  EXPECT_THAT(first, HasSubstr("max-time = "));
  EXPECT_EQ(run_program(folder, command).out, first);
  EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
}

TEST(Budget, IsMeasuredOnceInRealTime) {
  const Folder folder;
  const std::string command =
      "compare --engine threads --nodes 1 --graph complete --algorithms dsgd --iterations 50 --dataset digits --model "
      "mlp:4 "
      "--samples-per-node 40 --batch 10 --evaluations 5 --seeds 1 --output c ";
  ASSERT_THAT(run_program(folder, command).status, AnyOf(0, 5));  // 5: the machine is busy, and all runs are INVALID
  const std::string time = to_text(*find(traces_of(folder / "c").at("dsgd").config, "max-time"));
  const std::string paces = contents(folder / "c/paces.txt");
  ASSERT_THAT(run_program(folder, command).status, AnyOf(0, 5));
  EXPECT_EQ(contents(folder / "c/paces.txt"), paces);
  EXPECT_EQ(to_text(*find(traces_of(folder / "c").at("dsgd").config, "max-time")), time);
}

// ---- steps for a target ---------------------------------------------------------------------------
TEST(ComparedSteps, OfATargetAreRunOnceWhereTheyAreTheSame) {
  Config c;
  c.alpha = "dsgd=0.2,dsgd@1.9=0.4,q-dsgd=0.3";
  c.target_loss = {2, 1.9};
  const auto steps = plan_steps(c, {"dsgd", "q-dsgd"});
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].alpha, "0.2");
  ASSERT_EQ(steps[0].uses.size(), 2u);  // for all, and for 2
  EXPECT_EQ(steps[0].uses[1].for_target, 2);
  EXPECT_EQ(steps[1].alpha, "0.4");
  ASSERT_EQ(steps[1].uses.size(), 1u);
  EXPECT_EQ(steps[1].uses[0].for_target, 1.9);
  EXPECT_EQ(steps[1].uses[0].setting, "alpha 0.4");
  EXPECT_EQ(steps[2].uses.size(), 3u);
  c.one_setting = true;
  const auto all_targets = plan_steps(c, {"dsgd", "q-dsgd"});
  ASSERT_EQ(all_targets.size(), 2u);
  EXPECT_EQ(all_targets[0].alpha, "0.2");
  EXPECT_EQ(all_targets[0].uses.size(), 1u);
  EXPECT_FALSE(with_steps(c, all_targets[0]).one_setting);  // a run is the same with it and without
  c.one_setting = false;
  c.target_loss = {2};
  EXPECT_THROW((void)plan_steps(c, {"dsgd"}), InputError);
  c.alpha = "0.2";
  const auto one = plan_steps(c, {"dsgd", "q-dsgd"});
  ASSERT_EQ(one.size(), 2u);
  EXPECT_EQ(one[0].uses.size(), 1u);
  EXPECT_EQ(one[0].uses[0].setting, "");
}

// ---- certificates ---------------------------------------------------------------------------------
Config tuned() {
  Config c;
  c.alpha = "dsgd=0.2,dsgd@1.9=0.4,q-dsgd=0.3";
  c.epsilon = "q-dsgd=0.5";
  c.max_time = 60;
  c.tuned_by = make_certificate(c, 24, {101, 102, 103}, "abc");
  return c;
}
Config judged(const std::string& algorithm, const std::string& alpha, const std::string& epsilon) {
  Config c = tuned();
  c.algorithm = algorithm;
  c.alpha = alpha;
  c.epsilon = epsilon;
  c.nodes = 50;
  c.speed = "uniform:10,90";
  c.link = "paper:3";
  c.threads = 2;
  return c;
}

TEST(Certificate, HoldsForTheRunsOfAComparison) {
  const std::string fair = "equal budgets: 24 trials of each algorithm, seeds 101-103";
  EXPECT_EQ(tuning_of(judged("dsgd", "0.2", "1"), {1}, "abc"), fair);
  EXPECT_EQ(tuning_of(judged("dsgd", "0.4", "1"), {1}, ""), fair);
  EXPECT_EQ(tuning_of(judged("q-dsgd", "0.3", "0.5"), {1}, "abc"), fair);
  Config quantimed = judged("q-dsgd", "0.3", "0.5");
  quantimed.deadline = "1.25";  // follows from auto
  EXPECT_EQ(tuning_of(quantimed, {1}, ""), fair);
  EXPECT_TRUE(is_tuned_fairly(fair));
  EXPECT_EQ(tuning_of(Config{}, {1}, ""), "none");
}

TEST(Certificate, SaysForWhomTheSearchWasTooSmall) {
  Config c = tuned();
  const SearchDoubts doubts{.at_edge = {"dsgd", "q-dsgd"}, .usual_better = {"dsgd"}};
  const std::string certificate = make_certificate(c, 24, {101, 102, 103}, "abc", doubts);
  c = judged("dsgd", "0.2", "1");
  c.tuned_by = certificate;
  const std::string tuning = tuning_of(c, {1}, "abc");
  EXPECT_TRUE(is_tuned_fairly(tuning));
  EXPECT_EQ(search_doubts_of(tuning),
            "the search was too small: the best of dsgd,q-dsgd lies at the edge of what was tried, published or usual "
            "steps do better than the best trial of dsgd");
  EXPECT_EQ(search_doubts_of(tuning_of(judged("dsgd", "0.2", "1"), {1}, "abc")), "");
}

TEST(Certificate, OfVirtualTimeHoldsInRealTimeOfTheSameSpeedsAndLink) {
  Config c = judged("q-dsgd", "0.3", "0.5");
  c.engine = "threads", c.nodes = 50, c.speed = "uniform:10,90", c.link = "paper:3";
  const std::string found = tuning_of(c, {1}, "abc");
  EXPECT_TRUE(is_tuned_fairly(found)) << found;
  EXPECT_THAT(found, HasSubstr("in virtual time"));
  c.link = "none";
  EXPECT_EQ(tuning_of(c, {1}, "abc"), "other options than these: link (paper:3)");
  c.speed = "";
  EXPECT_THAT(tuning_of(c, {1}, "abc"), HasSubstr("engine (virtual)"));
}

TEST(Certificate, HoldsTheParametersAndGradientsOfEachAlgorithm) {
  Config tuned_until_deadline = tuned();
  tuned_until_deadline.gradient = "q-dsgd=deadline";
  tuned_until_deadline.tuned_by = make_certificate(tuned_until_deadline, 24, {101, 102, 103}, "abc");
  Config run = judged("q-dsgd", "0.3", "0.5");
  run.tuned_by = tuned_until_deadline.tuned_by;
  EXPECT_EQ(tuning_of(run, {1}, "abc"), "other options than these: gradient (deadline)");
  run.gradient = "deadline";
  EXPECT_TRUE(is_tuned_fairly(tuning_of(run, {1}, "abc")));
  for (const AlgorithmRow& row : algorithm_table())
    for (const ParameterUse& use : row.parameters) {
      SCOPED_TRACE(fmt::format("{} {}", row.name, row_of(use.parameter).option));
      const std::string other = row_of(use.parameter).is_whole ? fmt::format("{}", use.usual + 1) : "0.375";
      Config c = tuned();
      c.parameters[use.parameter] = fmt::format("{}={}", row.name, other);
      c.alpha = "0.2", c.epsilon = "0.5";
      const std::string certificate = make_certificate(c, 24, {101, 102, 103}, "abc");
      Config now = judged(row.name, "0.2", "0.5");
      now.tuned_by = certificate;
      EXPECT_EQ(tuning_of(now, {1}, "abc"),
                fmt::format("other options than these: {} ({})", row_of(use.parameter).option, other));
      now.parameters[use.parameter] = other;
      EXPECT_TRUE(is_tuned_fairly(tuning_of(now, {1}, "abc")));
    }
}

TEST(Certificate, NamesWhatIsOtherThanItWasTunedFor) {
  const auto changed = [](auto change) {
    Config c = judged("q-dsgd", "0.3", "0.5");
    change(c);
    return tuning_of(c, {1}, "abc");
  };
  EXPECT_EQ(changed([](Config& c) { c.speed = "constant:3"; }), "other options than these: speed (uniform:10,90)");
  EXPECT_EQ(changed([](Config& c) { c.batch = 30; }), "other options than these: batch (50)");
  EXPECT_EQ(changed([](Config& c) { c.bits = "paper", c.max_time = 9; }),
            "other options than these: bits (wire), max-time (60)");
  EXPECT_EQ(changed([](Config& c) { c.alpha = "0.31"; }), "other options than these: alpha");
  EXPECT_EQ(changed([](Config& c) { c.epsilon = "1"; }), "other options than these: epsilon");
  EXPECT_EQ(changed([](Config& c) { c.gradient = "q-dsgd=deadline"; }), "other options than these: gradient (batch)");
  EXPECT_EQ(changed([](Config& c) { c.gradient = "dsgd=deadline"; }), changed([](Config&) {}));  // another algorithm's
  EXPECT_EQ(tuning_of(judged("dsgd", "0.2", "1"), {1}, "abd"), "other options than these: the data themselves");
  EXPECT_EQ(tuning_of(judged("dsgd", "0.2", "1"), {1, 102}, "abc"), "the seeds that judge: 102");
  EXPECT_THAT(changed([](Config& c) { c.tuned_by.replace(c.tuned_by.find("trials=24"), 9, "trials=99"); }),
              StartsWith("a certificate that was changed"));
  EXPECT_THAT(changed([](Config& c) { c.tuned_by = "x; check=" + std::string("0"); }), HasSubstr("changed"));
  EXPECT_FALSE(is_tuned_fairly(changed([](Config& c) { c.batch = 30; })));
}

}  // namespace
}  // namespace quantimed

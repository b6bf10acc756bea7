// SPDX-License-Identifier: BSD-3-Clause
// --counters: from an engine's outcome to the trace, over stops, into tables; and the program where it runs.
#include "command/counts.hpp"

#include "command/comparison.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

#include "program.hpp"

namespace quantimed {
namespace {

using ::testing::HasSubstr;

Trace run_of(double end_s) {
  Trace trace;
  trace.status = RunStatus::complete;
  trace.network.nodes = 2;
  for (const double time : {0.0, 1.0, 2.0, 3.0})
    if (time <= end_s) {
      trace.progress.time.push_back(time);
      trace.progress.loss.push_back(4 - time);
    }
  trace.summary = {{"target_loss", 2.5}, {"end_time_s", end_s}};
  return trace;
}

EnergyCurve ten_watts(double from, double to) {
  EnergyCurve curve;
  curve.end(from, 0);
  curve.end(to, 10 * (to - from));
  return curve;
}

const Counters kCounted{.cycles = {100, 200},
                        .instructions = {150, 50},
                        .cache_misses = {},
                        .stalled_cycles = {7, std::nan("")},
                        .counted_share = {1, 0.5},
                        .account = {{"cache_misses_missing", std::string("no such counter")},
                                    {"stalled_cycles_missing", std::string("not allowed")},
                                    {"energy_source", std::string("a meter")}}};

std::string reason(const Trace& trace, const std::string& name) {
  return text(trace.counters->account, name + "_missing", "");
}

TEST(Counts, OfAWholeRun) {
  Trace trace = run_of(3);
  add_counters(trace, kCounted, ten_watts(0, 3), nullptr);
  EXPECT_EQ(trace.progress.energy_j, (std::vector<double>{0, 10, 20, 30}));
  EXPECT_EQ(number(trace.summary, "energy_j", -1), 30);
  EXPECT_EQ(number(trace.summary, "energy_to_target_j", -1), 15);
  EXPECT_EQ(number(trace.summary, "cycles", -1), 300);
  EXPECT_EQ(find(trace.summary, "cache_misses"), nullptr) << "never a zero";
  EXPECT_EQ(find(trace.summary, "stalled_cycles"), nullptr) << "of one node alone";
  const std::string lines = counts_text(trace);
  EXPECT_THAT(lines, HasSubstr("300 cycles, 200 instructions (0.67 a cycle), scaled up: counted for 50 % of the time"));
  EXPECT_THAT(lines, HasSubstr("30 J, 10 W, of whole processor packages, other programs included (a meter)"));
  EXPECT_THAT(lines, HasSubstr("not counted cache_misses: no such counter\n"));
  trace.verdict.reject("for a test");
  EXPECT_THAT(counts_text(trace), testing::Not(HasSubstr(" J,"))) << "figures of an INVALID run are not shown";
  EXPECT_THAT(counts_text(trace), HasSubstr("no such counter"));
  EXPECT_EQ(counts_text(run_of(3)), "");
}

TEST(Counts, PartsOfARunAreAddedUp) {
  Trace before = run_of(1);
  add_counters(before, kCounted, ten_watts(0, 1.25), nullptr);
  before.summary.erase(before.summary.begin() + 1);
  before.summary.emplace_back("end_time_s", 1.25);
  Trace trace = run_of(3);
  add_counters(trace, kCounted, ten_watts(1.25, 3), &before);
  EXPECT_EQ(trace.counters->cycles, (std::vector<double>{200, 400}));
  EXPECT_EQ(trace.counters->counted_share, (std::vector<double>{1, 0.5}));
  EXPECT_EQ(number(trace.summary, "cycles", -1), 600);
  EXPECT_EQ(trace.progress.energy_j[1], 10) << "the earlier curve's own";
  EXPECT_NEAR(trace.progress.energy_j[3], number(before.summary, "energy_j", 0) + 17.5, 1e-9);
}

TEST(Counts, OfAPartNothingIsToldOfTheWhole) {
  const Trace killed = run_of(1);  // a .partial has none
  Trace trace = run_of(3);
  add_counters(trace, kCounted, ten_watts(1, 3), &killed);
  EXPECT_TRUE(trace.counters->cycles.empty());
  EXPECT_TRUE(trace.counters->counted_share.empty());
  EXPECT_TRUE(trace.progress.energy_j.empty());
  EXPECT_EQ(find(trace.summary, "energy_j"), nullptr);
  for (const char* name : {"cycles", "instructions", "stalled_cycles", "energy"})
    EXPECT_THAT(reason(trace, name), HasSubstr("killed and resumed")) << name;
  EXPECT_EQ(text(trace.counters->account, "energy_source", ""), "");

  Trace other = run_of(3);  // the earlier machine told cycles, and this one no energy
  Trace before = run_of(1);
  Counters cycles;
  cycles.cycles = {1, 1};
  cycles.account = {{"instructions_missing", std::string("not there")}, {"energy_missing", std::string("no meter")}};
  add_counters(before, cycles, {}, nullptr);
  add_counters(other, kCounted, ten_watts(1, 3), &before);
  EXPECT_EQ(other.counters->cycles, (std::vector<double>{101, 201}));
  EXPECT_EQ(reason(other, "instructions"), "not there");
  EXPECT_EQ(reason(other, "energy"), "no meter");
}

ComparedRun compared(const std::string& algorithm, std::uint64_t seed, double watts) {
  ComparedRun run;
  run.algorithm = algorithm;
  run.seed = seed;
  run.status = RunStatus::complete;
  run.verdict = "VALID";
  ClockedCurve curve;
  curve.clock = "real";
  for (int k = 0; k < 20; ++k) {
    curve.time.push_back(k);
    curve.loss.push_back(20 - k);
    curve.energy_j.push_back(watts * k);
  }
  run.curves = {curve};
  return run;
}

TEST(Counts, JoulesToATargetWhereEveryRunHasThem) {
  std::vector<ComparedRun> runs = {compared("dsgd", 1, 2), compared("dsgd", 2, 4), compared("amb", 1, 5),
                                   compared("amb", 2, 5)};
  const std::vector<Comparison> made = judge_runs({"dsgd", "amb"}, runs, {10, 0.5});
  ASSERT_EQ(made[0].energy_to_target.size(), 2u);
  EXPECT_DOUBLE_EQ(made[0].energy_to_target[0][0].median, 30) << "10 s at 2 and 4 W";
  EXPECT_DOUBLE_EQ(made[0].energy_to_target[0][1].median, 50);
  EXPECT_TRUE(std::isinf(made[0].energy_to_target[1][0].median)) << "missed";
  const std::string table = comparison_text(made);
  EXPECT_THAT(table, HasSubstr("joules to target"));
  EXPECT_THAT(table, HasSubstr("50 J"));
  EXPECT_THAT(table, HasSubstr("other programs included"));
  const nlohmann::json entry = nlohmann::json::parse(comparison_json(made))["comparisons"][0]["races"][0]["entries"][1];
  EXPECT_EQ(entry["energy_j"]["median"], 50);

  runs[3].curves[0].energy_j.clear();
  const std::vector<Comparison> without = judge_runs({"dsgd", "amb"}, runs, {10});
  EXPECT_TRUE(without[0].energy_to_target.empty());
  EXPECT_THAT(comparison_text(without), testing::Not(HasSubstr("joules")));
  EXPECT_THAT(comparison_json(without), testing::Not(HasSubstr("energy_j")));
}

TEST(Counts, TheJudgeTakesJoules) {
  const auto document = [](const std::string& energy) {
    return R"({"targets": [2], "runs": [{"algorithm": "dsgd", "curves": [{"clock": "real", "time": [0, 1, 2, 3], "loss": [4, 3, 2, 1], "energy_j": )" +
           energy + "}]}]}";
  };
  const nlohmann::json answer = nlohmann::json::parse(answer_json(document("[0, 5, 10, 15]")));
  EXPECT_EQ(answer["comparisons"][0]["races"][0]["entries"][0]["energy_j"]["median"], 10);
  EXPECT_THROW(answer_json(document("[0, 5]")), InputError);
  EXPECT_THROW(answer_json(document("\"many\"")), InputError);
}

// Whatever this machine gives: each count is in the trace, or why not; and nothing of it in a run without the option.
TEST(Counts, TheProgramTellsCountsOrReasons) {
  const Folder folder;
  const std::string run =
      "run --engine threads --oversubscribe --nodes 2 --dataset digits --samples-per-node 20 --batch 5 "
      "--algorithm dsgd --iterations 20 --quiet --output ";
  ASSERT_EQ(run_program(folder, run + "with.h5 --counters").status, 0);
  ASSERT_EQ(run_program(folder, run + "without.h5").status, 0);
  const Trace with = read_trace(folder / "with.h5"), without = read_trace(folder / "without.h5");
  EXPECT_FALSE(without.counters);
  EXPECT_TRUE(without.progress.energy_j.empty());
  ASSERT_TRUE(with.counters);
  EXPECT_NE(with.counters->cycles.size() == 2, !reason(with, "cycles").empty());
  EXPECT_NE(with.progress.energy_j.size() == with.progress.time.size(), !reason(with, "energy").empty());
  EXPECT_THAT(verify_trace(with), testing::IsEmpty());
  const Ran info = run_program(folder, "info");
  EXPECT_THAT(info.out, HasSubstr("what --counters has here: "));
  EXPECT_THAT(info.out, HasSubstr("\nenergy: "));
  expect_refused(run_program(folder, "run --dataset digits --counters"), "--counters", "virtual time");
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The program from outside: what it prints, what it writes, how it ends.
#include "command/program.hpp"
#include "machine/placement.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <csignal>

namespace quantimed {
namespace {

using testing::HasSubstr;

const std::string kSmall =
    " --dataset digits:600 --nodes 6 --samples-per-node 100 --model mlp:8 --iterations 12 --evaluations 4 "
    "--alpha 0.2 --epsilon 0.5 ";  // the published ε is for long horizons

TEST(Program, RunsAndWritesATraceThatVerifies) {
  for (const char* algorithm : {"quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"}) {
    const Folder folder;
    const Ran run =
        run_program(folder, "run --algorithm " + std::string(algorithm) + kSmall + "--timeline --output t.h5");
    ASSERT_EQ(run.status, 0) << run.err;
    EXPECT_EQ(without_progress(run.err), "");
    EXPECT_THAT(run.out, HasSubstr("verdict     VALID"));
    EXPECT_THAT(run.out, HasSubstr("data        784 features (28x28), 10 classes (labels 0-9), 600 training, 120"));
    const Ran verify = run_program(folder, "verify t.h5");
    EXPECT_EQ(verify.status, 0) << verify.out;
    EXPECT_THAT(verify.out, HasSubstr("all invariants hold"));
    const Trace trace = read_trace(folder / "t.h5");
    EXPECT_EQ(trace.status, RunStatus::complete);
    EXPECT_EQ(trace.progress.loss.size(), 5u);
    EXPECT_FALSE(trace.timeline.node.empty());
    EXPECT_LT(trace.progress.loss.back(), trace.progress.loss.front());
  }
}

TEST(Program, ARunThatIsInvalidSaysSoFirstAndLastAndShowsNoTimes) {
  const Folder folder;
  const Ran run = run_program(folder, "run --algorithm quantimed-dsgd --deadline 1e-12" + kSmall + "--output t.h5");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("virtual time: complete, INVALID\n"));
  EXPECT_THAT(run.out, HasSubstr("verdict     INVALID: every batch was empty"));
  EXPECT_THAT(run.out, HasSubstr("Why is my run INVALID?"));
  EXPECT_THAT(run.out, testing::Not(HasSubstr("on the run's clock")));
  EXPECT_THAT(run.out, testing::Not(HasSubstr("time spent")));
}

TEST(Program, RunsOnThreads) {
  for (const char* algorithm : {"quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd"}) {
    const Folder folder;
    const Ran run = run_program(folder,
                                "run --engine threads --nodes 3 --oversubscribe --dataset digits:600 --model mlp:8 "
                                "--samples-per-node 100 --iterations 40 --evaluations 4 --output t.h5 --algorithm " +
                                    std::string(algorithm));
    ASSERT_EQ(run.status, 0) << run.err;
    const Trace trace = read_trace(folder / "t.h5");
    if (usable_cores().size() < 3) {  // with as many it is VALID, unless others used them, too
      EXPECT_THAT(trace.verdict.text(), testing::StartsWith("INVALID: ")) << algorithm;
    }
    EXPECT_TRUE(verify_trace(trace).empty()) << verify_trace(trace).front();
  }
}

TEST(Program, InterferenceIsRecorded) {
  const Folder folder;
  const Ran run = run_program(folder,
                              "run --engine threads --nodes 1 --graph complete --dataset digits:600 --model mlp:8 "
                              "--samples-per-node 100 --iterations 200 --evaluations 2 --interference 1,1,0.01 "
                              "--algorithm dsgd --output t.h5");
  ASSERT_EQ(run.status, 0) << run.err;
  const Trace trace = read_trace(folder / "t.h5");
  EXPECT_GT(number(trace.summary, "interference_asked_s", -1), 0);
  EXPECT_GT(number(trace.summary, "interference_had_s", -1), 0);
  EXPECT_GT(number(trace.summary, "peak_memory_bytes", -1), 1e7);
  EXPECT_EQ(text(trace.config, "interference", ""), "1,1,0.01");
}

TEST(Program, TheTracesIniRepeatsTheRunBitForBit) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, "run" + kSmall + "--output a.h5").status, 0);
  const Trace first = read_trace(folder / "a.h5");
  std::ofstream(folder / "again.ini") << first.ini;
  ASSERT_EQ(run_program(folder, "run --config again.ini --output b.h5").status, 0);
  const Trace second = read_trace(folder / "b.h5");
  EXPECT_EQ(first.progress.loss, second.progress.loss);
  EXPECT_EQ(first.progress.time, second.progress.time);
  EXPECT_EQ(first.mean_model, second.mean_model);
}

TEST(Program, ComparesPairedRunsInATable) {
  const Folder folder;
  const Ran compare = run_program(folder, "compare --seeds 1,2" + kSmall + "--output study");
  ASSERT_EQ(compare.status, 0) << compare.err;
  for (const char* word : {"quantimed-dsgd", "async-dsgd", "q-dsgd", "speed-up over dsgd", "2 of 2",
                           "[a–b] is the range of 2 seeds", "2 pairs of runs: too few to name a winner"})
    EXPECT_THAT(compare.out, HasSubstr(word));
  EXPECT_THAT(compare.out, HasSubstr(table_of(folder / "study/table.md")));
  const auto judged = nlohmann::json::parse(contents(folder / "study/comparison.json"))["comparisons"][0];
  EXPECT_EQ(judged["targets"].size(), 5u);
  EXPECT_EQ(judged["pairs"]["used"], (std::vector<int>{1, 2}));
  // Paired: with the same seed all algorithms start from the same loss on the same graph.
  const Trace a = read_trace(folder / "study/dsgd-seed2.h5"), b = read_trace(folder / "study/async-dsgd-seed2.h5");
  EXPECT_EQ(a.progress.loss.front(), b.progress.loss.front());
  EXPECT_EQ(a.network.edges, b.network.edges);
}

// Whatever --bits, a comparison has both clocks: synchronous runs record them, asynchronous ones run once for each.
TEST(Program, ComparesByBothClocksOfBits) {
  const Folder folder;
  std::map<std::string, nlohmann::json> times;
  for (const std::string bits : {"paper", "wire"}) {
    const Ran compare = run_program(folder, "compare --algorithms q-dsgd,dsgd,async-dsgd --seeds 1 --target-loss 5 " +
                                                kSmall + "--budget iterations --output " + bits + " --bits " + bits);
    ASSERT_EQ(compare.status, 0) << compare.err;
    EXPECT_THAT(compare.out, HasSubstr("| time, paper's bits "));
    EXPECT_THAT(compare.out, HasSubstr("| time, bits on the wire "));
    const auto judged = nlohmann::json::parse(contents(folder / (bits + "/comparison.json")))["comparisons"][0];
    ASSERT_EQ(judged["races"].size(), 2u);
    for (const auto& race : judged["races"])
      for (const auto& entry : race["entries"]) times[bits].push_back(entry["times_s"]);
  }
  EXPECT_EQ(times["paper"], times["wire"]);
  EXPECT_EQ(times["paper"].size(), 6u);
  EXPECT_THAT(times["paper"].dump(), testing::Not(HasSubstr("inf")));
  // The file beside each asynchronous run is the run that the other command has made.
  const Trace second = read_trace(folder / "paper/async-dsgd-seed1-wire.h5");
  const Trace first = read_trace(folder / "wire/async-dsgd-seed1.h5");
  EXPECT_EQ(second.progress.time, first.progress.time);
  EXPECT_EQ(second.progress.loss, first.progress.loss);
  EXPECT_NE(second.progress.time, read_trace(folder / "paper/async-dsgd-seed1.h5").progress.time);
  EXPECT_FALSE(std::filesystem::exists(folder / "paper/dsgd-seed1-wire.h5"));
  // A clock that charges nothing is one.
  const Ran free = run_program(folder, "compare --algorithms async-dsgd --link none --seeds 1 --output free" + kSmall);
  EXPECT_EQ(free.status, 0) << free.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "free/async-dsgd-seed1-paper.h5"));
}

TEST(Program, PrintsAComparisonAsOneJsonDocument) {
  const Folder folder;
  const Ran compare =
      run_program(folder, "compare --json --algorithms dsgd,q-dsgd --seeds 1" + kSmall + "--output study");
  ASSERT_EQ(compare.status, 0) << compare.err;
  EXPECT_EQ(nlohmann::json::parse(compare.out)["format"], "quantimed-comparison");
  EXPECT_EQ(compare.out, contents(folder / "study/comparison.json"));
}

TEST(Program, ComparesNothingThatDoesNotCount) {
  const Folder folder;
  // The code holds the start, but not the weights as they grow: messages are clamped.
  const Ran clamped =
      run_program(folder, "compare --algorithms q-dsgd,dsgd --codec sparsifier:0.5 --seeds 1" + kSmall + "--output a");
  EXPECT_EQ(without_progress(clamped.err), "");
  EXPECT_THAT(clamped.out, HasSubstr("INVALID"));
  EXPECT_THAT(clamped.out, HasSubstr("q-dsgd: 1 of 1 runs"));
  // A target above the start is no target.
  const Ran early =
      run_program(folder, "compare --algorithms q-dsgd,dsgd --target-loss 1000 --seeds 1" + kSmall + "--output b");
  EXPECT_THAT(early.out, HasSubstr("No target"));
  EXPECT_THAT(early.out, testing::Not(HasSubstr("astest")));
  // One that nobody reaches is missed, not dropped.
  const Ran missed =
      run_program(folder, "compare --algorithms q-dsgd,dsgd --target-loss 0.001 --seeds 1" + kSmall + "--output c");
  EXPECT_THAT(missed.out, HasSubstr("missed"));
  EXPECT_THAT(missed.out, HasSubstr("Nobody arrived in more than half of the runs to loss 0.001"));
}

TEST(Program, AShortRunWithThePublishedStepsDoesNotExplode) {
  for (const char* algorithm : {"quantimed-dsgd", "q-dsgd"}) {
    const Folder folder;
    const Ran ran =
        run_program(folder, "run --graph ring --nodes 16 --dataset digits --iterations 20 --output t.h5 --algorithm " +
                                std::string(algorithm));
    ASSERT_EQ(ran.status, 0) << ran.out << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("epsilon is 1; the published 15*T^(-1/2) would be 3.35 at T = 20"));
    const Trace trace = read_trace(folder / "t.h5");
    EXPECT_EQ(number(trace.config, "epsilon_value", 0), 1);
    EXPECT_LT(trace.progress.loss.back(), trace.progress.loss.front());
  }
}

TEST(Program, StepsTakeTheirOwnHorizon) {
  const Folder folder;
  const std::string steps =
      "run --algorithm dsgd --alpha '0.3*T^(-1/2)' --nodes 3 --dataset digits:600 --model mlp:4 --threads 1 ";
  ASSERT_EQ(run_program(folder, steps + "--iterations 9 --horizon 4 --output a.h5").status, 0);
  const Trace trace = read_trace(folder / "a.h5");
  EXPECT_FLOAT_EQ(static_cast<float>(number(trace.config, "alpha_value", 0)), 0.15f);
  std::ofstream(folder / "again.ini") << trace.ini;
  ASSERT_EQ(run_program(folder, "run --config again.ini --output b.h5").status, 0);
  EXPECT_EQ(read_trace(folder / "b.h5").progress.loss, trace.progress.loss);
}

TEST(Program, ReportIsTheOneInPython) {
  const Folder folder;
  const Ran help = run_program(folder, "report --help");
  EXPECT_EQ(help.status, 0) << help.err;
  EXPECT_THAT(help.out, HasSubstr("quantimed-report"));
  std::filesystem::create_directory(folder / "bin");
  std::filesystem::copy_file(QUANTIMED_PROGRAM, folder / "bin/quantimed");
  const Ran alone = run_program(folder, "version > /dev/null; env -u QUANTIMED_HOME bin/quantimed report .");
  EXPECT_EQ(alone.status, 2);
  EXPECT_THAT(alone.err, testing::AllOf(HasSubstr("QUANTIMED_HOME"), testing::EndsWith("\n")));
}

TEST(Program, BadUseIsOneLineAndStatusTwo) {
  const Folder folder;
  std::ofstream(folder / "wrong.idx") << "this is not a data set, and not text of numbers either";
  std::ofstream(folder / "parts.txt") << "0 1\n2 3\n";
  const struct {
    const char *arguments, *says;
  } cases[] = {
      {"run --algoritm dsgd", "--algorithm"},
      {"run --nodes -1", "--nodes"},
      {"run --algorithm nothing", "--algorithm"},
      {"run --dataset nowhere", "--dataset"},
      {"run --dataset wrong.idx", "--dataset"},
      {"run --dataset digits --nodes 4 --graph file:parts.txt", "--graph"},
      {"run --dataset digits --nodes 7 --graph torus", "--graph"},
      {"run --engine threads --nodes 100000 --dataset digits", "--nodes"},
      {"run --dataset digits --output /no/such/folder/t.h5", "--output"},
      {"run --dataset digits --speed none", "--speed"},
      {"run --dataset digits --speed uniform:10", "--speed"},
      {"run --dataset digits --link carrier-pigeon", "--link"},
      {"run --dataset digits --codec sparsifier:0.1", "--codec"},
      {"compare --dataset digits --repeats 3", "--repeats"},
      {"run --dataset digits --repeats 3", "--repeats"},
      {"run --dataset digits --max-time 1h30min", "goes on after \"1h\""},
      {"cite dsgd --output x", "not an option of cite"},
      {"run --dataset digits --model mlp:0", "--model"},
      {"run --dataset digits --samples-per-node 100000", "--samples-per-node"},
      {"verify nothing.h5", "nothing.h5"},
      {"verify wrong.idx", "wrong.idx"},
      {"fly", "fly"},
  };
  for (const auto& c : cases) {
    const Ran ran = run_program(folder, c.arguments);
    EXPECT_EQ(ran.status, 2) << c.arguments;
    EXPECT_THAT(ran.err, HasSubstr(c.says)) << c.arguments;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << c.arguments << ": " << ran.err;
    EXPECT_EQ(ran.out, "") << c.arguments;
  }
}

TEST(Program, DivergenceEndsWithStatusThreeAndAReadableTrace) {
  const Folder folder;
  const Ran ran = run_program(
      folder, "run --algorithm dsgd --alpha 1e20 --dataset digits --nodes 4 --samples-per-node 50 --output t.h5");
  EXPECT_EQ(ran.status, 3) << ran.out << ran.err;
  EXPECT_EQ(read_trace(folder / "t.h5").status, RunStatus::diverged);
}

TEST(Program, ASignalEndsTheRunWithStatus75AndAReadableTrace) {
  for (const char* engine : {"virtual", "threads --nodes 1"}) {
    const Folder folder;
    const Ran ran = run_program(
        folder,
        "run --dataset digits --samples-per-node 200 --algorithm dsgd --iterations 10000000 --output t.h5 --engine " +
            std::string(engine) + " & p=$!; " + until_there("t.h5.partial") + "kill -INT $p; wait $p");
    EXPECT_EQ(ran.status, 75) << ran.err;
    const Trace trace = read_trace(folder / "t.h5");
    EXPECT_EQ(trace.status, RunStatus::interrupted);
    EXPECT_GT(trace.rounds.iterations, 0u);
  }
}

TEST(Program, AKilledRunLeavesWhatItHad) {
  const Folder folder;
  run_program(
      folder,
      "run --dataset digits --samples-per-node 200 --algorithm dsgd --iterations 10000000 --output t.h5 & p=$!; " +
          until_there("t.h5.partial") + "kill -9 $p; wait $p");
  EXPECT_FALSE(std::filesystem::exists(folder / "t.h5"));
  const Trace trace = read_trace(folder / "t.h5.partial");
  EXPECT_EQ(trace.status, RunStatus::running);
  EXPECT_GT(trace.rounds.iterations, 0u);
  const Ran verify = run_program(folder, "verify t.h5.partial");
  EXPECT_THAT(verify.out, HasSubstr("interrupted"));
}

TEST(Program, DryRunPrintsWhatItWouldDoAndWritesNothing) {
  const Folder folder;
  const Ran ran = run_program(folder, "run --dry-run" + kSmall);
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.out, HasSubstr("algorithm = quantimed-dsgd"));
  EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
}

TEST(Program, HelpVersionAndInfo) {
  const Folder folder;
  EXPECT_THAT(run_program(folder, "--help").out, HasSubstr("--algorithm"));
  EXPECT_EQ(run_program(folder, "--version").status, 0);
  EXPECT_THAT(run_program(folder, "--version").out, testing::MatchesRegex("quantimed [0-9.]+ [0-9a-z-]+\n"));
  const Ran info = run_program(folder, "info");
  EXPECT_EQ(info.status, 0);
  EXPECT_THAT(info.out, HasSubstr("GFLOP/s"));
  EXPECT_EQ(run_program(folder, "").status, 2);
}

TEST(Program, InfoListsTheLibrariesInUse) {
  const Folder folder;
  const Ran info = run_program(folder, "info --dependencies");
  EXPECT_EQ(info.status, 0);
  for (const char* name : {"OpenBLAS", "HDF5", "Boost", "hwloc", "zlib", "fmt", "Random123", "compiler", "libc"})
    EXPECT_THAT(info.out, testing::ContainsRegex(std::string("(^|\n)") + name + " +[^ \n]"));
}

TEST(Program, ExportsADataSetThatTrainsAlike) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, "export --dataset digits:600 --output digits.h5").status, 0);
  ASSERT_EQ(run_program(folder, "run" + kSmall + "--output a.h5").status, 0);
  std::string exported = kSmall;
  exported.replace(exported.find("digits:600"), 10, "digits.h5");
  const Ran ran = run_program(folder, "run" + exported + "--output b.h5");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(read_trace(folder / "a.h5").progress.loss, read_trace(folder / "b.h5").progress.loss);
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Faults as a user meets them: lost nodes, a full disk, a folder that goes away, memory that is refused.
#include "command/program.hpp"
#include "here.hpp"
#include "trace/trace.hpp"

#include <sys/resource.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kFaultyRun =
    " --dataset digits:600 --nodes 6 --graph ring --samples-per-node 100 --model mlp:8 --iterations 40 --evaluations "
    "10 "
    "--alpha 0.2 --epsilon 0.5 --output t.h5 ";

void expect_good_trace(const Folder& folder, RunStatus status) {
  const Trace trace = read_trace(folder / "t.h5");
  EXPECT_EQ(trace.status, status);
  const auto findings = verify_trace(trace);
  EXPECT_TRUE(findings.empty()) << findings.front();
}

TEST(FaultProgram, QuantimedAndAsynchronousGoOnWithoutALostNode) {
  for (const std::string engine : {"", "--engine threads --nodes 4 --oversubscribe --deadline 0.005 --iterations 400 "})
    for (const std::string algorithm : {"quantimed-dsgd", "async-dsgd"}) {
      const Folder folder;
      std::string options = kFaultyRun;
      if (!engine.empty()) options.replace(options.find("--nodes 6"), 9, "");
      if (!engine.empty()) options.replace(options.find("--iterations 40"), 15, "");
      const Ran ran = run_program(folder, "run" + options + engine + "--algorithm " + algorithm +
                                              " --fault 'crash:1@0.01' --patience 3 --timeline");
      ASSERT_EQ(ran.status, 0) << ran.err;
      expect_good_trace(folder, RunStatus::complete);
      const Trace trace = read_trace(folder / "t.h5");
      EXPECT_THAT(text(trace.summary, "lost_nodes", ""), StartsWith("1@round ")) << engine << algorithm;
      EXPECT_EQ(text(trace.config, "fault", ""), "crash:1@0.01");
    }
}

TEST(FaultProgram, WhoEndsBesideTheOptimumWithoutALostNodeIsWarnedOf) {
  const Folder folder;
  for (const std::string algorithm : {"r-fast", "async-dsgd"}) {
    const Ran ran = run_program(
        folder, "run" + kFaultyRun + "--algorithm " + algorithm + " --fault 'crash:1@0.01' --patience 3 --overwrite");
    ASSERT_EQ(ran.status, 0) << ran.err;
    const Trace trace = read_trace(folder / "t.h5");
    const bool is_told = std::ranges::any_of(
        trace.warnings, [](const std::string& line) { return line.find("tracked gradients") != std::string::npos; });
    EXPECT_EQ(is_told, algorithm == "r-fast");
    EXPECT_EQ(ran.out.find("tracked gradients") != std::string::npos, is_told) << ran.out;
  }
}

TEST(FaultProgram, SynchronousRunsSayWhoIsMissingAndEndWithStatusOne) {
  for (const std::string engine : {"", "threads"})
    for (const std::string algorithm : {"dsgd", "q-dsgd"}) {
      const Folder folder;
      std::string options = kFaultyRun;
      if (!engine.empty())
        options =
            " --dataset digits:600 --engine threads --nodes 4 --oversubscribe --graph ring --samples-per-node 100 "
            "--model mlp:8 --iterations 100000000 --evaluations 10 --output t.h5 ";
      const Ran ran =
          run_program(folder, "run" + options + "--algorithm " + algorithm + " --fault crash:3@0.1 --patience 2");
      EXPECT_EQ(ran.status, 1);
      EXPECT_EQ(ran.out, "");
      EXPECT_TRUE(is_one_line(ran.err)) << ran.err;
      EXPECT_THAT(ran.err, AllOf(StartsWith("quantimed: node 3 sent nothing of round "), HasSubstr(" wait for it")));
      expect_good_trace(folder, RunStatus::interrupted);
      const Trace trace = read_trace(folder / "t.h5");
      Verdict said;
      said.reject(
          ran.err.substr(std::string("quantimed: ").size(), ran.err.size() - std::string("quantimed: \n").size()));
      ASSERT_FALSE(trace.verdict.reasons().empty());
      EXPECT_EQ(trace.verdict.reasons().front(), said.why());
      EXPECT_FALSE(std::filesystem::exists(folder / "t.h5.partial"));
      const Ran resumed = run_program(folder, "run --resume t.h5");
      EXPECT_EQ(resumed.status, 2);
      EXPECT_THAT(resumed.err, AllOf(HasSubstr("--resume"), HasSubstr("--fault")));
    }
}

TEST(FaultProgram, OptionsThatMakeNoSenseAreRefused) {
  const Folder folder;
  for (const std::string options : {"--fault crash:6@1", "--fault 'crash:1@-1'", "--fault fire", "--fault 'crash:1@1;'",
                                    "--patience 0", "--patience -1", "--patience soon"}) {
    const Ran ran = run_program(folder, "run" + kFaultyRun + options);
    EXPECT_EQ(ran.status, 2) << options;
    EXPECT_TRUE(is_one_line(ran.err)) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(options.substr(0, options.find(' ')))) << options;
  }
}

TEST(FaultProgram, AFileThatMayNotGrowIsOneLineAndNothingIsLeftBehind) {  // as on a full disk
  const Folder folder;
  const Ran ran = run_program(folder, "--version; ulimit -f 8; " + kProgram + "run" + kFaultyRun);
  EXPECT_EQ(ran.status, 4);
  EXPECT_TRUE(is_one_line(ran.err)) << ran.err;
  EXPECT_THAT(ran.err, AllOf(HasSubstr("t.h5: cannot be written"), HasSubstr("ulimit")));
  for (const auto& entry : std::filesystem::directory_iterator(folder.str()))
    EXPECT_THAT(entry.path().filename().string(), testing::AnyOf("out", "err", "t.h5.lock"));
}

const std::string kEndlessRun =
    "run --dataset digits --samples-per-node 200 --algorithm dsgd --iterations 10000000 --output a/t.h5 & p=$!; " +
    until_there("a/t.h5.lock");

TEST(FaultProgram, ARunOutlivesAFolderThatIsAwayForAWhile) {
  double unwritten = 0;
  for (const char* away_s : {"6", "60"}) {  // it tries every two seconds of its own; others may need the cores, too
    const Folder folder;
    std::filesystem::create_directory(folder / "a");
    const Ran ran = run_program(folder, kEndlessRun + "mv a b; sleep " + away_s + "; mv b a; kill -INT $p; wait $p");
    EXPECT_EQ(ran.status, 75) << ran.err;
    const Trace trace = read_trace(folder / "a/t.h5");
    EXPECT_EQ(trace.status, RunStatus::interrupted);
    unwritten = number(trace.summary, "unwritten_checkpoints", 0);
    if (unwritten >= 1) break;
  }
  EXPECT_GE(unwritten, 1);
}

TEST(FaultProgram, AFolderThatIsGoneIsOneLine) {
  const Folder folder;
  std::filesystem::create_directory(folder / "a");
  const Ran ran = run_program(folder, kEndlessRun + "mv a b; sleep 1; kill -INT $p; wait $p");
  EXPECT_EQ(ran.status, 2);
  EXPECT_TRUE(is_one_line(ran.err)) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("a/t.h5: cannot be written: No such file or directory"));
}

TEST(FaultProgram, MemoryThatIsRefusedIsOneLine) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer wants more memory than this test grants";
#endif
  for (const std::string engine : {"virtual", "threads --oversubscribe"}) {
    const Folder folder;
    const Ran ran = run_program(folder, "--version; ulimit -v 3000000; " + kProgram +
                                            "run --dataset digits --nodes 64 --samples-per-node 20 --model mlp:20000 "
                                            "--iterations 5 --epsilon 1 --threads 1 --output t.h5 --engine " +
                                            engine);
    EXPECT_EQ(ran.status, 4) << engine;
    EXPECT_TRUE(is_one_line(ran.err)) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(folder / "t.h5"));
  }
}

// A control group kills without a word: what a run would take is asked before anything of a model's size is touched.
TEST(FaultProgram, ARunThatIsTooLargeIsRefusedBeforeItTakesAModel) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer keeps what is freed";
#endif
  const Folder folder;
  const Ran ran = run_program(folder,
                              "run --dataset gaussian-logistic:1000 --model mlp:50000 --nodes 5000 --graph ring "
                              "--samples-per-node 1 --batch 1 --iterations 2 --algorithm dsgd --output t.h5");
  EXPECT_EQ(ran.status, 4);
  EXPECT_THAT(ran.err, HasSubstr("--nodes 5000: needs "));
  rusage children{};
  ASSERT_EQ(getrusage(RUSAGE_CHILDREN, &children), 0);
  EXPECT_LT(children.ru_maxrss, 150'000) << "kB; a model has 200,000";
}

// From some moment on, once it has written for the first time, the system grants no more memory: the run goes on
// without it, or says so and leaves what it had.
TEST(FaultProgram, MemoryThatIsRefusedInTheMiddleOfARunIsOneLine) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer ends a program that gets no memory";
#endif
  const OnOneCore one;
  for (const std::string engine : {"virtual --threads 1", "threads --nodes 2 --graph complete --oversubscribe"})
    for (const std::string moment : {"0.3", "2.1"}) {
      const Folder folder;
      const Ran ran = run_program(
          folder,
          "run --dataset digits --samples-per-node 200 --algorithm dsgd --iterations 10000000 --output t.h5 --engine " +
              engine + " & p=$!; " + until_there("t.h5.partial") + "sleep " + moment +
              "; prlimit --pid $p --data=1000000 || touch unlimited; sleep 2.5; kill -INT $p 2> /dev/null; wait $p");
      if (std::filesystem::exists(folder / "unlimited")) GTEST_SKIP() << "prlimit is not here: " << ran.err;
      if (ran.status == 75) {
        EXPECT_EQ(ran.err, "");
        EXPECT_EQ(read_trace(folder / "t.h5").status, RunStatus::interrupted);
        continue;
      }
      EXPECT_EQ(ran.status, 4) << ran.err;
      EXPECT_TRUE(is_one_line(ran.err)) << ran.err;
      EXPECT_THAT(ran.err, HasSubstr("memory is used up"));
      if (std::filesystem::exists(folder / "t.h5")) {  // what a worker was refused broke the run off
        const Trace trace = read_trace(folder / "t.h5");
        EXPECT_EQ(trace.status, RunStatus::interrupted);
        EXPECT_FALSE(trace.verdict.is_valid());
      }
      if (std::filesystem::exists(folder / "t.h5.partial")) read_trace(folder / "t.h5.partial");
    }
}

}  // namespace
}  // namespace quantimed

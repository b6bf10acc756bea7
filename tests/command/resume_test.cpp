// Runs of the program that are stopped, killed, or asked to go on from what cannot go on.
#include "command/program.hpp"
#include "trace/same.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace quantimed {
namespace {

using testing::HasSubstr;

// So long that it is stopped while it runs, and short enough to be run whole.
const std::string kLong =
    " --dataset digits --nodes 10 --samples-per-node 100 --model mlp:24 --batch 40 --iterations 1500 --evaluations 10 "
    "--alpha 0.2 --epsilon 0.5 --quiet ";

// Sends the signal once the run is under way, which it is when its output is locked; "" where it had ended before.
std::string and_stop(const std::string& signal, const std::string& output, const std::string& after) {
  return "& p=$!; while kill -0 $p 2>/dev/null && ! test -e " + output + ".lock; do sleep 0.02; done; sleep " + after +
         "; kill -" + signal + " $p 2>/dev/null; wait $p";
}

void expect_same_run(const Trace& a, const Trace& b) {
  expect_same_columns(columns::kProgress, a.progress, b.progress);
  expect_same_columns(columns::kRounds, a.rounds, b.rounds);
  EXPECT_EQ(a.progress.loss.size(), b.progress.loss.size());
  EXPECT_EQ(a.rounds.iterations, b.rounds.iterations);
  EXPECT_EQ(a.mean_model, b.mean_model);
  EXPECT_EQ(a.verdict, b.verdict);
  for (const auto& [name, value] : a.summary)
    if (name != "wall_time_s" && name != "evaluation_time_s") {
      ASSERT_NE(find(b.summary, name), nullptr) << name;
      EXPECT_EQ(to_text(value), to_text(*find(b.summary, name))) << name;
    }
}

TEST(ResumedProgram, GivesTheTraceOfARunThatWasNeverStopped) {
  const struct {
    const char *algorithm, *signal;
  } cases[] = {{"quantimed-dsgd --deadline-adapt", "USR1"}, {"async-dsgd", "TERM"}};
  for (const auto& c : cases) {
    const Folder folder;
    const std::string run = "run --algorithm " + std::string(c.algorithm) + kLong;
    ASSERT_EQ(run_program(folder, run + "--output whole.h5").status, 0);
    Ran ran = run_program(folder, run + "--output a.h5 " + and_stop(c.signal, "a.h5", "0.3"));
    ASSERT_EQ(ran.status, 75) << ran.err;
    const Trace cut = read_trace(folder / "a.h5");
    EXPECT_EQ(cut.status, RunStatus::interrupted);
    ASSERT_TRUE(cut.checkpoint);
    EXPECT_TRUE(verify_trace(cut).empty());
    ran = run_program(folder, "run --resume a.h5 --quiet " + and_stop(c.signal, "a.h5", "0.3"));
    if (ran.status == 75) ran = run_program(folder, "run --resume a.h5 --quiet --threads 1");
    ASSERT_EQ(ran.status, 0) << ran.err;
    const Trace whole = read_trace(folder / "whole.h5"), resumed = read_trace(folder / "a.h5");
    expect_same_run(whole, resumed);
    EXPECT_TRUE(verify_trace(resumed).empty());
    EXPECT_GE(number(resumed.summary, "resumptions", 0), 1);
    EXPECT_EQ(resumed.created, cut.created);
    EXPECT_FALSE(resumed.checkpoint);
    EXPECT_FALSE(std::filesystem::exists(folder / "a.h5.lock"));
  }
}

TEST(ResumedProgram, AKilledRunGoesOnFromItsPartialTrace) {
  const Folder folder;
  const std::string run =
      "run --algorithm dsgd --dataset digits --nodes 10 --samples-per-node 100 --model mlp:8 --quiet "
      "--iterations 100000 --max-time 2000 ";
  ASSERT_EQ(run_program(folder, run + "--output whole.h5").status, 0);
  const Ran killed = run_program(folder, run +
                                             "--output a.h5 & p=$!; while kill -0 $p && ! test -e a.h5.partial; do "
                                             "sleep 0.05; done; kill -9 $p; wait $p");
  if (killed.status == 0) GTEST_SKIP() << "this machine ends the run before it writes what it has so far";
  EXPECT_FALSE(std::filesystem::exists(folder / "a.h5"));
  // PATH alone finds what is left of it.
  const Ran ran = run_program(folder, "run --resume a.h5 --quiet");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "a.h5.partial"));
  expect_same_run(read_trace(folder / "whole.h5"), read_trace(folder / "a.h5"));
}

TEST(ResumedProgram, RealTimeSaysWhereItWasCut) {
  for (const char* algorithm : {"quantimed-dsgd --deadline 0.002", "async-dsgd", "dsgd --link alpha-beta:1e-4,1e9"}) {
    const Folder folder;
    const std::string run =
        "run --engine threads --nodes 2 --oversubscribe --graph complete --dataset digits --model mlp:8 --quiet "
        "--samples-per-node 100 --iterations 100000000 --evaluations 4 --max-time 2 --output t.h5 --algorithm " +
        std::string(algorithm);
    Ran ran = run_program(folder, run + " " + and_stop("USR1", "t.h5", "1"));
    ASSERT_EQ(ran.status, 75) << ran.err;
    const Trace cut = read_trace(folder / "t.h5");
    ASSERT_TRUE(cut.checkpoint);
    ran = run_program(folder, "run --resume t.h5 --quiet");
    ASSERT_EQ(ran.status, 0) << ran.err;
    const Trace whole = read_trace(folder / "t.h5");
    EXPECT_EQ(whole.status, RunStatus::complete);
    EXPECT_TRUE(verify_trace(whole).empty()) << verify_trace(whole).front();
    EXPECT_EQ(number(whole.summary, "resumptions", 0), 1);
    EXPECT_NE(text(whole.summary, "resumed_at_iteration", ""), "");
    EXPECT_NE(text(whole.summary, "resumed_at_time_s", ""), "");
    EXPECT_GT(whole.rounds.iterations, cut.rounds.iterations);
    EXPECT_GT(whole.progress.time.back(), cut.progress.time.back());
    ASSERT_GE(whole.progress.loss.size(), cut.progress.loss.size());
    EXPECT_TRUE(std::equal(cut.progress.loss.begin(), cut.progress.loss.end(), whole.progress.loss.begin()));
  }
}

TEST(ResumedProgram, WhatCannotGoOnIsOneLineAndStatusTwo) {
  const Folder folder;
  const std::string run =
      "run --algorithm dsgd --dataset digits --nodes 4 --model mlp:4 --samples-per-node 50 --quiet ";
  ASSERT_EQ(run_program(folder, run + "--iterations 2 --output done.h5").status, 0);
  ASSERT_EQ(run_program(folder, run + "--alpha 1e20 --output diverged.h5").status, 3);
  ASSERT_EQ(
      run_program(folder, run + "--iterations 100000000 --output cut.h5 " + and_stop("TERM", "cut.h5", "0.2")).status,
      75);
  Trace trace = read_trace(folder / "cut.h5");
  trace.software_version = "0.0.9";
  write_trace(folder / "other.h5", trace);
  trace = read_trace(folder / "cut.h5");
  trace.checkpoint->start_time[1] = -1;
  write_trace(folder / "wrong.h5", trace);
  trace.checkpoint.reset();
  write_trace(folder / "bare.h5", trace);
  std::string bytes = contents(folder / "cut.h5");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(folder / "damaged.h5") << bytes;
  const struct {
    const char *arguments, *says;
  } cases[] = {
      {"none.h5", "none.h5"},
      {"/no/such/folder/t.h5", "/no/such/folder"},
      {"done.h5", "complete"},
      {"diverged.h5", "diverged"},
      {"bare.h5", "no checkpoint"},
      {"damaged.h5", "damaged"},
      {"other.h5", "0.0.9"},
      {"wrong.h5", "wrong.h5"},
      {"cut.h5 --batch 7", "--batch 7"},
      {"cut.h5 --seed 3", "--seed 3"},
      {"cut.h5 --algorithm q-dsgd", "--algorithm q-dsgd"},
      {"cut.h5 --max-time 3", "--max-time 3"},
      {"cut.h5 --engine threads", "--engine threads"},
      {"cut.h5 --output /no/such/folder/t.h5", "/no/such/folder"},
  };
  for (const auto& c : cases) {
    const Ran ran = run_program(folder, "run --resume " + std::string(c.arguments));
    EXPECT_EQ(ran.status, 2) << c.arguments;
    EXPECT_THAT(ran.err, HasSubstr(c.says)) << c.arguments;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << c.arguments << ": " << ran.err;
    EXPECT_EQ(ran.out, "") << c.arguments;
  }
  // Options that say the same are welcome: a script may always give them all.
  const Ran again = run_program(folder, run + "--iterations 100000000 --resume cut.h5 --dry-run");
  EXPECT_EQ(again.status, 0) << again.err;
}

TEST(ResumedProgram, TwoNeverWriteOneOutput) {
  const Folder folder;
  const std::string run =
      "run --algorithm dsgd --dataset digits --nodes 4 --model mlp:4 --samples-per-node 50 --quiet --iterations "
      "100000000 --output t.h5 ";
  const Ran ran =
      run_program(folder, run + "& p=$!; while ! test -e t.h5.lock; do sleep 0.02; done; '" QUANTIMED_PROGRAM "' " +
                              run + "; s=$?; kill -TERM $p; wait $p; exit $s");
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.err, HasSubstr("another process"));
  EXPECT_EQ(read_trace(folder / "t.h5").status, RunStatus::interrupted);  // the first goes its way
}

TEST(ResumedProgram, ALockOfADeadProcessIsNoLock) {
  const Folder folder;
  std::ofstream(folder / "t.h5.lock") << "";
  const Ran ran = run_program(folder,
                              "run --algorithm dsgd --dataset digits --nodes 4 --model mlp:4 --samples-per-node 50 "
                              "--quiet --iterations 2 --output t.h5");
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "t.h5.lock"));
}

}  // namespace
}  // namespace quantimed

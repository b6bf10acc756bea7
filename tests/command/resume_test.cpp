// SPDX-License-Identifier: BSD-3-Clause
// Runs of the program that are stopped, killed, or asked to go on from what cannot go on.
#include "command/program.hpp"
#include "here.hpp"
#include "trace/same.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cstdlib>

namespace quantimed {
namespace {

using testing::HasSubstr;

// Short enough to be run whole, and too long to be over when its first signal comes.
const std::string kLongRun =
    " --dataset digits:1000 --nodes 10 --samples-per-node 100 --model mlp:16 --batch 30 --iterations 700 --evaluations "
    "10 "
    "--alpha 0.2 --epsilon 0.5 --quiet --threads 1 ";

// Sends the signal once the run is under way, which it is when its output is locked; "" where it had ended before.
std::string and_stop(const std::string& signal, const std::string& output, const std::string& after) {
  return "& p=$!; " + until_there(output + ".lock") + "sleep " + after + "; kill -" + signal +
         " $p 2>/dev/null; wait $p";
}

// A run that ends before its signal comes, because others use the cores, is begun again.
Ran run_until_stopped(const Folder& folder, const std::string& command) {
  Ran ran = run_program(folder, command);
  for (int more = 0; more < 9 && ran.status == 0; ++more) ran = run_program(folder, command);
  return ran;
}

void expect_same_run(const Trace& a, const Trace& b) {
  expect_same_columns(columns::kProgress, a.progress, b.progress);
  expect_same_columns(columns::kRounds, a.rounds, b.rounds);
  EXPECT_EQ(a.progress.loss.size(), b.progress.loss.size());
  EXPECT_EQ(a.rounds.iterations, b.rounds.iterations);
  EXPECT_EQ(a.mean_model, b.mean_model);
  EXPECT_EQ(a.verdict.text(), b.verdict.text());
  for (const auto& [name, value] : a.summary)
    if (name != "wall_time_s" && name != "evaluation_time_s" && name != "peak_memory_bytes") {
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
    const std::string run = "run --algorithm " + std::string(c.algorithm) + kLongRun;
    ASSERT_EQ(run_program(folder, run + "--output whole.h5").status, 0);
    Ran ran = run_until_stopped(folder, run + "--output a.h5 " + and_stop(c.signal, "a.h5", "0"));
    ASSERT_EQ(ran.status, 75) << ran.err;
    const Trace cut = read_trace(folder / "a.h5");
    EXPECT_EQ(cut.status, RunStatus::interrupted);
    ASSERT_TRUE(cut.checkpoint);
    EXPECT_TRUE(verify_trace(cut).empty());
    for (const char* after : {"0.1", "0.2"})  // or it is done by then
      if (ran.status == 75)
        ran = run_program(folder, "run --resume a.h5 --quiet --threads 2 " + and_stop(c.signal, "a.h5", after));
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
      "run --algorithm dsgd --dataset digits:1000 --nodes 10 --samples-per-node 100 --model mlp:8 --quiet "
      "--threads 1 --iterations 100000 --max-time 2500 ";
  ASSERT_EQ(run_program(folder, run + "--output whole.h5").status, 0);
  // What a run has is written every two seconds; halted most of the time it need not compute as long.
  const Ran killed = run_program(folder, run + "--output a.h5 & p=$!; " + until_there("a.h5.lock") +
                                             "while kill -0 $p && ! test -e a.h5.partial; do sleep 0.01; "
                                             "kill -STOP $p; sleep 0.4; kill -CONT $p; done; kill -9 $p; wait $p");
  if (std::filesystem::exists(folder / "a.h5"))
    GTEST_SKIP() << "this machine ends the run before it writes what it has so far";
  ASSERT_NE(killed.status, 0) << killed.err;
  // PATH alone finds what is left of it.
  const Ran ran = run_program(folder, "run --resume a.h5 --quiet");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "a.h5.partial"));
  expect_same_run(read_trace(folder / "whole.h5"), read_trace(folder / "a.h5"));
}

TEST(ResumedProgram, RealTimeSaysWhereItWasCut) {
  for (const char* algorithm : {"quantimed-dsgd --deadline 0.002", "async-dsgd --link alpha-beta:1e-4,1e9"}) {
    const Folder folder;
    const std::string run =
        "run --engine threads --nodes 2 --oversubscribe --graph complete --dataset digits:1000 --model mlp:8 --quiet "
        "--samples-per-node 100 --iterations 100000000 --evaluations 4 --max-time 3 --output t.h5 --algorithm " +
        std::string(algorithm);
    Ran ran = run_until_stopped(folder, run + " " + and_stop("USR1", "t.h5", "0.4"));
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
      "run --algorithm dsgd --dataset digits:600 --nodes 4 --model mlp:4 --samples-per-node 50 --quiet ";
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
      "run --algorithm dsgd --dataset digits:600 --nodes 4 --model mlp:4 --samples-per-node 50 --quiet --iterations "
      "100000000 --output t.h5 ";
  for (const char* there : {"t.h5.lock", "t.h5.partial"}) {  // before and after it has written for the first time
    const Ran ran = run_program(folder, run + "--overwrite & p=$!; " + until_there(there) + "'" QUANTIMED_PROGRAM "' " +
                                            run + "; s=$?; kill -TERM $p; wait $p; exit $s");
    EXPECT_EQ(ran.status, 2);
    EXPECT_THAT(ran.err, HasSubstr("t.h5: another process is writing it"));
    EXPECT_EQ(read_trace(folder / "t.h5").status, RunStatus::interrupted);  // the first goes its way
  }
}

// A variable of the environment, for the programs that a test runs.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(AllocatedProgram, TakesNoMoreThanSlurmGrants) {
  const Folder folder;
  const std::string run = "run --algorithm dsgd --dataset digits:1000 --model mlp:4 --samples-per-node 50 --quiet ";
  const Variable cpus("SLURM_CPUS_PER_TASK", "1"), job("SLURM_JOB_ID", "17"), restarts("SLURM_RESTART_COUNT", "2"),
      node("SLURMD_NODENAME", "node3"), task("SLURM_ARRAY_TASK_ID", "5");
  for (const char* more : {"--nodes 4 --threads 2", "--engine threads --nodes 2"}) {
    const Ran ran = run_program(folder, run + more);
    EXPECT_EQ(ran.status, 2) << more;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
  ASSERT_EQ(run_program(folder, run + "--nodes 4 --iterations 2 --output t.h5").status, 0);
  const Trace trace = read_trace(folder / "t.h5");
  EXPECT_EQ(number(trace.config, "threads", 0), 1);
  EXPECT_EQ(text(trace.environment, "slurm_job", ""), "17");
  EXPECT_EQ(text(trace.environment, "slurm_restarts", ""), "2");
  EXPECT_EQ(text(trace.environment, "slurm_node", ""), "node3");
  EXPECT_EQ(text(trace.environment, "slurm_array_task", ""), "5");
}

TEST(LockedFiles, AreReadUnlessHdf5IsToldToInsist) {
  const Folder folder;
  const std::string small = " --algorithm dsgd --nodes 4 --model mlp:4 --samples-per-node 50 --iterations 2 --quiet ";
  ASSERT_EQ(run_program(folder, "export --dataset digits --output d.h5").status, 0);
  ASSERT_EQ(run_program(folder, "run --dataset d.h5 --output t.h5" + small).status, 0);
  const int held[] = {::open((folder / "d.h5").c_str(), O_RDWR), ::open((folder / "t.h5").c_str(), O_RDWR)};
  for (const int file : held) ASSERT_EQ(::flock(file, LOCK_EX), 0);
  EXPECT_EQ(run_program(folder, "run --dataset d.h5 --output u.h5" + small).status, 0);
  EXPECT_EQ(run_program(folder, "verify t.h5").status, 0);
  const Variable insist("HDF5_USE_FILE_LOCKING", "TRUE");
  for (const std::string& command : {"run --dataset d.h5 --output u.h5" + small, std::string("verify t.h5")}) {
    const Ran ran = run_program(folder, command);
    EXPECT_EQ(ran.status, 2) << command;
    EXPECT_THAT(ran.err, HasSubstr("HDF5_USE_FILE_LOCKING=FALSE")) << command;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
  for (const int file : held) ::close(file);
}

TEST(ResumedProgram, ALockOfADeadProcessIsNoLock) {
  const Folder folder;
  std::ofstream(folder / "t.h5.lock") << "";
  const Ran ran = run_program(folder,
                              "run --algorithm dsgd --dataset digits:600 --nodes 4 --model mlp:4 --samples-per-node 50 "
                              "--quiet --iterations 2 --output t.h5");
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "t.h5.lock"));
}

}  // namespace
}  // namespace quantimed

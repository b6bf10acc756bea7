// SPDX-License-Identifier: BSD-3-Clause
// Runs in real time that are replayed, as a user would: from their traces, whole, changed, killed.
#include "command/program.hpp"
#include "trace/same.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kReal =
    "run --engine threads --nodes 3 --oversubscribe --graph complete --dataset digits:600 --samples-per-node 100 "
    "--model mlp:8 --quiet ";
const std::string kCurve =
    "run --engine threads --nodes 3 --oversubscribe --graph complete --dataset digits:600 --samples-per-node 100 "
    "--model mlp:8 --quiet --curve ";

std::uint32_t fewest_iterations(const Trace& trace) {
  return trace.recording && !trace.recording->iterations.empty() ? std::ranges::min(trace.recording->iterations) : 0;
}

// Whether every node has an iteration on record: before that there is nothing to go on from. Each .partial is read
// once.
class HasBegun {
 public:
  explicit HasBegun(std::string partial) : partial_(std::move(partial)) {}
  bool operator()() {
    std::error_code none;
    const auto written = std::filesystem::last_write_time(partial_, none);
    if (none || written == read_) return false;
    try {
      if (fewest_iterations(read_trace(partial_)) > 0) return true;
    } catch (const std::exception&) {
      return false;  // the run has ended
    }
    read_ = written;
    return false;
  }

 private:
  std::string partial_;
  std::filesystem::file_time_type read_{};
};

TEST(ReplayProgram, RecomputesARunAndDrawsAFinerCurve) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, kReal + "--algorithm async-dsgd --iterations 60 --evaluations 5 --output a.h5").status,
            0);
  const Ran same = run_program(folder, "replay a.h5");
  EXPECT_EQ(same.status, 0) << same.err;
  EXPECT_THAT(same.out, AllOf(HasSubstr("a.h5: bit-exact: "), HasSubstr("iterations of 3 nodes")));
  EXPECT_FALSE(std::filesystem::exists(folder / "a-replayed.h5"));
  const Ran finer = run_program(folder, "replay a.h5 --evaluations 40 --threads 1");
  ASSERT_EQ(finer.status, 0) << finer.err;
  const Trace run = read_trace(folder / "a.h5"), drawn = read_trace(folder / "a-replayed.h5");
  ASSERT_EQ(drawn.progress.loss.size(), 41u);
  EXPECT_EQ(drawn.progress.loss.front(), run.progress.loss.front());
  EXPECT_EQ(drawn.progress.loss.back(), run.progress.loss.back());
  EXPECT_EQ(drawn.mean_model, run.mean_model);
  EXPECT_TRUE(verify_trace(drawn).empty()) << verify_trace(drawn).front();
  // A second time nothing is overwritten.
  EXPECT_EQ(run_program(folder, "replay a.h5 --evaluations 40").status, 2);
  EXPECT_EQ(run_program(folder, "replay a.h5 --evaluations 40 --overwrite").status, 0);
}

// ---- run --curve replay ----

TEST(CurveByReplay, IsThatOfTheLiveRunAndOfAReplay) {
  const Folder folder;
  for (const char* own : {"live --algorithm dsgt --output live.h5", "replay --algorithm dsgt --output drawn.h5",
                          "replay --algorithm async-dsgd --output a.h5"})
    ASSERT_EQ(run_program(folder, kCurve + own + " --iterations 60 --evaluations 6").status, 0) << own;
  const Trace live = read_trace(folder / "live.h5"), drawn = read_trace(folder / "drawn.h5");
  EXPECT_EQ(live.progress.drawn_by, "");
  EXPECT_EQ(drawn.progress.drawn_by, "replay");
  EXPECT_EQ(drawn.progress.iteration, live.progress.iteration);
  EXPECT_EQ(drawn.progress.loss, live.progress.loss);
  EXPECT_EQ(drawn.progress.test_accuracy, live.progress.test_accuracy);
  EXPECT_EQ(drawn.progress.consensus_error, live.progress.consensus_error);
  EXPECT_EQ(drawn.mean_model, live.mean_model);
  EXPECT_EQ(number(drawn.summary, "final_loss", 0), live.progress.loss.back());
  EXPECT_GT(number(live.summary, "model_copies", 0), 0);
  EXPECT_EQ(number(drawn.summary, "model_copies", -1), 0);
  EXPECT_TRUE(verify_trace(drawn).empty()) << verify_trace(drawn).front();

  ASSERT_EQ(run_program(folder, "replay a.h5 --evaluations 6 --output again.h5").status, 0);
  const Trace own = read_trace(folder / "a.h5"), again = read_trace(folder / "again.h5");
  EXPECT_EQ(own.progress.time, again.progress.time);
  EXPECT_EQ(own.progress.loss, again.progress.loss);
  EXPECT_EQ(own.progress.gradient_norm_squared, again.progress.gradient_norm_squared);
  EXPECT_EQ(number(own.summary, "final_loss", 0), again.progress.loss.back());
  EXPECT_EQ(again.progress.drawn_by, "replay");
}

TEST(CurveByReplay, OfARunThatDivergesEndsWhereItDoes) {
  const Folder folder;
  const Ran ran = run_program(
      folder, kCurve + "replay --algorithm dsgd --alpha 1e20 --iterations 40 --evaluations 8 --output a.h5");
  EXPECT_EQ(ran.status, 3) << ran.err;
  const Trace trace = read_trace(folder / "a.h5");
  EXPECT_EQ(trace.status, RunStatus::diverged);
  EXPECT_EQ(trace.progress.loss.size(), 2u);  // after the first of its eight steps there is nothing to see
  EXPECT_EQ(run_program(folder, "replay a.h5").status, 0);
}

// Stopped, it has a curve to the cut; killed, a log; resumed, the curve of all of it.
TEST(CurveByReplay, OfARunThatWasStoppedOrKilledAndResumed) {
  const OnOneCore one;
  for (const int signal : {SIGTERM, SIGKILL}) {
    const Folder folder;
    const std::string partial = folder / "a.h5.partial";
    Started run(folder, kReal +
                            "--algorithm async-dsgd --speed constant:5000 --iterations 100000000 --max-time 600 "
                            "--evaluations 20 --curve replay --output a.h5");
    run.until(HasBegun(partial));
    const Ran ended = run.stop(signal);
    ASSERT_EQ(ended.status, signal == SIGKILL ? 137 : 75) << ended.err;
    double cut = 0;
    if (signal == SIGTERM) {
      const Trace stopped = read_trace(folder / "a.h5");
      EXPECT_EQ(stopped.progress.drawn_by, "replay");
      EXPECT_EQ(stopped.progress.loss.size(), 21u);
      EXPECT_TRUE(verify_trace(stopped).empty()) << verify_trace(stopped).front();
      cut = stopped.progress.time.back();
      EXPECT_EQ(cut, number(stopped.summary, "end_time_s", 0));
    }
    const auto written = [&] {
      std::error_code none;
      return std::filesystem::last_write_time(partial, none);
    };
    const auto before = written();
    Started again(folder, "run --resume a.h5 --quiet");
    again.until([&] { return written() != before; });
    const Ran resumed = again.stop(SIGTERM);
    ASSERT_EQ(resumed.status, 75) << resumed.err;
    const Trace trace = read_trace(folder / "a.h5");
    EXPECT_EQ(trace.progress.drawn_by, "replay");
    EXPECT_EQ(trace.progress.loss.size(), 21u);
    EXPECT_EQ(trace.progress.time.front(), 0);
    EXPECT_GT(trace.progress.time.back(), cut);
    EXPECT_EQ(number(trace.summary, "model_copies", -1), 0);
    EXPECT_TRUE(verify_trace(trace).empty()) << verify_trace(trace).front();
    EXPECT_EQ(run_program(folder, "replay a.h5").status, 0);
  }
}

TEST(CurveByReplay, IsRefusedWhereThereIsNothingToReplay) {
  const Folder folder;
  const struct {
    const char *arguments, *says;
  } cases[] = {{"run --engine virtual", "virtual time has no clock"},
               {"tune --engine virtual", "virtual time has no clock"},
               {"compare --engine mpi --nodes 2", "several processes"},
               {"run --engine threads --no-record", "the log that --no-record leaves out"},
               {"run --engine threads --fault crash:1@1", "known to the run alone"}};
  for (const auto& [arguments, says] : cases) {
    const Ran ran = run_program(folder, std::string(arguments) + " --curve replay");
    EXPECT_EQ(ran.status, 2) << arguments;
    EXPECT_THAT(ran.err, AllOf(HasSubstr("--curve replay: "), HasSubstr(says)));
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

TEST(ReplayProgram, VerifyTellsWhatWasReplayed) {
  const Folder folder;
  ASSERT_EQ(
      run_program(folder, kReal + "--algorithm quantimed-dsgd --deadline 1ms --iterations 30 --output a.h5").status, 0);
  ASSERT_EQ(run_program(folder, kReal + "--algorithm dsgd --no-record --iterations 5 --output n.h5").status, 0);
  ASSERT_EQ(run_program(folder,
                        "run --dataset digits:600 --nodes 3 --samples-per-node 50 --model mlp:4 --iterations 5 --quiet "
                        "--output v.h5")
                .status,
            0);
  const Ran ran = run_program(folder, "verify --replay --quiet a.h5 n.h5 v.h5");
  EXPECT_EQ(ran.status, 5) << ran.err;  // oversubscribed: INVALID
  EXPECT_THAT(ran.out, AllOf(HasSubstr("bit-exact"), HasSubstr("no log of what its clock decided"),
                             HasSubstr("virtual time, which no clock decides"),
                             HasSubstr("1 replayed to the bit; 2 without a log")));
  EXPECT_THAT(contents(folder / "a.h5.replay"), HasSubstr("verdict = bit-exact\n"));
  EXPECT_FALSE(std::filesystem::exists(folder / "v.h5.replay"));
}

// Runs of one study share what was read, where they had the same.
TEST(ReplayProgram, VerifyGivesEachRunItsOwnData) {
  const Folder folder;
  const std::string run = kReal + "--algorithm dsgd --iterations 10 ";
  for (const char* own : {"--output a.h5", "--normalise --output b.h5", "--seed 2 --output c.h5"})
    ASSERT_EQ(run_program(folder, run + own).status, 0) << own;
  const Ran ran = run_program(folder, "verify --replay --quiet a.h5 b.h5 c.h5");
  EXPECT_EQ(ran.err, "");
  EXPECT_THAT(ran.out, HasSubstr("3 replayed to the bit"));
}

TEST(ReplayProgram, ALogThatWasChangedIsFoundAtItsPlace) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, kReal + "--algorithm async-dsgd --iterations 40 --output a.h5").status, 0);
  Trace trace = read_trace(folder / "a.h5");
  ASSERT_TRUE(trace.recording);
  auto& [log, log_bytes, iterations, nodes, moments, turns, fingerprints] = *trace.recording;
  std::size_t node = iterations.size() - 1;
  while (node > 0 && iterations[node] == 0) --node;  // a node that had no turn has no log
  const std::string place = "node " + std::to_string(node) + ", iteration " + std::to_string(iterations[node] - 1);
  log.back() ^= 0x55;  // of the state that its last iteration came to
  write_trace(folder / "changed.h5", trace);
  const Ran changed = run_program(folder, "replay changed.h5");
  EXPECT_EQ(changed.status, 5) << changed.out;
  EXPECT_THAT(changed.out, HasSubstr("differs first at " + place + ": its model"));
  log.pop_back();
  --log_bytes[node];
  write_trace(folder / "cut.h5", trace);
  const Ran cut = run_program(folder, "replay cut.h5");
  EXPECT_EQ(cut.status, 2) << cut.out;
  EXPECT_THAT(cut.err, AllOf(HasSubstr(place), HasSubstr("the log ends")));
}

TEST(ReplayProgram, WhatCannotBeReplayedIsOneLineAndStatusTwo) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, kReal + "--algorithm dsgd --no-record --iterations 5 --output n.h5").status, 0);
  ASSERT_EQ(run_program(folder, kReal + "--algorithm dsgd --iterations 5 --output a.h5").status, 0);
  ASSERT_EQ(run_program(folder,
                        "run --dataset digits:600 --nodes 3 --samples-per-node 50 --model mlp:4 --iterations 5 --quiet "
                        "--output v.h5")
                .status,
            0);
  const struct {
    const char *arguments, *says;
  } cases[] = {{"replay v.h5", "virtual time"},
               {"replay n.h5", "--no-record"},
               {"replay", "give one trace"},
               {"replay a.h5 v.h5", "give one trace"},
               {"replay a.h5 --output b.h5", "--evaluations"},
               {"replay a.h5 --evaluations 5 --output a.h5", "--output"},
               {"replay a.h5 --evaluations 0", "--evaluations"},
               {"replay none.h5", "none.h5"},
               {"run --dataset digits --no-record", "--no-record"}};
  for (const auto& [arguments, says] : cases) {
    const Ran ran = run_program(folder, arguments);
    EXPECT_EQ(ran.status, 2) << arguments;
    EXPECT_THAT(ran.err, HasSubstr(says)) << arguments;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

// Whatever the moment: what is written of a run that was killed is enough to go on with the same bits. The first runs
// as fast as it can; of the others, whose nodes have a speed, the log is short, and soon replayed.
TEST(ReplayProgram, AKilledRunIsResumedFromItsLog) {
  for (const std::string algorithm :
       {"async-dsgd", "r-fast --speed constant:5000", "quantimed-dsgd --deadline 2ms --speed constant:5000",
        "amb-dg --deadline 2ms --speed constant:5000"}) {
    SCOPED_TRACE(algorithm);
    std::optional<OnOneCore> one;
    if (algorithm != "async-dsgd") one.emplace();
    const Folder folder;
    const std::string partial = folder / "a.h5.partial";
    // Without an end of its own, and with a point of the curve every two seconds.
    Started run(folder, kReal + "--iterations 100000000 --max-time 600 --evaluations 300 --output a.h5 --algorithm " +
                            algorithm);
    run.until(HasBegun(partial));  // what a run has is written every two seconds
    const Ran killed = run.stop(SIGKILL);
    ASSERT_EQ(killed.status, 137) << killed.err;
    const Trace left = read_trace(partial);
    ASSERT_TRUE(left.recording);
    const auto written = std::filesystem::last_write_time(partial);
    Started again(folder, "run --resume a.h5 --quiet");
    again.until([&] {
      std::error_code none;
      return std::filesystem::last_write_time(partial, none) != written;
    });
    const Ran resumed = again.stop(SIGTERM);
    ASSERT_EQ(resumed.status, 75) << resumed.err;
    const Trace trace = read_trace(folder / "a.h5");
    EXPECT_EQ(number(trace.summary, "resumptions", 0), 1);
    EXPECT_THAT(trace.verdict.text(), HasSubstr("killed and resumed"));
    EXPECT_TRUE(verify_trace(trace).empty()) << verify_trace(trace).front();
    EXPECT_FALSE(trace.progress.loss.empty());
    EXPECT_GT(fewest_iterations(trace), fewest_iterations(left));
    const Ran replayed = run_program(folder, "replay a.h5");
    EXPECT_EQ(replayed.status, 0) << replayed.out << replayed.err;
  }
}

// There is no cut between its nodes' iterations.
TEST(ReplayProgram, AKilledRunOfAveragesOfTwoSaysThatItStartsAgain) {
  const Folder folder;
  const std::string run = kReal + "--iterations 100000000 --max-time 600 --output a.h5 --algorithm ad-psgd ";
  const Ran killed = run_program(folder, run + "& p=$!; " + until_there("a.h5.partial") + "kill -9 $p; wait $p");
  ASSERT_EQ(killed.status, 137) << killed.err;
  for (const char* command : {"run --resume a.h5", "replay a.h5.partial"}) {
    const Ran refused = run_program(folder, command);
    EXPECT_EQ(refused.status, 2) << command;
    EXPECT_THAT(refused.err, HasSubstr("averages of two that was killed"));
    EXPECT_THAT(refused.err, HasSubstr("run it again\n"));
  }
}

TEST(ReplayProgram, AStoppedRunOfAveragesOfTwoIsResumedAndReplayed) {
  const Folder folder;
  const std::string run = kReal + "--iterations 100000000 --max-time 4 --output a.h5 --algorithm swarmsgd ";
  const Ran stopped =
      run_program(folder, run + "& p=$!; " + until_there("a.h5.lock") + "sleep 0.5; kill -TERM $p; wait $p");
  ASSERT_EQ(stopped.status, 75) << stopped.err;
  EXPECT_EQ(run_program(folder, "replay a.h5").status, 0);
  const Ran resumed = run_program(folder, "run --resume a.h5 --quiet");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  const Ran replayed = run_program(folder, "replay a.h5");
  EXPECT_EQ(replayed.status, 0) << replayed.out << replayed.err;
}

}  // namespace
}  // namespace quantimed

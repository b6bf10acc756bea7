// SPDX-License-Identifier: BSD-3-Clause
// Studies that are given again: what is continued, what is kept, and what is refused.
#include "command/program.hpp"
#include "trace/trace.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace quantimed {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

const std::string kProblem =
    " --dataset gaussian-logistic:3 --graph ring --samples-per-node 20 --batch 8 --model mlp:4 --evaluations 2 "
    "--threads 1 ";
const std::string kVirtual = " --nodes 4 --budget iterations" + kProblem;

// Until a trace or its lock is there and a little longer, then a signal.
Ran stop(const Folder& folder, const std::string& command, const std::string& trace, const std::string& after = "0.3") {
  return run_program(
      folder, command + " & p=$!; " + until_there(trace + ".lock") + "sleep " + after + "; kill -TERM $p; wait $p");
}

// ---- an unfinished run ------------------------------------------------------------------------------

struct Endless {
  std::string command, trace;
};
// Each with one run that nobody waits for.
const Endless kEndless[] = {
    {"compare --algorithms dsgd --seeds 1 --iterations 100000000 --output s" + kVirtual, "s/dsgd-seed1.h5"},
    {"tune --algorithms dsgd --seeds 101 --trials 2 --iterations 100000000 --output s" + kVirtual,
     "s/dsgd-trial1-seed101.h5"},
    {"scale --algorithms dsgd --cores 1 --study weak --warm-up 0 --repeats 1 --iterations 100000000 --output s" +
         kProblem,
     "s/weak-dsgd-n1-repeat1.h5"}};

TEST(Study, AnUnfinishedRunIsResumedFromItsCheckpoint) {
  for (const auto& [command, trace] : kEndless) {
    const Folder folder;
    ASSERT_EQ(stop(folder, command, trace).status, 75) << command;
    const Trace cut = read_trace(folder / trace);
    ASSERT_TRUE(cut.checkpoint) << command;
    const Ran again = stop(folder, command, trace);
    ASSERT_EQ(again.status, 75) << again.err;
    const Trace resumed = read_trace(folder / trace);
    EXPECT_EQ(number(resumed.summary, "resumptions", 0), 1) << command;
    EXPECT_GE(number(resumed.summary, "iterations", 0), number(cut.summary, "iterations", 0)) << command;
    EXPECT_EQ(resumed.created, cut.created) << command;
    EXPECT_THAT(again.out, HasSubstr("1 run was resumed where it had stopped.\n"));
    EXPECT_THAT(again.err, Not(HasSubstr("from its start"))) << command;
    // So is what a killed run leaves.
    fs::rename(folder / trace, folder / (trace + ".partial"));
    ASSERT_EQ(stop(folder, command, trace).status, 75);
    EXPECT_EQ(number(read_trace(folder / trace).summary, "resumptions", 0), 2) << command;
    // --overwrite starts it again.
    ASSERT_EQ(stop(folder, command + " --overwrite", trace).status, 75);
    EXPECT_EQ(number(read_trace(folder / trace).summary, "resumptions", 0), 0) << command;
  }
}

TEST(Study, AComparisonThatWasStoppedInARunEndsAsIfItNeverHadBeen) {
  const std::string command =
      "compare --quiet --algorithms dsgd --seeds 1 --budget iterations --dataset digits --nodes 10 --samples-per-node "
      "100 --model mlp:16 --batch 30 --iterations 700 --evaluations 10 --alpha 0.2 --threads 1 --output ";
  const Folder folder;
  ASSERT_EQ(run_program(folder, command + "whole").status, 0);
  Ran cut = stop(folder, command + "s", "s/dsgd-seed1.h5", "0");
  for (int more = 0; more < 9 && cut.status == 0; ++more) {  // it had ended before its signal came
    fs::remove_all(folder / "s");
    cut = stop(folder, command + "s", "s/dsgd-seed1.h5", "0");
  }
  ASSERT_EQ(cut.status, 75) << cut.err;
  const Ran again = run_program(folder, command + "s");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("1 run was resumed where it had stopped.\n"));
  EXPECT_EQ(contents(folder / "s/comparison.json"), contents(folder / "whole/comparison.json"));
}

// As it is when a real-time run with --no-record is killed: what it had, and no checkpoint.
void leave_killed(const Folder& folder, const std::string& trace) {
  Trace killed = read_trace(folder / trace);
  killed.status = RunStatus::running;
  killed.checkpoint.reset();
  killed.recording.reset();
  write_trace(folder / (trace + ".partial"), killed);
  fs::remove(folder / trace);
}

TEST(Study, ARunThatCannotBeResumedIsStartedAgainAndOneLineSaysSo) {
  const auto& [command, trace] = kEndless[2];
  const Folder folder;
  ASSERT_EQ(stop(folder, command, trace).status, 75);
  leave_killed(folder, trace);
  const Ran again = stop(folder, command, trace);
  ASSERT_EQ(again.status, 75) << again.err;
  EXPECT_EQ(again.err, "quantimed: " + trace +
                           ".partial is of a run in real time that was killed and kept no log (--no-record), which "
                           "cannot be resumed; it is run "
                           "again from its start\n");
  EXPECT_EQ(number(read_trace(folder / trace).summary, "resumptions", 0), 0);
}

TEST(Study, ResumingIsAdvisedOnlyWhereItCanBeDone) {
  const std::string run = "run --quiet --algorithm dsgd --iterations 100000000 --output t.h5" + kProblem;
  const struct {
    std::string options;
    bool is_killed;
    const char* says;
  } cases[] = {
      {"--nodes 4", false, "quantimed run --resume t.h5"},
      {"--nodes 4 --fault stall:1@0.001,0.001", false, "with --fault stall:1@0.001,0.001, which cannot be resumed"},
      {"--engine threads --nodes 1", false, "quantimed run --resume t.h5"},
      {"--engine threads --nodes 1", true,
       "in real time that was killed and kept no log (--no-record), which cannot be resumed"}};
  for (const auto& [options, is_killed, says] : cases) {
    const Folder folder;
    const std::string command = run + options;
    ASSERT_EQ(stop(folder, command, "t.h5").status, 75) << options;
    if (is_killed) leave_killed(folder, "t.h5");
    const Ran refused = run_program(folder, command);
    expect_refused(refused, says, options);
    EXPECT_EQ(run_program(folder, "run --resume t.h5 --dry-run").status,
              std::string(says).starts_with("quantimed") ? 0 : 2)
        << options;
    if (!std::string(says).starts_with("quantimed")) {
      EXPECT_THAT(refused.err, Not(HasSubstr("--resume"))) << options;
      EXPECT_THAT(refused.err, HasSubstr("--overwrite")) << options;
    }
  }
}

// ---- another study ----------------------------------------------------------------------------------

TEST(Study, AnotherOneInTheSameFolderIsRefusedUnlessOverwrite) {
  const struct {
    std::string command, first, second, says, table;
  } cases[] = {
      {"compare --algorithms dsgd --iterations 5" + kVirtual, "--seeds 1", "--seeds 2", "--seeds 1, not 2",
       "comparison.json"},
      {"compare --algorithms dsgd --iterations 5" + kVirtual, "--seeds 1,2", "--seeds 1", "--seeds 1,2, not 1",
       "table.md"},
      {"compare --seeds 1 --iterations 5" + kVirtual, "--algorithms dsgd", "--algorithms q-dsgd",
       "--algorithms dsgd, not q-dsgd", "table.md"},
      {"tune --algorithms dsgd --seeds 101 --iterations 5" + kVirtual, "--trials 2", "--trials 3", "--trials 2, not 3",
       "tuned.ini"},
      {"tune --algorithms dsgd --trials 2 --iterations 5" + kVirtual, "--seeds 101", "--seeds 102",
       "--seeds 101, not 102", "trials.csv"},
      {"tune --seeds 101 --trials 2 --iterations 5" + kVirtual, "--algorithms dsgd", "--algorithms q-dsgd",
       "--algorithms dsgd, not q-dsgd", "tuned.ini"},
      {"scale --algorithms dsgd --cores 1 --iterations 5 --warm-up 0 --repeats 1" + kProblem, "--study weak",
       "--study strong", "--study weak, not strong", "table.md"},
      {"scale --cores 1 --study weak --iterations 5 --warm-up 0 --repeats 1" + kProblem, "--algorithms dsgd",
       "--algorithms async-dsgd", "--algorithms dsgd, not async-dsgd", "table.md"},
  };
  for (const auto& [command, first, second, says, table] : cases) {
    const Folder folder;
    const std::string given = command + "--quiet --output s ";
    const Ran made = run_program(folder, given + first);
    ASSERT_EQ(made.status, 0) << given << made.err;
    const std::string before = contents(folder / ("s/" + table)), study = contents(folder / "s/study.ini");
    EXPECT_NE(before, "") << table;
    const std::size_t files = std::distance(fs::directory_iterator(folder / "s"), {});
    expect_refused(run_program(folder, given + second), says, given + second);
    EXPECT_EQ(contents(folder / ("s/" + table)), before) << command;
    EXPECT_EQ(contents(folder / "s/study.ini"), study) << command;
    EXPECT_EQ(std::distance(fs::directory_iterator(folder / "s"), {}), files) << command;
    EXPECT_EQ(run_program(folder, given + first).status, 0) << command << ": the same again";
    EXPECT_EQ(run_program(folder, given + second + " --overwrite").status, 0) << command;
    EXPECT_NE(contents(folder / "s/study.ini"), study) << command;
  }
}

TEST(Study, MoreSeedsAlgorithmsAndRepeatsAreRunAndTheOthersKept) {
  const struct {
    std::string command, first, second;
  } cases[] = {{"compare --algorithms dsgd --iterations 5" + kVirtual, "--seeds 1", "--seeds 2,1"},
               {"compare --seeds 1 --iterations 5" + kVirtual, "--algorithms dsgd", "--algorithms q-dsgd,dsgd"},
               {"scale --algorithms dsgd --cores 1 --iterations 5 --warm-up 0 --study weak" + kProblem, "--repeats 1",
                "--repeats 2"},
               {"scale --algorithms dsgd --cores 1 --iterations 5 --warm-up 0 --repeats 1" + kProblem, "--study weak",
                "--study both"}};
  for (const auto& [command, first, second] : cases) {
    const Folder folder;
    ASSERT_EQ(run_program(folder, command + "--quiet --output s " + first).status, 0) << command;
    const Ran more = run_program(folder, command + "--quiet --output s " + second);
    EXPECT_EQ(more.status, 0) << command << more.err;
    EXPECT_THAT(more.out, HasSubstr("1 run was complete already and is kept")) << command;
    expect_refused(run_program(folder, command + "--quiet --output s " + first),
                   ", not " + first.substr(first.find(' ') + 1), command);  // fewer again
  }
}

// Without a --max-time it was the first algorithms' speed that decided the time.
TEST(Study, MoreSeedsAndAlgorithmsGetTheTimeAndTheHorizonsOfTheFirst) {
  const Folder folder;
  const std::string command =
      "compare --quiet --iterations 20 --nodes 4 --speed uniform:10,90 --link paper:3 --output s" + kProblem;
  ASSERT_EQ(run_program(folder, command + "--algorithms q-dsgd --seeds 4").status, 0);
  const auto options = [&](const std::string& trace) {
    const Trace read = read_trace(folder / ("s/" + trace + ".h5"));
    return std::pair(number(read.config, "max-time", 0), number(read.config, "horizon", 0));
  };
  const auto first = options("q-dsgd-seed4");
  const Ran dry = run_program(folder, command + "--algorithms async-dsgd,q-dsgd --seeds 2,4 --dry-run");
  EXPECT_THAT(dry.out, HasSubstr(fmt::format("max-time = {:g}\n", first.first)));
  const Ran more = run_program(folder, command + "--algorithms async-dsgd,q-dsgd --seeds 2,4");
  ASSERT_EQ(more.status, 0) << more.err;
  EXPECT_THAT(more.out, HasSubstr("1 run was complete already and is kept"));
  EXPECT_EQ(options("q-dsgd-seed2"), first);
  EXPECT_EQ(options("async-dsgd-seed2").first, first.first);
  EXPECT_THAT(contents(folder / "s/study.ini"), HasSubstr(fmt::format("# time: {} s for every", first.first)));
  // Measured and planned again where the study is replaced.
  ASSERT_EQ(run_program(folder, command + "--algorithms async-dsgd --seeds 2 --overwrite").status, 0);
  EXPECT_NE(options("async-dsgd-seed2").first, first.first);
}

TEST(Study, OtherTargetsAreLookedForOnTheCurvesThatAreThere) {
  const Folder folder;
  const std::string command = "compare --quiet --algorithms dsgd --seeds 1 --iterations 5 --output s" + kVirtual;
  ASSERT_EQ(run_program(folder, command).status, 0);
  const Ran other = run_program(folder, command + "--target-loss 1.25");
  ASSERT_EQ(other.status, 0) << other.err;
  EXPECT_THAT(other.out, HasSubstr("1 run was complete already and is kept"));
  EXPECT_THAT(contents(folder / "s/table.md"), HasSubstr("1.25"));
  EXPECT_THAT(contents(folder / "s/study.ini"), HasSubstr("target-loss = 1.25"));
}

TEST(Study, OtherDataAndAnotherProgramAreNamed) {
  const Folder folder;
  const auto svm = [](double value) {
    std::string text;
    for (int k = 0; k < 80; ++k)
      text += fmt::format("{} 1:{} 2:{}\n", k % 2 ? 1 : -1, 0.01 * k, k % 2 ? value : -value);
    return text;
  };
  const std::string command =
      "compare --quiet --algorithms dsgd --dataset d.svm --model logistic --nodes 4 --graph ring --samples-per-node 20 "
      "--batch 8 --iterations 5 --budget iterations --threads 1 --output s --seeds ";
  spill(folder / "d.svm", svm(0.5));
  ASSERT_EQ(run_program(folder, command + "1").status, 0);
  fs::remove(folder / "s/dsgd-seed1.h5");  // no trace is left that could say it
  spill(folder / "d.svm", svm(0.75));
  expect_refused(run_program(folder, command + "1"), "a study in which the data had other contents", "data");
  spill(folder / "d.svm", svm(0.5));
  std::string study = contents(folder / "s/study.ini");
  study.replace(study.find("# program: ") + 11, 1, "7.");
  spill(folder / "s/study.ini", study);
  expect_refused(run_program(folder, command + "1"), "a study of another program: 7.", "program");
  fs::remove(folder / "s/study.ini");
  expect_refused(run_program(folder, command + "1"), "study.ini", "a table that nobody knows");
  EXPECT_EQ(run_program(folder, command + "1 --overwrite").status, 0);
  EXPECT_EQ(run_program(folder, command + "1").status, 0);
}

TEST(Study, ItsFileRepeatsIt) {
  const Folder folder;
  ASSERT_EQ(
      run_program(folder, "compare --quiet --algorithms dsgd,q-dsgd --seeds 3 --iterations 5 --output s" + kVirtual)
          .status,
      0);
  const Ran again = run_program(folder, "compare --config s/study.ini --output again");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(contents(folder / "again/comparison.json"), contents(folder / "s/comparison.json"));
}

// What begins like a file of ours and is none.
TEST(Study, FilesThatOnlyLookLikeOursStay) {
  const std::string theory =
      "theory --quiet --nodes 4 --samples-per-node 10 --l2 4 --horizons 20,40,80,160 --seeds 1-2 --c1 0.3 --c2 1 "
      "--output s";
  const std::string compare = "compare --algorithms dsgd --seeds 1 --iterations 5 --output s" + kVirtual;
  const std::string tune = "tune --algorithms dsgd --seeds 101 --trials 2 --iterations 5 --output s" + kVirtual;
  const struct {
    std::string command, file, own;
  } cases[] = {{compare, "comparison.json", "{\"mine\": 1}\n"},
               {compare, "comparison.json", "{\n \"format\": \"other\",\n"},
               {compare, "study.ini", "# A study of mine\nseeds = 1\n"},
               {tune, "trials.csv", "algorithm,alpha,my_own\ndsgd,0.1,1\n"},
               {tune, "tuned.ini", "# Step sizes of mine\nalpha = 1\n"},
               {tune, "study.ini", "# A study by quantimed compare; but of something else\n"},
               {theory, "fits.csv", "quantity,price\n"},
               {theory, "measurements.csv", "point,mine\n"},
               {theory, "curves.csv", "point,seed,mine\n"},
               {theory, "constants.csv", "name,value,mine\n"}};
  for (const auto& [command, file, own] : cases)
    for (const std::string more : {"", " --overwrite"}) {
      const Folder folder;
      fs::create_directory(folder / "s");
      spill(folder / ("s/" + file), own);
      expect_refused(run_program(folder, command + more), "s/" + file, command + more);
      EXPECT_EQ(contents(folder / ("s/" + file)), own) << command;
      EXPECT_EQ(std::distance(fs::directory_iterator(folder / "s"), {}), 1) << command;
    }
}

// ---- what a run of a comparison says of itself --------------------------------------------------------

TEST(Study, RunsNameTheTargetsThatTheTableHas) {
  const Folder folder;
  std::string problem = kVirtual;  // whose losses begin above the targets
  problem.replace(problem.find("gaussian-logistic:3"), std::string("gaussian-logistic:3").size(), "digits");
  ASSERT_EQ(
      run_program(folder,
                  "compare --quiet --algorithms dsgd --seeds 1 --iterations 5 --target-loss 2.5,2 --output s" + problem)
          .status,
      0);
  const Trace trace = read_trace(folder / "s/dsgd-seed1.h5");
  EXPECT_EQ(text(trace.config, "target-loss", ""), "2.5,2");
  EXPECT_THAT(contents(folder / "s/table.md"), HasSubstr("| 2.5 "));
  // Which no command that takes the trace up again minds.
  spill(folder / "one.ini", trace.ini);
  EXPECT_EQ(run_program(folder, "run --quiet --config one.ini --output one.h5").status, 0);
}

TEST(Study, TheSecondClockHasItsOwnHorizon) {
  const std::string problem =
      " --dataset digits:600 --nodes 4 --graph ring --samples-per-node 20 --batch 8 --model mlp:4 --evaluations 2 "
      "--threads 1 "
      "--speed constant:10000 --link paper:3 --algorithms async-dsgd --seeds 1 --quiet --alpha '0.3*T^(-1/2)' ";
  const Folder folder;
  ASSERT_EQ(run_program(folder, "compare --iterations 40 --output s" + problem).status, 0);
  const Trace wire = read_trace(folder / "s/async-dsgd-seed1.h5"),
              paper = read_trace(folder / "s/async-dsgd-seed1-paper.h5");
  const std::string time = to_text(*find(wire.config, "max-time"));
  EXPECT_EQ(to_text(*find(paper.config, "max-time")), time);
  ASSERT_EQ(run_program(folder, "compare --bits paper --max-time " + time + " --output alone" + problem).status, 0);
  const Trace alone = read_trace(folder / "alone/async-dsgd-seed1.h5");
  EXPECT_EQ(text(paper.config, "bits", ""), "paper");
  EXPECT_EQ(number(paper.config, "horizon", 0), number(alone.config, "horizon", -1));
  EXPECT_GT(number(paper.config, "horizon", 0), number(wire.config, "horizon", 0));  // its messages are shorter
  EXPECT_EQ(paper.progress.loss, alone.progress.loss);
}

TEST(Study, ATraceThatWasCutShortIsToldFromAForeignFile) {
  const Folder folder;
  const std::string run = "run --quiet --algorithm dsgd --iterations 50 --nodes 4 --output t.h5" + kProblem;
  ASSERT_EQ(run_program(folder, run).status, 0);
  const std::string bytes = contents(folder / "t.h5");
  for (const std::size_t left : {std::size_t{4096}, bytes.size() / 2}) {
    spill(folder / "t.h5", bytes.substr(0, left));
    const Ran refused = run_program(folder, run);
    expect_refused(refused, fmt::format("damaged or cut short: {} of at least ", left), "cut");
    EXPECT_THAT(refused.err, HasSubstr("--overwrite"));
  }
  EXPECT_EQ(run_program(folder, run + " --overwrite").status, 0);
  EXPECT_EQ(contents(folder / "t.h5").size(), bytes.size());
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What a command does with what stands where it is about to write.
#include "command/program.hpp"
#include "trace/trace.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace quantimed {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

const std::string kOutputRun =
    " --dataset gaussian-logistic:3 --nodes 4 --graph ring --samples-per-node 20 --batch 8 --model mlp:4 --evaluations "
    "2 --alpha "
    "0.1 "
    "--epsilon 0.5 --threads 1 ";

const std::string kTuned =
    " --dataset gaussian-logistic:3 --nodes 4 --graph ring --samples-per-node 20 --batch 8 --model mlp:4 --evaluations "
    "2 --threads "
    "1 ";

ino_t inode(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

TEST(Outputs, ThatQuantimedDidNotWriteAreRefusedAndStayAsTheyAre) {
  const Folder folder;
  const std::string run = "run --algorithm dsgd --iterations 5 --quiet" + kOutputRun;
  ASSERT_EQ(run_program(folder, "export --dataset digits --output data.h5").status, 0);
  spill(folder / "data.svm", "1 1:0.5\n2 1:0.25\n");
  spill(folder / "graph.txt", "0 1\n1 2\n2 3\n0 3\n");
  spill(folder / "options.ini", "nodes = 4\n");
  spill(folder / "table.md", "| my own | table |\n");
  spill(folder / "empty", "");
  fs::create_symlink("data.h5", folder / "link.h5");
  fs::create_hard_link(folder / "data.svm", folder / "hard.h5");
  fs::create_directory(folder / "folder.h5");
  for (const std::string name : {"data.h5", "data.svm", "graph.txt", "options.ini", "table.md", "empty", "link.h5",
                                 "hard.h5", "folder.h5", "/dev/null"})
    for (const std::string more : {" --overwrite", ""}) {
      const bool is_file = name[0] != '/' && name != "folder.h5";
      const std::string before = is_file ? contents(folder / name) : "";
      expect_refused(run_program(folder, run + "--output " + name + more), name, name);
      if (is_file) {
        EXPECT_EQ(contents(folder / name), before) << name;
      }
      EXPECT_FALSE(fs::exists(folder / (name + ".lock"))) << name;
    }
  EXPECT_TRUE(fs::is_symlink(folder / "link.h5"));
}

TEST(Outputs, WhatARunReadsIsNeverWhatItWrites) {
  const Folder folder;
  const std::string run = "run --algorithm dsgd --iterations 5 --quiet" + kOutputRun;
  ASSERT_EQ(run_program(folder, run + "--output speeds.h5").status, 0);
  fs::create_hard_link(folder / "speeds.h5", folder / "other.h5");
  const std::string before = contents(folder / "speeds.h5");
  for (const std::string name : {"speeds.h5", "other.h5"})
    expect_refused(run_program(folder, run + "--speed file:speeds.h5 --overwrite --output " + name), "--speed", name);
  EXPECT_EQ(contents(folder / "speeds.h5"), before);
}

TEST(Outputs, FilesBesideTheOutputAreNotTakenForItsOwn) {
  const Folder folder;
  const std::string run = "run --algorithm dsgd --iterations 5 --quiet --overwrite" + kOutputRun;
  for (const std::string end : {".partial", ".lock"}) {
    spill(folder / ("a.h5" + end), "1 1:0.5\n");
    expect_refused(run_program(folder, run + "--output a.h5"), "a.h5" + end, end);
    EXPECT_EQ(contents(folder / ("a.h5" + end)), "1 1:0.5\n");
    fs::remove(folder / ("a.h5" + end));
  }
  fs::create_directory(folder / "s");
  spill(folder / "s/warm-up.h5", "1 1:0.5\n");
  expect_refused(
      run_program(folder, "scale --cores 1 --algorithms dsgd --graph complete --dataset digits --overwrite --output s"),
      "warm-up.h5", "scale");
  EXPECT_EQ(contents(folder / "s/warm-up.h5"), "1 1:0.5\n");
}

TEST(Outputs, ACompleteRunOfTheSameOptionsIsKept) {
  const Folder folder;
  const std::string run = "run --algorithm dsgd --iterations 5" + kOutputRun + "--output a.h5";
  const Ran first = run_program(folder, run);
  ASSERT_EQ(first.status, 0) << first.err;
  const ino_t file = inode(folder / "a.h5");
  const Ran second = run_program(folder, run + " --target-loss 1");  // looked for on the curve that is there
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_THAT(second.out, HasSubstr("kept: a.h5 is complete already; --overwrite runs it again\n"));
  EXPECT_THAT(second.out, HasSubstr("to loss 1"));
  EXPECT_EQ(inode(folder / "a.h5"), file);
  EXPECT_EQ(run_program(folder, run + " --quiet").out, "");
  EXPECT_EQ(run_program(folder, run + " --overwrite").status, 0);
  EXPECT_NE(inode(folder / "a.h5"), file);
  // Where the run diverged it would again.
  const std::string diverging =
      "run --algorithm dsgd --iterations 5 --quiet --output d.h5 --dataset digits:600 --nodes 4 "
      "--graph ring --samples-per-node 20 --alpha 1e20";
  ASSERT_EQ(run_program(folder, diverging).status, 3);
  const ino_t diverged = inode(folder / "d.h5");
  EXPECT_EQ(run_program(folder, diverging).status, 3);
  EXPECT_EQ(inode(folder / "d.h5"), diverged);
}

TEST(Outputs, ARunOfOtherOptionsIsReplacedOnlyOnDemand) {
  const Folder folder;
  const std::string run = "run --algorithm dsgd --quiet" + kOutputRun + "--output a.h5 ";
  ASSERT_EQ(run_program(folder, run + "--iterations 5").status, 0);
  const std::string before = contents(folder / "a.h5");
  expect_refused(run_program(folder, run + "--iterations 6"), "--iterations 5, not 6", "iterations");
  expect_refused(run_program(folder, run + "--iterations 5 --seed 2"), "--seed 1, not 2", "seed");
  EXPECT_EQ(contents(folder / "a.h5"), before);
  EXPECT_EQ(run_program(folder, run + "--iterations 6 --overwrite").status, 0);
  EXPECT_EQ(number(read_trace(folder / "a.h5").config, "iterations", 0), 6);
}

TEST(Outputs, ATraceOfAnotherVersionOrChangedSinceIsReplacedOnlyOnDemand) {
  const Folder folder;
  const std::string run = "run --algorithm dsgd --quiet --iterations 5" + kOutputRun + "--output ";
  ASSERT_EQ(run_program(folder, run + "a.h5").status, 0);
  Trace trace = read_trace(folder / "a.h5");
  trace.software_version = "0.0.9";
  write_trace(folder / "old.h5", trace);
  trace = read_trace(folder / "a.h5");
  trace.commit = "0123456789ab";
  write_trace(folder / "commit.h5", trace);
  const std::string bytes = contents(folder / "a.h5");
  spill(folder / "changed.h5", bytes.substr(0, bytes.size() - 32));
  std::string damaged = bytes;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  spill(folder / "damaged.h5", damaged);
  const std::pair<const char*, const char*> cases[] = {
      {"old.h5", "0.0.9"}, {"commit.h5", "0123456789ab"}, {"changed.h5", "seal"}, {"damaged.h5", "damaged"}};
  for (const auto& [name, says] : cases) {
    expect_refused(run_program(folder, run + name), says, name);
    EXPECT_EQ(run_program(folder, run + name + " --overwrite").status, 0) << name;
    EXPECT_TRUE(verify_trace(read_trace(folder / name)).empty()) << name;
  }
}

TEST(Outputs, WithoutANameEveryRunHasItsOwn) {
  const Folder folder;
  for (const std::string more : {"--iterations 5", "--iterations 6", "--iterations 5"})
    ASSERT_EQ(run_program(folder, "run --algorithm dsgd --quiet" + kOutputRun + more).status, 0) << more;
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "runs"), {}), 2);
}

// ---- contents -------------------------------------------------------------------------------------------------------

// A run that reads `file`, stopped: with other contents under its name it is neither resumed nor taken for the same.
struct Content {
  const char* file;
  std::string first, second;  // what is in it
  std::string option;
  std::string says;
};

std::string svm(double value) {
  std::string text;
  for (int k = 0; k < 200; ++k) text += fmt::format("{} 1:{} 2:{}\n", k % 2 ? 1 : -1, 0.01 * k, k % 2 ? value : -value);
  return text;
}

std::vector<Content> all_contents(const Folder& folder) {
  const Ran calibrated = run_program(
      folder,
      "calibrate --dataset digits:600 --nodes 2 --model logistic --quiet --samples-per-node 20 --output m.ini; true");
  std::string machine = contents(folder / "m.ini"), other = machine;
  if (const auto at = other.find("latency_s = "); at != std::string::npos) other.insert(at + 12, "1");
  std::vector<Content> found = {{"d.svm", svm(0.5), svm(0.75), "--dataset d.svm --model logistic", "the data"},
                                {"g.txt", "0 1\n1 2\n2 3\n0 3\n", "0 1\n1 2\n2 3\n0 2\n",
                                 "--dataset digits:600 --model mlp:4 --graph file:g.txt", "graph"},
                                {"s.txt", "10 20 30 40\n20 10 30 40\n", "10 20 30 40\n20 10 30 41\n",
                                 "--dataset digits:600 --model mlp:4 --speed file:s.txt", "speed"}};
  if (calibrated.status == 0 && !machine.empty())
    found.push_back({"m.ini", machine, other, "--dataset digits:600 --model logistic --machine m.ini", "machine"});
  return found;
}

std::string run_of(const Content& content) {
  return "run --algorithm dsgd --nodes 4 --samples-per-node 20 --batch 8 --evaluations 2 --alpha 0.1 --epsilon 0.5 "
         "--threads 1 --quiet " +
         content.option + (content.option.find("--graph") == std::string::npos ? " --graph ring" : "");
}

TEST(Outputs, OtherContentsUnderTheSameNameAreAnotherRun) {
  const Folder folder;
  for (const Content& c : all_contents(folder)) {
    const std::string run = run_of(c) + " --iterations 5 --output t.h5";
    spill(folder / c.file, c.first);
    const Ran made = run_program(folder, run + " --overwrite");
    ASSERT_EQ(made.status, 0) << c.option << made.err;
    const std::string before = contents(folder / "t.h5");
    EXPECT_EQ(run_program(folder, run).status, 0) << c.option;
    spill(folder / c.file, c.second);
    expect_refused(run_program(folder, run), c.says, c.option);
    EXPECT_EQ(contents(folder / "t.h5"), before);
  }
}

TEST(Outputs, OtherContentsUnderTheSameNameAreNotResumed) {
  const Folder folder;
  for (const Content& c : all_contents(folder)) {
    spill(folder / c.file, c.first);
    const Ran stopped = run_program(
        folder, run_of(c) +
                    " --iterations 100000000 --overwrite --output t.h5 & p=$!; while kill -0 $p 2>/dev/null && "
                    "! test -e t.h5.lock; do sleep 0.02; done; sleep 0.2; kill -TERM $p; wait $p");
    ASSERT_EQ(stopped.status, 75) << c.option << stopped.err;
    const std::string before = contents(folder / "t.h5");
    spill(folder / c.file, c.second);
    expect_refused(run_program(folder, "run --resume t.h5"), c.says, c.option);
    EXPECT_EQ(contents(folder / "t.h5"), before);
    // Given back, it goes on.
    spill(folder / c.file, c.first);
    const Ran again = run_program(folder,
                                  "run --resume t.h5 --quiet & p=$!; sleep 0.1; while kill -0 $p 2>/dev/null && "
                                  "! test -e t.h5.lock; do sleep 0.02; done; sleep 0.2; kill -TERM $p; wait $p");
    EXPECT_EQ(again.status, 75) << c.option << again.err;
  }
}

TEST(Outputs, TheTraceSaysWhatWasRead) {
  const Folder folder;
  spill(folder / "d.svm", svm(0.5));
  spill(folder / "g.txt", "0 1\n1 2\n2 3\n0 3\n");
  const std::string reads = "--dataset d.svm --graph file:g.txt --model logistic --nodes 4 --samples-per-node 20 ";
  ASSERT_EQ(run_program(folder,
                        "run --algorithm dsgd --iterations 5 --alpha 0.1 --epsilon 0.5 --quiet --output t.h5 " + reads)
                .status,
            0);
  const Trace trace = read_trace(folder / "t.h5");
  EXPECT_EQ(text(trace.data, "fingerprint", "").size(), 32u);
  EXPECT_EQ(text(trace.data, "graph_fingerprint", "").size(), 32u);
  EXPECT_EQ(text(trace.data, "speed_fingerprint", "none"), "");
  EXPECT_EQ(number(trace.data, "features", 0), 2);
  EXPECT_EQ(number(trace.data, "classes", 0), 2);
  EXPECT_EQ(text(trace.data, "labels", ""), "-1, 1");
  EXPECT_EQ(number(trace.data, "training_samples", 0), 200);
  EXPECT_EQ(number(trace.data, "test_samples", -1), 0);
  EXPECT_EQ(text(trace.data, "test_set", ""), "none");
  EXPECT_THAT(text(trace.data, "test_set_looked_for", ""), HasSubstr("d.svm.t"));
  const Ran info = run_program(folder, "info --contents --dataset d.svm --graph file:g.txt");
  EXPECT_EQ(info.status, 0) << info.err;
  EXPECT_EQ(info.out, to_text(trace.data));
  expect_refused(run_program(folder, "info --dataset d.svm"), "--contents", "info");
  expect_refused(run_program(folder, "info --contents --json --dataset d.svm"), "--json", "--contents");
  expect_refused(run_program(folder, "info --dependencies --algorithms dsgd"), "--dependencies", "--algorithms");
}

// ---- what was begun
// --------------------------------------------------------------------------------------------------

const std::string kEndlessOutput =
    "run --algorithm dsgd --quiet --iterations 100000000" + kOutputRun + "--output a.h5 ";

// Its status, once it had begun.
int begin_and_stop(const Folder& folder, const std::string& run) {
  return run_program(folder,
                     run + "& p=$!; while ! test -e a.h5.lock; do sleep 0.02; done; sleep 0.2; kill -TERM $p; wait $p")
      .status;
}

TEST(Outputs, ARunThatWasInterruptedIsNotThrownAway) {
  const Folder folder;
  const std::string& run = kEndlessOutput;
  ASSERT_EQ(begin_and_stop(folder, run), 75);
  const std::string before = contents(folder / "a.h5");
  expect_refused(run_program(folder, run), "--resume a.h5", "the same options");
  std::string other = run;
  other.replace(other.find("100000000"), 9, "7");
  expect_refused(run_program(folder, other), "--iterations 100000000, not 7", "other options");
  EXPECT_EQ(contents(folder / "a.h5"), before);
  // The same where all that is left is what a killed run had.
  fs::rename(folder / "a.h5", folder / "a.h5.partial");
  expect_refused(run_program(folder, run), "--resume a.h5", "the same options, killed");
  expect_refused(run_program(folder, other), "--iterations 100000000, not 7", "other options, killed");
  EXPECT_EQ(contents(folder / "a.h5.partial"), before);
}

TEST(Outputs, AnOlderRunsPartialIsNotResumedInPlaceOfOneThatDiedBeforeItWrote) {
  const Folder folder;
  const std::string& run = kEndlessOutput;
  ASSERT_EQ(begin_and_stop(folder, run), 75);
  fs::rename(folder / "a.h5", folder / "a.h5.partial");
  const Ran killed =
      run_program(folder, run +
                              "--overwrite & p=$!; while kill -0 $p && test -e a.h5.partial; do sleep 0.01; done; "
                              "kill -9 $p; wait $p");
  ASSERT_EQ(killed.status, 137) << killed.err;
  if (fs::exists(folder / "a.h5.partial")) GTEST_SKIP() << "this machine is so slow that the run wrote its own";
  expect_refused(run_program(folder, "run --resume a.h5"), "a.h5", "resumed");
}

TEST(Outputs, WhatWasStoppedIsToldInTrueWordsAndNumbers) {
  const Folder folder;
  const std::string run = "run --algorithm dsgd --iterations 100000000" + kOutputRun + "--output a.h5 ";
  const Ran stopped = run_program(
      folder, run + "& p=$!; while ! test -e a.h5.lock; do sleep 0.02; done; sleep 0.3; kill -TERM $p; wait $p");
  ASSERT_EQ(stopped.status, 75);
  const Trace trace = read_trace(folder / "a.h5");
  EXPECT_EQ(number(trace.summary, "iterations", 0), static_cast<double>(trace.rounds.iterations));
  EXPECT_THAT(stopped.out, HasSubstr("Interrupted at iteration "));
  EXPECT_THAT(stopped.out, HasSubstr(" of 100,000,000. Resume: quantimed run --resume a.h5\n"));
  EXPECT_THAT(stopped.out, HasSubstr(" at the start; it was not evaluated again yet\n"));
  EXPECT_THAT(stopped.out, HasSubstr(fmt::format(", {:.4g} iterations\n", number(trace.summary, "iterations", 0))));
  EXPECT_THAT(stopped.out, Not(HasSubstr("goes on")));
}

// ---- the other commands ---------------------------------------------------------------------------------------------

TEST(Outputs, EveryCommandLeavesWhatIsNotItsOwn) {
  const Folder folder;
  const std::string own = "somebody's own\n";
  const std::string one =
      " --algorithms dsgd --dataset digits:600 --graph complete --samples-per-node 24 --batch 8 --iterations 5 ";
  const std::string theory =
      " --nodes 4 --samples-per-node 10 --l2 4 --horizons 20,40,80,160 --seeds 1-2 --c1 0.3 --c2 1 ";
  const struct {
    std::string command, file;
  } cases[] = {
      {"compare --seeds 1 --nodes 4" + one + "--output f", "f/dsgd-seed1.h5"},
      {"compare --seeds 1 --nodes 4" + one + "--output f", "f/table.md"},
      {"tune --seeds 1 --trials 2 --nodes 4" + one + "--output f", "f/dsgd-trial1-seed1.h5"},
      {"tune --seeds 1 --trials 2 --nodes 4" + one + "--output f", "f/trials.csv"},
      {"tune --seeds 1 --trials 2 --nodes 4" + one + "--output f", "f/table.md"},
      {"scale --cores 1" + one + "--output f", "f/strong-dsgd-n1-repeat1.h5"},
      {"scale --cores 1" + one + "--output f", "f/table.md"},
      {"predict --nodes 1" + one + "--output f", "f/measured-dsgd-repeat1.h5"},
      {"predict --nodes 1" + one + "--output f", "f/machine.ini"},
      {"calibrate --nodes 2 --dataset digits --output f/machine.ini", "f/machine.ini"},
      {"theory" + theory + "--output f", "f/theory.ini"},
      {"theory" + theory + "--output f", "f/table.md"},
      {"theory" + theory + "--output f", "f/fits.csv"},
      {"export --dataset digits --output f/d.h5", "f/d.h5"},
  };
  for (const auto& [command, file] : cases)
    for (const std::string more : {"", " --overwrite"}) {
      fs::remove_all(folder / "f");
      fs::create_directory(folder / "f");
      spill(folder / file, own);
      expect_refused(run_program(folder, command + more), file, command + more);
      EXPECT_EQ(contents(folder / file), own) << command;
      EXPECT_EQ(std::distance(fs::directory_iterator(folder / "f"), {}), 1) << command;
    }
}

TEST(Outputs, FoldersOfOtherOptionsAreRefusedUnlessOverwrite) {
  const Folder folder;
  const std::string compare =
      "compare --quiet --algorithms dsgd --seeds 1 --budget iterations" + kOutputRun + "--output c --iterations ";
  ASSERT_EQ(run_program(folder, compare + "5").status, 0);
  expect_refused(run_program(folder, compare + "6"), "--iterations 5, not 6", "compare");
  EXPECT_EQ(run_program(folder, compare + "6 --overwrite").status, 0);
  const std::string theory =
      "theory --quiet --nodes 4 --samples-per-node 10 --l2 4 --seeds 1-2 --c1 0.3 --c2 1 --output t --horizons ";
  ASSERT_EQ(run_program(folder, theory + "20,40,80,160").status, 0);
  EXPECT_EQ(run_program(folder, theory + "20,40,80,160").status, 0);  // the same again
  expect_refused(run_program(folder, theory + "20,40,80,180"), "t/theory.ini", "theory");
  EXPECT_EQ(run_program(folder, theory + "20,40,80,180 --overwrite").status, 0);
}

TEST(Outputs, ACompareOfOtherContentsIsRefused) {
  const Folder folder;
  const std::string compare =
      "compare --quiet --algorithms dsgd,q-dsgd --seeds 1 --dataset d.svm --model logistic --nodes 4 --graph ring "
      "--samples-per-node 20 --batch 8 --iterations 5 --threads 1 --output c";
  spill(folder / "d.svm", svm(0.5));
  ASSERT_EQ(run_program(folder, compare).status, 0);
  const std::string before = contents(folder / "c/dsgd-seed1.h5");
  spill(folder / "d.svm", svm(0.75));
  expect_refused(run_program(folder, compare), "the data had other contents", "compare");
  EXPECT_EQ(contents(folder / "c/dsgd-seed1.h5"), before);
}

// ---- commands of several runs, continued ----------------------------------------------------------------------------

std::map<std::string, ino_t> finished_in(const std::string& path) {
  std::map<std::string, ino_t> found;
  for (const auto& file : fs::directory_iterator(path))
    if (file.path().extension() == ".h5" && read_trace_summary(file.path()).status == RunStatus::complete)
      found[file.path().filename()] = inode(file.path());
  return found;
}

void expect_kept(const std::map<std::string, ino_t>& before, const std::map<std::string, ino_t>& now,
                 const std::string& of) {
  for (const auto& [name, file] : before) {
    ASSERT_TRUE(now.contains(name)) << of << ": " << name;
    EXPECT_EQ(now.at(name), file) << of << ": " << name << " was run again";
  }
}

// The command has more runs than anybody waits for; SIGINT comes once `file(1)` is complete, and then once three more
// than there were are.
template <class File>
void expect_continued(const std::string& command, File&& file) {
  const Folder folder;
  const auto until = [&](std::size_t runs) {
    return run_program(folder,
                       command + " --output c & p=$!; " + until_there("c/" + file(runs)) + "kill -INT $p; wait $p");
  };
  const Ran cut = until(1);
  ASSERT_EQ(cut.status, 75) << cut.err;
  const auto before = finished_in(folder / "c");
  ASSERT_GE(before.size(), 1u);
  EXPECT_THAT(cut.out, HasSubstr(fmt::format("Stopped by a signal after {} ", before.size())));
  EXPECT_THAT(cut.out, HasSubstr("; the same command continues.\n"));
  const Ran again = until(before.size() + 3);
  ASSERT_EQ(again.status, 75) << again.err;
  const auto now = finished_in(folder / "c");
  EXPECT_GE(now.size(), before.size() + 2);  // the run that was cut first left a file, too
  expect_kept(before, now, command);
  EXPECT_THAT(again.out,
              HasSubstr(fmt::format("{} complete already and ",
                                    before.size() == 1 ? "1 run was" : fmt::format("{} runs were", before.size()))));
  EXPECT_THAT(again.out, HasSubstr(fmt::format("Stopped by a signal after {} ", now.size())));
}

TEST(Outputs, ACompareThatWasStoppedContinues) {
  expect_continued("compare --algorithms dsgd --seeds 1-400 --budget iterations --iterations 5" + kOutputRun,
                   [](std::size_t runs) { return fmt::format("dsgd-seed{}.h5", runs); });
}

TEST(Outputs, ATuningThatWasStoppedContinues) {
  expect_continued("tune --algorithms dsgd --seeds 1 --trials 400 --budget iterations --iterations 5" + kTuned,
                   [](std::size_t runs) { return fmt::format("dsgd-trial{}-seed1.h5", runs); });
}

// What the same command gives where some of its runs are there already is what it gave without them.
void expect_completed(const std::string& command, const std::vector<std::string>& lost,
                      const std::vector<std::string>& tables) {
  const Folder folder;
  const std::string same = command + " --quiet --output c";
  const Ran whole = run_program(folder, same);
  ASSERT_EQ(whole.status, 0) << whole.err;
  std::map<std::string, std::string> texts;
  for (const std::string& name : tables) texts[name] = contents(folder / ("c/" + name));
  auto before = finished_in(folder / "c");
  for (const std::string& name : lost) {
    ASSERT_TRUE(fs::remove(folder / ("c/" + name))) << name;
    before.erase(name);
  }
  const Ran again = run_program(folder, same);
  ASSERT_EQ(again.status, 0) << again.err;
  const auto now = finished_in(folder / "c");
  expect_kept(before, now, command);
  EXPECT_EQ(now.size(), before.size() + lost.size());
  EXPECT_THAT(again.out, HasSubstr(fmt::format("{} runs were complete already", before.size())));
  for (const std::string& name : tables) EXPECT_EQ(contents(folder / ("c/" + name)), texts[name]) << name;
}

TEST(Outputs, WhatIsMissingOfAComparisonIsRunAndNothingElse) {
  expect_completed("compare --algorithms dsgd,q-dsgd --seeds 1-2 --budget iterations --iterations 5" + kOutputRun,
                   {"q-dsgd-seed1.h5", "dsgd-seed2.h5"}, {"comparison.json", "table.md"});
}

TEST(Outputs, WhatIsMissingOfATuningIsRunAndNothingElse) {
  expect_completed("tune --algorithms dsgd --seeds 1-2 --trials 4 --budget iterations --iterations 5" + kTuned,
                   {"dsgd-trial1-seed1.h5", "dsgd-trial3-seed1.h5"}, {"trials.csv", "tuned.ini", "table.md"});
}

TEST(Outputs, PacesThatQuantimedDidNotMeasureAreRefused) {
  const Folder folder;
  fs::create_directory(folder / "c");
  spill(folder / "c/paces.txt", "my own paces\n");
  expect_refused(run_program(folder,
                             "compare --algorithms dsgd --seeds 1 --engine threads --oversubscribe --output c "
                             "--iterations 5" +
                                 kOutputRun),
                 "paces.txt", "compare");
  EXPECT_EQ(contents(folder / "c/paces.txt"), "my own paces\n");
}

TEST(Outputs, AnExportedDataSetIsKeptOrReplacedOnDemand) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, "export --dataset digits --output d.h5").status, 0);
  const std::string before = contents(folder / "d.h5");
  const Ran kept = run_program(folder, "export --dataset digits --output d.h5");
  EXPECT_EQ(kept.status, 0) << kept.err;
  EXPECT_THAT(kept.out, HasSubstr("kept"));
  expect_refused(run_program(folder, "export --dataset digits --seed 2 --output d.h5"), "--overwrite", "another");
  expect_refused(run_program(folder, "export --dataset d.h5 --classes 0,1 --output d.h5 --overwrite"), "--dataset",
                 "its own");
  EXPECT_EQ(contents(folder / "d.h5"), before);
  EXPECT_EQ(run_program(folder, "export --dataset digits --seed 2 --output d.h5 --overwrite").status, 0);
  EXPECT_NE(contents(folder / "d.h5"), before);
}

TEST(Outputs, AMeasurementOfTheMachineIsReplacedOnDemand) {
  const Folder folder;
  spill(folder / "machine.ini", "; What the steps of a node cost on this machine: medians\n[machine]\nversion = 1\n");
  expect_refused(run_program(folder, "calibrate --nodes 2 --dataset digits"), "--overwrite", "calibrate");
  fs::create_directory(folder / "p");
  fs::rename(folder / "machine.ini", folder / "p/machine.ini");
  expect_refused(
      run_program(folder, "predict --nodes 1 --graph complete --algorithms dsgd --dataset digits --output p"),
      "p/machine.ini", "predict");
}

}  // namespace
}  // namespace quantimed

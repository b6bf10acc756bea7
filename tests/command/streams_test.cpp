// SPDX-License-Identifier: BSD-3-Clause
// Standard output that refuses, and `verify`'s exit status.
#include "command/program.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace quantimed {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::string kPrintingRun =
    "run --algorithm dsgd --dataset gaussian-logistic:3 --nodes 4 --graph ring --samples-per-node 20 --batch 8 --model "
    "mlp:4 "
    "--iterations 5 --alpha 0.1 --epsilon 0.5 --threads 1 ";

// Every command that prints, as short as can be.
const std::vector<std::string> kPrintingCommands = {
    kPrintingRun + "--overwrite --output t.h5",
    kPrintingRun + "--dry-run",
    "compare --algorithms dsgd --seeds 1 --dataset gaussian-logistic:3 --nodes 4 --graph "
    "ring --samples-per-node 20 --iterations 5 --output c --overwrite",
    "compare --dry-run --dataset digits:600 --nodes 4 --samples-per-node 20",
    "tune --dry-run --dataset digits:600 --nodes 4 --samples-per-node 20",
    "theory --dry-run",
    "scale --dry-run --cores 1 --graph complete --dataset digits",
    "verify a.h5",
    "verify a.h5 a.h5",
    "info --dependencies",
    "info --contents --dataset digits:600",
    "export --dataset digits:600 --output d.h5 --overwrite",
    "help",
    "help run",
    "run --help",
    "version",
    "--version"};

TEST(StandardOutput, ThatIsFullIsAnErrorOfEveryCommand) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, kPrintingRun + "--output a.h5").status, 0);
  for (const std::string& command : kPrintingCommands) {
    const Ran ran = run_program(folder, command + " > /dev/full");
    EXPECT_EQ(ran.status, 4) << command << ": " << ran.err;
    EXPECT_EQ(ran.err,
              "quantimed: standard output cannot be written: No space left on device; free some space, or send it "
              "elsewhere\n")
        << command;
  }
  EXPECT_TRUE(verify_trace(read_trace(folder / "t.h5")).empty());  // what it did is done all the same
}

TEST(StandardOutput, ThatIsClosedIsAnErrorWhereThereIsSomethingToSay) {
  const Folder folder;
  const Ran help = run_program(folder, "help >&-");
  EXPECT_EQ(help.status, 2);
  EXPECT_THAT(help.err, StartsWith("quantimed: standard output is closed"));
  // No file that the run opens may take its number.
  const Ran quiet = run_program(folder, kPrintingRun + "--quiet --output t.h5 >&- 2>&- <&-");
  EXPECT_EQ(quiet.status, 0);
  EXPECT_TRUE(verify_trace(read_trace(folder / "t.h5")).empty());
  const Ran loud = run_program(folder, kPrintingRun + "--overwrite --output t.h5 >&-");
  EXPECT_EQ(loud.status, 2);
  EXPECT_TRUE(verify_trace(read_trace(folder / "t.h5")).empty());
}

TEST(StandardOutput, WhoseReaderIsGoneEndsTheProgramQuietly) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, kPrintingRun + "--output a.h5").status, 0);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ASSERT_EQ(::dup2(ends[1], 9), 9);  // of one digit, for the shell
  ::close(ends[0]);
  ::close(ends[1]);
  for (const std::string& command : kPrintingCommands)
    for (const std::string ignored : {"", "trap '' PIPE; "}) {
      const Ran ran = run_program(folder, "--version > /dev/null; " + ignored + kProgram + command + " >&9");
      EXPECT_EQ(ran.status, 141) << ignored << command;
      EXPECT_EQ(without_progress(ran.err), "") << ignored << command;
    }
  ::close(9);
}

TEST(StandardError, ThatCannotBeWrittenEndsNothing) {
  const Folder folder;
  for (const std::string where : {"2> /dev/full", "2>&-"}) {
    EXPECT_EQ(run_program(folder, "run --no-such-option " + where).status, 2) << where;
    EXPECT_EQ(run_program(folder, kPrintingRun + "--overwrite --quiet --output t.h5 " + where).status, 0) << where;
  }
}

// ---- verify ---------------------------------------------------------------------------------------------------------

void set(Attributes& attributes, const std::string& name, Attribute value) {
  for (auto& [key, old] : attributes)
    if (key == name) old = std::move(value);
}

struct Verified : testing::Test {
  Verified() {
    EXPECT_EQ(run_program(folder, kPrintingRun + "--output good.h5 --quiet").status, 0);
    good = read_trace(folder / "good.h5");
    bytes = contents(folder / "good.h5");
  }
  Ran verify(const std::string& names) const { return run_program(folder, "verify --quiet " + names); }
  void write(const std::string& name, const Trace& trace) const { write_trace(folder / name, trace); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder / name, std::ios::binary) << text;
  }

  Folder folder;
  Trace good;
  std::string bytes;
};

TEST_F(Verified, AnInvalidRunEndsWithStatusFiveAndSaysWhy) {
  Trace invalid = good;
  invalid.verdict = "INVALID: 6 nodes share 2 cores";
  write("invalid.h5", invalid);
  const Ran ran = verify("invalid.h5");
  EXPECT_EQ(ran.status, 5);
  EXPECT_THAT(ran.out, HasSubstr("invalid.h5: complete, INVALID, timing not trustworthy: 6 nodes share 2 cores;"));
  EXPECT_EQ(verify("good.h5").status, 0);
}

TEST_F(Verified, ASealThatIsGoneOrWrongIsNotValid) {
  write("cut.h5", bytes.substr(0, bytes.size() - 32));
  Ran ran = verify("cut.h5");
  EXPECT_EQ(ran.status, 5);
  EXPECT_THAT(ran.out, StartsWith("cut.h5: not VALID: its seal is gone: changed since it was written"));
  std::string wrong = bytes;
  wrong[wrong.size() - 5] = wrong[wrong.size() - 5] == '0' ? '1' : '0';
  write("wrong.h5", wrong);
  ran = verify("wrong.h5");
  EXPECT_EQ(ran.status, 5);
  EXPECT_THAT(ran.err, HasSubstr("wrong.h5: damaged: its checksum does not fit"));
}

// A run that went on from it would seal it again.
TEST_F(Verified, NothingGoesOnFromATraceWithoutItsSeal) {
  Trace stopped = good;
  stopped.status = RunStatus::interrupted;
  write("stopped.h5", stopped);
  const std::string whole = contents(folder / "stopped.h5");
  write("stopped.h5", whole.substr(0, whole.size() - 32));
  const Ran resumed = run_program(folder, "run --resume stopped.h5");
  EXPECT_EQ(resumed.status, 2);
  EXPECT_THAT(resumed.err, HasSubstr("stopped.h5 has lost its seal"));
  EXPECT_EQ(contents(folder / "stopped.h5"), whole.substr(0, whole.size() - 32));
  const Ran timed = run_program(folder, "run --dataset digits --nodes 4 --speed file:stopped.h5 --output t.h5");
  EXPECT_EQ(timed.status, 2);
  EXPECT_THAT(timed.err, testing::AllOf(HasSubstr("--speed"), HasSubstr("stopped.h5 has lost its seal")));
}

TEST_F(Verified, WhatH5pyHasChangedIsNotValid) {
  if (std::system("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0) GTEST_SKIP() << "/usr/bin/python3 has no h5py";
  const std::pair<const char*, const char*> changes[] = {
      {"f['progress/loss'][1] = -5", "is -5"},
      {"f['progress/time'][1] = float('nan')", "is nan"},
      {"f['config'].attrs['seed'] = 'abc'", "seed is abc"},
      {"f['summary'].attrs['final_loss'] = 0.0", "/summary says 0"},
      {"f['config'].attrs['comment'] = 'nothing else'", "seal is gone"},
  };
  for (const auto& [change, says] : changes) {
    write("t.h5", bytes);
    const std::string command = fmt::format(
        "cd '{}' && /usr/bin/python3 -c \"import h5py\nwith h5py.File('t.h5', 'r+') as f: {}\"", folder.str(), change);
    ASSERT_EQ(std::system(command.c_str()), 0) << change;
    const Ran ran = verify("t.h5");
    EXPECT_EQ(ran.status, 5) << change;
    EXPECT_THAT(ran.out, HasSubstr("its seal is gone: changed since it was written")) << change;
    EXPECT_THAT(ran.out, HasSubstr(says)) << change;
  }
}

TEST_F(Verified, AConfigThatContradictsItsIniIsFound) {
  Trace trace = good;
  set(trace.config, "seed", std::string("abc"));
  write("seed.h5", trace);
  Ran ran = verify("seed.h5");
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.out, HasSubstr("seed is abc, and should be a whole number"));
  trace = good;
  set(trace.config, "batch", std::int64_t{9});
  write("batch.h5", trace);
  ran = verify("batch.h5");
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.out, HasSubstr("/config says batch = 9, /config/ini 8"));
}

TEST_F(Verified, SeveralFilesAreCountedByWhatTheyAre) {
  Trace trace = good;
  trace.verdict = "INVALID: why";
  write("invalid.h5", trace);
  trace = good;
  trace.status = RunStatus::interrupted;
  write("stopped.h5", trace);
  const std::string all = "good.h5 good.h5 invalid.h5 stopped.h5";
  Ran ran = verify(all);
  EXPECT_EQ(ran.status, 5);
  EXPECT_THAT(ran.out, testing::EndsWith("\n4 traces: 2 VALID, 1 INVALID, 1 unfinished\n"));
  write("none.h5", std::string("words\n"));
  ran = verify(all + " none.h5");
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.out, testing::EndsWith("\n5 files: 2 VALID, 1 INVALID, 1 unfinished, 1 unreadable\n"));
  ran = verify("good.h5 stopped.h5");
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.out, testing::EndsWith("\n2 traces: 1 VALID, 1 unfinished\n"));
  EXPECT_EQ(verify("good.h5").out.find("traces"), std::string::npos);
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What is written is what is read; and where it cannot be written, nothing is left behind.
#include "base/error.hpp"
#include "here.hpp"
#include "same.hpp"
#include "sample.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <thread>

namespace quantimed {
namespace {

using ::testing::HasSubstr;

using RoundTrip = Folder;
using Output = Folder;

TEST_F(RoundTrip, KeepsEverything) {
  const Trace trace = sample_trace();
  write_trace(path("a.h5"), trace);
  expect_same(read_trace(path("a.h5")), trace);
  EXPECT_EQ(files(), 1u);
}

TEST_F(RoundTrip, KeepsChunkedDataSets) {  // small ones have another layout
  Trace trace = sample_trace(400, 1000, 2000);
  for (int k = 0; k < 600'000; ++k) trace.mean_model.push_back(std::sin(static_cast<float>(k)));
  write_trace(path("a.h5"), trace);
  expect_same(read_trace(path("a.h5")), trace);
}

TEST_F(RoundTrip, KeepsEmptyTraces) {
  Trace trace;
  trace.network.offsets = {0};
  write_trace(path("a.h5"), trace);
  expect_same(read_trace(path("a.h5")), trace);
}

TEST_F(RoundTrip, KeepsOneNodeWithoutEdgesIterationsAndPoints) {
  Trace trace = sample_trace(0, 5, 0);
  trace.network = {};
  trace.network.nodes = 1;
  trace.network.self_weights = {1};
  trace.rounds.nodes = 1;
  trace.timeline = {};
  trace.counters = {};
  index_neighbours(trace.network);
  write_trace(path("a.h5"), trace);
  expect_same(read_trace(path("a.h5")), trace);
}

TEST_F(RoundTrip, KeepsCheckpoints) {
  Trace trace = sample_trace();
  trace.checkpoint = sample_checkpoint(trace);
  write_trace(path("a.h5"), trace);
  expect_same(read_trace(path("a.h5")), trace);
  EXPECT_TRUE(verify_trace(trace).empty());
  Checkpoint least;  // what an engine has no use for is left out
  least.models = trace.checkpoint->models;
  least.iteration = trace.checkpoint->iteration;
  least.start_time = trace.checkpoint->start_time;
  trace.checkpoint = least;
  write_trace(path("a.h5"), trace);
  expect_same(read_trace(path("a.h5")), trace);
}

TEST_F(RoundTrip, KeepsManyAndLongAttributesInOrder) {
  Trace trace = sample_trace();
  for (int k = 200; k > 0; --k) trace.environment.push_back({fmt::format("key {}", k), std::string(1000 * k, 'x')});
  trace.ini.assign(300'000, 'y');
  write_trace(path("a.h5"), trace);
  expect_same(read_trace(path("a.h5")), trace);
}

TEST_F(RoundTrip, KeepsEveryStatus) {
  for (const RunStatus status : columns::kStatuses) {
    Trace trace = sample_trace();
    trace.status = status;
    trace.verdict.reject("load was 3.2 on 2 cores");
    trace.verdict.reject("64 nodes share 2 cores");
    write_trace(path("a.h5"), trace);
    expect_same(read_trace(path("a.h5")), trace);
    EXPECT_EQ(read_trace(path("a.h5")).verdict.reasons().size(), 2u);
  }
}

TEST_F(RoundTrip, LeavesOutTheClocksAndWarningsThatThereAreNot) {
  Trace trace = sample_trace();
  trace.warnings.clear();
  trace.progress.time_wire_bits.clear();
  write_trace(path("one.h5"), trace);
  expect_same(read_trace(path("one.h5")), trace);
  trace.progress.time_paper_bits.clear();
  trace.checkpoint = sample_checkpoint(trace);
  trace.checkpoint->start_time_other_bits.clear();
  write_trace(path("none.h5"), trace);
  expect_same(read_trace(path("none.h5")), trace);
}

// Version 0.1.0 wrote schema version 2: one clock, no warnings, bytes as float32.
TEST_F(RoundTrip, ReadsATraceOfVersion010) {
  Trace old = read_trace(QUANTIMED_TESTS_DIR "/trace/version-0.1.0.h5");
  std::erase_if(old.summary, [](const auto& entry) {  // regression has no accuracy; NaN equals nothing
    return entry.first == "final_accuracy" || entry.first == "final_test_accuracy";
  });
  EXPECT_EQ(old.schema_version, 2);
  EXPECT_EQ(old.software_version, "0.1.0");
  EXPECT_TRUE(old.verdict.is_valid());
  EXPECT_TRUE(old.warnings.empty());
  EXPECT_EQ(old.progress.time.size(), 4u);
  EXPECT_TRUE(old.progress.time_paper_bits.empty());
  EXPECT_TRUE(old.progress.time_wire_bits.empty());
  ASSERT_EQ(old.rounds.bytes_sent.size(), 18u);
  for (const double bytes : old.rounds.bytes_sent) EXPECT_EQ(bytes, 128);
  EXPECT_THAT(verify_trace(old), testing::IsEmpty());
  write_trace(path("new.h5"), old);
  const Trace now = read_trace(path("new.h5"));
  EXPECT_EQ(now.schema_version, kTraceSchemaVersion);
  expect_same(now, old);
}

TEST(VerdictList, KeepsEveryReasonOnceAndReadsBackWhatItWrites) {
  Verdict verdict;
  EXPECT_TRUE(verdict.is_valid());
  EXPECT_EQ(verdict.text(), "VALID");
  verdict.reject("the load was 3");
  verdict.reject("nodes 1, 2 wait; node 3 does not");  // a separator inside of a reason
  verdict.reject("the load was 3");
  EXPECT_EQ(verdict.text(), "INVALID: the load was 3; nodes 1, 2 wait, node 3 does not");
  const Verdict read(verdict.text());
  EXPECT_EQ(read, verdict);
  ASSERT_EQ(read.reasons().size(), 2u);
  EXPECT_EQ(read.why(), "the load was 3; nodes 1, 2 wait, node 3 does not");
  Verdict all;
  all.reject("first");
  all.reject_as(read);
  all.reject_as(read);
  EXPECT_EQ(all.reasons().size(), 3u);
  for (const char* text : {"", "fine", "INVALID", "INVALID: ", "valid"}) {
    EXPECT_FALSE(Verdict(text).is_known()) << text;
    EXPECT_FALSE(Verdict(text).is_valid()) << text;
  }
  EXPECT_EQ(Verdict("fine").text(), "fine");
  EXPECT_EQ(Verdict("VALID"), Verdict());
}

TEST_F(RoundTrip, OfARunOfUsualSize) {
  const Trace trace = sample_trace(300, 50, 50);
  write_trace(path("a.h5"), trace);
  expect_same(read_trace(path("a.h5")), trace);
}

TEST(Trace, ContradictoryLengthsAreOurFault) {
  Trace trace = sample_trace();
  trace.progress.loss.pop_back();
  EXPECT_THROW(write_trace("/nowhere/a.h5", trace), InternalError);
}

TEST(Trace, AttributesReadAsPeopleWriteThem) {
  EXPECT_EQ(
      to_text(Attributes{{"a", true}, {"b", std::int64_t{-3}}, {"c", 0.1}, {"d", std::string("é")}, {"e", kForever}}),
      "a = true\nb = -3\nc = 0.1\nd = é\ne = inf\n");
  const Attributes attributes = sample_trace().config;
  EXPECT_EQ(number(attributes, "nodes", 0), 5);
  EXPECT_EQ(number(attributes, "grey", 0), 1);
  EXPECT_EQ(number(attributes, "algorithm", -1), -1);
  EXPECT_EQ(text(attributes, "algorithm", ""), "quantimed-dsgd");
  EXPECT_EQ(text(attributes, "missing", "else"), "else");
  EXPECT_EQ(find(attributes, "missing"), nullptr);
}

// ---- where it cannot be written ------------------------------------------------------------------

TEST_F(Output, NamesAMissingFolder) {
  EXPECT_THAT(input_error([&] { write_trace(path("none/a.h5"), sample_trace()); }),
              testing::AllOf(HasSubstr("none/a.h5"), HasSubstr("No such file or directory"), HasSubstr("create")));
}

TEST_F(Output, NamesAFileInThePath) {
  spill(path("file"), "x");
  EXPECT_THAT(input_error([&] { write_trace(path("file/a.h5"), sample_trace()); }), HasSubstr("Not a directory"));
}

TEST_F(Output, LeavesDevicesAndFoldersAlone) {
  EXPECT_THAT(input_error([&] { write_trace("/dev/full", sample_trace()); }), HasSubstr("not a plain file"));
  EXPECT_THAT(input_error([&] { write_trace("/dev/null", sample_trace()); }), HasSubstr("not a plain file"));
  EXPECT_THAT(input_error([&] { write_trace(path(""), sample_trace()); }), HasSubstr("not a plain file"));
  struct stat status {};
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST_F(Output, NamesAFolderThatIsNotWritable) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  std::filesystem::create_directory(path("closed"));
  std::filesystem::permissions(path("closed"), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  EXPECT_THAT(input_error([&] { write_trace(path("closed/a.h5"), sample_trace()); }), HasSubstr("writable"));
}

TEST_F(Output, NamesATooLongName) {
  EXPECT_THAT(input_error([&] { write_trace(path(std::string(300, 'a')), sample_trace()); }), HasSubstr("shorter"));
}

TEST_F(Output, GoesBehindALinkAndHonoursTheMask) {
  std::filesystem::create_directory(path("far"));
  spill(path("far/real.h5"), "old");
  std::filesystem::create_symlink(path("far/real.h5"), path("link.h5"));
  const mode_t before = ::umask(027);
  write_trace(path("link.h5"), sample_trace());
  ::umask(before);
  EXPECT_TRUE(std::filesystem::is_symlink(path("link.h5")));
  expect_same(read_trace(path("far/real.h5")), sample_trace());
  EXPECT_EQ(static_cast<int>(std::filesystem::status(path("far/real.h5")).permissions()), 0640);
}

TEST_F(Output, GoesBehindALinkToNothingYet) {
  std::filesystem::create_directory(path("far"));
  std::filesystem::create_symlink("far/next.h5", path("link.h5"));
  std::filesystem::create_symlink(path("far/real.h5"), path("far/next.h5"));
  write_trace(path("link.h5"), sample_trace());
  EXPECT_TRUE(std::filesystem::is_symlink(path("link.h5")));
  EXPECT_FALSE(std::filesystem::is_symlink(path("far/real.h5")));
  expect_same(read_trace(path("far/real.h5")), sample_trace());
}

// Runs `write` in a child whose files may have 3,000 bytes, and returns how the child ended.
template <class Write>
int with_file_limit(Write&& write) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{3000, 3000}, no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
    ::_exit(write() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_F(Output, FailsCleanlyWhenTheFileCannotGrow) {  // as on a full disk
  spill(path("a.h5"), "old");
  const int status = with_file_limit([&] {
    try {
      write_trace(path("a.h5"), sample_trace());
    } catch (const MachineRefused& refusal) {
      return std::string(refusal.what()).find("ulimit") != std::string::npos;
    }
    return false;
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(slurp(path("a.h5")), "old");
  EXPECT_EQ(files(), 1u) << "the temporary is still there";
}

bool knows_nameless_files(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (file >= 0) ::close(file);
  return file >= 0;
}

// Asked for its rounds, it kills the process that writes the trace, whichever process calls HDF5.
class Killing final : public RoundsSource {
 public:
  Killing(const Rounds& rounds, pid_t writer) : rounds_(rounds), writer_(writer) {}
  std::size_t nodes() const override { return rounds_.nodes; }
  std::size_t iterations() const override { return rounds_.iterations; }
  Rounds block(std::size_t, std::size_t) const override {
    ::kill(writer_, SIGKILL);
    return rounds_;
  }

 private:
  const Rounds& rounds_;
  pid_t writer_;
};

TEST_F(Output, KilledWriterLeavesTheTargetAsItWas) {
  write_trace(path("a.h5"), sample_trace());
  const std::string before = slurp(path("a.h5"));
  const pid_t child = ::fork();
  if (child == 0) {
    const Trace trace = sample_trace(100, 10);
    write_trace(path("a.h5"), trace, Killing(trace.rounds, ::getpid()));
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(slurp(path("a.h5")), before);
  expect_same(read_trace(path("a.h5")), sample_trace());
  EXPECT_LE(files(), knows_nameless_files(path("")) ? 1u : 2u) << "a killed writer leaves its temporary";
}

// As where the file system knows no files without a name.
TEST_F(Output, WhatAKilledWriterLeavesIsRemovedByTheNextAndNobodyElses) {
  ::setenv("QUANTIMED_NAMED_TEMPORARIES", "1", 1);
  const pid_t child = ::fork();
  if (child == 0) {
    const Trace trace = sample_trace(100, 10);
    write_trace(path("a.h5"), trace, Killing(trace.rounds, ::getpid()));
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const std::string living = path(".quantimed-0123456789abcdef.tmp"), own = path(".quantimed-notes.tmp");
  spill(living, "somebody writes it");
  spill(own, "not ours");
  const int held = ::open(living.c_str(), O_RDONLY);
  ASSERT_EQ(::flock(held, LOCK_EX), 0);
  write_trace(path("b.h5"), sample_trace());
  for (int wait = 0; wait < 500 && files() > 3; ++wait) {  // until the writer's own child has ended, too
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    write_trace(path("b.h5"), sample_trace());
  }
  ::unsetenv("QUANTIMED_NAMED_TEMPORARIES");
  EXPECT_EQ(files(), 3u);
  EXPECT_EQ(slurp(living), "somebody writes it");
  EXPECT_EQ(slurp(own), "not ours");
  ::close(held);
  expect_same(read_trace(path("b.h5")), sample_trace());
}

TEST_F(Output, NamesAFullDisk) {
  const std::string full = path("full");
  std::filesystem::create_directory(full);
  const std::string mount = fmt::format("mount -t tmpfs -o size=4k none {} 2>/dev/null", full);
  if (std::system(mount.c_str()) != 0) GTEST_SKIP() << "no small file system can be mounted here";
  std::string error;
  try {
    write_trace(full + "/a.h5", sample_trace(100, 10));
  } catch (const MachineRefused& refused) {
    error = refused.what();
  }
  const auto left = std::distance(std::filesystem::directory_iterator(full), {});
  EXPECT_EQ(std::system(fmt::format("umount {}", full).c_str()), 0);
  EXPECT_THAT(error, testing::AllOf(HasSubstr("No space left"), HasSubstr("free some space")));
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "timing/recorded_speed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.hpp"
#include "engine/small_run.hpp"
#include "here.hpp"
#include "trace/sample.hpp"

namespace quantimed {
namespace {

using testing::HasSubstr;

// A file that is gone after the test.
class SpeedFile {
 public:
  explicit SpeedFile(const std::string& text) {
    std::string name = (std::filesystem::temp_directory_path() / "quantimed-speeds-XXXXXX").string();
    const int file = ::mkstemp(name.data());
    EXPECT_GE(file, 0);
    ::close(file);
    path_ = name;
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~SpeedFile() { std::filesystem::remove(path_); }
  SpeedFile(const SpeedFile&) = delete;
  SpeedFile& operator=(const SpeedFile&) = delete;
  std::string option() const { return "file:" + path_.string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string error_of(const std::string& text) {
  try {
    make_speed_model(text, 1);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(RecordedSpeed, LinesAreIterationsAndColumnsNodes) {
  const auto model = make_speed_model("file:" QUANTIMED_TESTS_DIR "/engine/speeds.txt", 1);
  EXPECT_EQ(model->speed(0, 0), 10);
  EXPECT_EQ(model->speed(1, 0), 20);
  EXPECT_EQ(model->speed(1, 1), 40.5);
  EXPECT_EQ(model->speed(0, 2), 50);
  EXPECT_DOUBLE_EQ(model->mean(), 210.5 / 6);
}

TEST(RecordedSpeed, BeginsAgainAfterTheLastLine) {
  const auto model = make_speed_model("file:" QUANTIMED_TESTS_DIR "/engine/speeds.txt", 1);
  EXPECT_EQ(model->speed(0, 3), 10);
  EXPECT_EQ(model->speed(1, 7), 40.5);
  EXPECT_THROW(model->speed(2, 0), InternalError);
}

TEST(RecordedSpeed, ColumnsAreTheNodes) {
  const auto error = [](const std::string& text, std::uint32_t nodes) -> std::string {
    const SpeedFile file(text);
    try {
      make_speed_model(file.option(), 1, nodes);
    } catch (const InputError& failure) {
      return failure.what();
    }
    return "";
  };
  EXPECT_EQ(error("1,2,3,4\n", 4), "");
  EXPECT_THAT(error("1,2\n", 4),
              HasSubstr("has 2 columns for 4 nodes; give a line an iteration and a column a node, or "
                        "--nodes 2"));
  EXPECT_THAT(error("1,2,3,4,5\n", 4), HasSubstr("has 5 columns for 4 nodes"));
  EXPECT_THAT(error("1\n2\n3\n5\n", 4), HasSubstr("exchange lines and columns"));
  EXPECT_THAT(error("1,10,20\n2,10,20\n3,10,20\n", 2), HasSubstr("leave the first column out, which counts the lines"));
}

TEST(RecordedSpeed, DecimalCommasAreNoColumns) {
  const std::pair<const char*, const char*> cases[] = {
      {"10,5 20,5 30,5 40,5\n", "\"10,5\" has a comma inside, and there are blanks beside it; write decimal points"},
      {"10,5\t20,5\t30,5\t40,5\n", "\"10,5\" has a comma inside"},
      {"1 2\n3 4,5\n", "line 2: \"4,5\" has a comma inside"},
      {"10,5, 20,5\n", "has a comma inside"},
      {"10,5;20,5\n", "is not a speed; put commas or blanks between speeds, and points in them"},
      {"\"10\",\"20\"\n", "without quotes"},
      {"1.000,5 2.000,5\n", "has a comma inside"},
  };
  for (const auto& [text, expected] : cases) {
    const SpeedFile file(text);
    EXPECT_THAT(error_of(file.option()), HasSubstr(expected)) << text;
  }
  const SpeedFile file("10,5,20,5\n11,5,21,5\n13,5,22,5\n");
  EXPECT_THAT([&] { make_speed_model(file.option(), 1, 2); },
              testing::ThrowsMessage<InputError>(HasSubstr("if its commas are decimal commas, write points")));
}

TEST(RecordedSpeed, ALineOfNamesIsReadOverButNotAnIndex) {
  for (const char* text : {"\xef\xbb\xbfnode0,node1\n10,20\n", "# speeds\n\nfirst second\r\n10 20\r\n",
                           "\"node 0\",\"node 1\"\n10,20\n", "a\tb\n10\t20\n"}) {
    const SpeedFile file(text);
    const auto model = make_speed_model(file.option(), 1, 2);
    EXPECT_EQ(model->speed(0, 0), 10) << text;
    EXPECT_EQ(model->speed(1, 0), 20) << text;
  }
  for (const char* text : {"iteration,node0\n10,20\n", "Time node0\n1 2\n", "\"t\",\"a\"\n1,2\n"}) {
    const SpeedFile file(text);
    EXPECT_THAT([&] { make_speed_model(file.option(), 1, 2); },
                testing::ThrowsMessage<InputError>(HasSubstr("leave it out, every column is a node")))
        << text;
  }
}

TEST(RecordedSpeed, LineEndsOfAnySystem) {
  const SpeedFile file("1,2\r\n\r\n\t3 ,\t4");
  const auto model = make_speed_model(file.option(), 1);
  EXPECT_EQ(model->speed(1, 0), 2);
  EXPECT_EQ(model->speed(1, 1), 4);
}

TEST(RecordedSpeed, BadLinesAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"1 2\n3\n", "line 2: has 1 speeds where the lines before have 2"},
      {"1 2\n3 4 5\n", "line 2: has 3 speeds"},
      {"# no\n\n1 x\n", "line 3: \"x\" is not a speed"},
      {"1,,2\n", "line 1: \"\" is not a speed"},
      {",1\n", "line 1: \"\" is not a speed"},
      {"1,2,\n", "line 1: ends with a comma"},
      {"1 0\n", "line 1: \"0\" is not a speed"},
      {"5\n-1\n", "line 2: \"-1\" is not a speed"},
      {"inf\n", "\"inf\" is not a speed"},
      {"nan\n", "\"nan\" is not a speed"},
      {"1e999\n", "\"1e999\" is not a speed"},
      {"1e300\n", "line 1: 1e300 is out of range"},
      {"1,2\nname,2\n", "line 2: \"name\" is not a speed"},
      {"names\nalone\n", "line 2: \"alone\" is not a speed"},
      {"\x1b[2J\n", "\"?[2J\" is not a speed"},
      {"", "holds no speeds"},
      {"# only a comment\n\n", "holds no speeds"},
  };
  for (const auto& [text, expected] : cases) {
    const SpeedFile file(text);
    EXPECT_THAT(error_of(file.option()), HasSubstr(expected)) << text;
    EXPECT_THAT(error_of(file.option()), testing::StartsWith("--speed " + file.option() + ": "));
  }
}

TEST(RecordedSpeed, ALongFileIsRefusedByItsSize) {
  const SpeedFile file("1\n");
  std::filesystem::resize_file(file.path(), (64 << 20) + 1);  // a hole: takes no room
  EXPECT_THAT(error_of(file.option()), HasSubstr("longer than 64 MiB"));
}

TEST(RecordedSpeed, OfARunAreBatchOverComputeTime) {
  const float none = std::nanf("");
  Rounds rounds;
  rounds.iterations = 5;
  rounds.nodes = 2;
  rounds.batch = {none, 6, 0, 8, 10, none, 40, 0, 20, none};
  rounds.compute_time = {none, 2, 0.5, 2, 1, none, 2, 0.5, 1, none};
  const auto model = speed_of_run("--speed file:x.h5", rounds);
  // Node 0 computed nothing twice at first: the median of 10, 20, 20.
  for (const auto& [t, speed] : {std::pair{0u, 20.0}, {1u, 20.0}, {2u, 10.0}, {3u, 20.0}, {4u, 20.0}, {5u, 20.0}})
    EXPECT_EQ(model->speed(0, t), speed) << t;
  for (const auto& [t, speed] : {std::pair{0u, 3.0}, {1u, 4.0}, {2u, 4.0}, {3u, 4.0}, {4u, 4.0}})
    EXPECT_EQ(model->speed(1, t), speed) << t;
  rounds.batch = {none, 6, 0, 8, 0, none, 0, 0, none, none};
  EXPECT_THROW(speed_of_run("--speed file:x.h5", rounds), InputError);
  EXPECT_THROW(speed_of_run("--speed file:x.h5", Rounds{}), InputError);
}

// A run in virtual time, and the same with the speeds of its own trace: the same times.
TEST(RecordedSpeed, ATraceIsReplayed) {
  const SmallRun small("dsgd", 4);
  auto run = small.run();
  KeepingWatcher first = small.watcher(), again = small.watcher();
  Trace trace = sample_trace(run.iterations, run.network.nodes);
  trace.timeline = {};
  trace.network = small.network;
  trace.rounds = run_virtual(run, first).rounds.all();
  const SpeedFile place("");
  const std::string file = place.path().string() + ".h5";
  write_trace(file, trace);
  const auto recorded = make_speed_model("file:" + file, 1);
  std::filesystem::remove(file);
  run.speed = recorded.get();
  const Rounds replayed = run_virtual(run, again).rounds.all();
  ASSERT_EQ(replayed.compute_time.size(), trace.rounds.compute_time.size());
  for (std::size_t k = 0; k < replayed.compute_time.size(); ++k)
    EXPECT_NEAR(replayed.compute_time[k], trace.rounds.compute_time[k], 1e-5f * trace.rounds.compute_time[k]);
}

}  // namespace
}  // namespace quantimed

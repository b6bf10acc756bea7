// SPDX-License-Identifier: BSD-3-Clause
// Paths that the system refuses: one line with the option, the path and the system's reason, whichever command it is.
#include "command/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace quantimed {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Path {
  std::string name, reason;
};
const std::string kLongName(300, 'a');
const Path kPaths[] = {{"loop", "Too many levels of symbolic links"},
                       {"loop/x.h5", "Too many levels of symbolic links"},
                       {kLongName, "File name too long"},
                       {kLongName + "/x.h5", "File name too long"},
                       {"file/x.h5", ""}};

// Root may search every folder; these it may not.
void make_paths(const Folder& folder) {
  std::filesystem::create_symlink("loop", folder / "loop");
  std::ofstream(folder / "file") << "1 1:0.5\n";
}

void expect_one_line(const Ran& ran, const std::string& command, const Path& path) {
  EXPECT_EQ(ran.status, 2) << command << ran.out << ran.err;
  EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << command << ": " << ran.err;
  EXPECT_THAT(ran.err, Not(HasSubstr("internal error"))) << command;
  EXPECT_THAT(ran.err, HasSubstr(path.name)) << command;
  EXPECT_THAT(ran.err, HasSubstr(path.reason)) << command;
}

TEST(Paths, ThatCannotBeWrittenAreOneLineInEveryCommand) {
  const std::string one =
      " --algorithms dsgd --dataset digits:600 --graph complete --samples-per-node 24 --batch 8 --iterations 5 ";
  const std::string commands[] = {
      "run --algorithm dsgd --dataset digits:600 --nodes 4 --samples-per-node 20 --iterations 5 --output ",
      "run --overwrite --repeats 2 --engine threads --oversubscribe --algorithm dsgd --dataset digits:600 --nodes 4 "
      "--samples-per-node 20 --iterations 5 "
      "--output ",
      "compare --seeds 1 --nodes 4" + one + "--output ",
      "tune --seeds 1 --trials 2 --nodes 4" + one + "--output ",
      "scale --cores 1" + one + "--output ",
      "predict --nodes 1" + one + "--output ",
      "theory --nodes 4 --samples-per-node 10 --l2 4 --horizons 20,40,80,160 --seeds 1-2 --c1 0.3 --c2 1 --output ",
      "calibrate --nodes 2 --dataset digits --output ",
      "export --dataset digits --output "};
  for (const std::string& command : commands)
    for (const Path& path : kPaths) {
      const Folder folder;
      make_paths(folder);
      const Ran ran = run_program(folder, command + path.name);
      expect_one_line(ran, command, path);
      EXPECT_THAT(ran.err, HasSubstr("--output")) << command;
    }
}

TEST(Paths, ThatCannotBeReadAreOneLineInEveryCommand) {
  const std::string run = "run --algorithm dsgd --nodes 4 --samples-per-node 20 --iterations 5 --output t.h5 ";
  const struct {
    std::string before, option;
  } commands[] = {{"run --resume ", "--resume"},
                  {"run --config ", "--config"},
                  {run + "--dataset ", "--dataset"},
                  {run + "--dataset digits --graph file:", "--graph"},
                  {run + "--dataset digits --speed file:", "--speed"},
                  {run + "--dataset digits --machine ", "--machine"},
                  {"predict --nodes 1 --dataset digits --machine ", "--machine"},
                  {"export --output d.h5 --dataset ", "--dataset"},
                  {"verify ", ""},
                  {"judge ", "judge"}};
  for (const auto& [before, option] : commands)
    for (const Path& path : kPaths) {
      const Folder folder;
      make_paths(folder);
      const Ran ran = run_program(folder, before + path.name);
      expect_one_line(ran, before, path);
      EXPECT_THAT(ran.err, HasSubstr(option)) << before;
    }
}

// The name fits, and what is kept beside it as it runs does not.
TEST(Paths, ThatLeaveNoRoomForTheFilesBesideThemAreOneLine) {
  const Folder folder;
  const std::string name = std::string(250, 'a');
  expect_one_line(
      run_program(
          folder,
          "run --algorithm dsgd --dataset digits:600 --nodes 4 --samples-per-node 20 --iterations 5 --output " + name),
      "run", {name, "File name too long; choose a shorter name"});
}

TEST(Paths, TheFolderOfRunsWithoutANameMayBeSuchAPath) {
  for (const std::string command :
       {"run --algorithm dsgd --dataset digits:600 --nodes 4 --samples-per-node 20 --iterations 5",
        "compare --algorithms dsgd --seeds 1 --dataset digits:600 --nodes 4 --samples-per-node 20 --iterations 5"}) {
    const Folder folder;
    std::filesystem::create_symlink("runs", folder / "runs");
    expect_one_line(run_program(folder, command), command, {"runs", "Too many levels of symbolic links"});
  }
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What the program says of the data it reads, and what it refuses.
#include "command/program.hpp"
#include "trace/trace.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantimed {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kDataRun =
    "run --nodes 2 --graph complete --samples-per-node 10 --iterations 3 --batch 4 --algorithm dsgd "
    "--threads 1 --output t.h5 ";

const std::string kAnyShare =
    "run --nodes 2 --graph complete --samples-per-node 2 --iterations 3 --batch 2 --algorithm dsgd "
    "--threads 1 --output t.h5 ";

void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// A sample for each year, of two features.
std::string years() {
  std::string text;
  for (int k = 0; k < 40; ++k) text += fmt::format("{} 1:{} 2:{}\n", 1922 + 7 * k % 40, k % 5, k % 3);
  return text;
}

TEST(DataProgram, LeastSquaresRegressesOnWholeNumbersAndSaysSo) {
  const Folder folder;
  write(folder / "years", years());
  Ran run = run_program(folder, kDataRun + "--model least-squares --dataset years");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.err,
              HasSubstr("note: --dataset years: the targets are 40 distinct whole numbers, 1922 to 1961: taken as "
                        "values to regress on; if they are classes, --target classes"));
  EXPECT_THAT(run.out, HasSubstr("2 features, values to regress on, 40 training, no test set (looked for years.t)"));
  EXPECT_THAT(run.out, Not(HasSubstr("accuracy")));
  EXPECT_EQ(read_trace(folder / "t.h5").mean_model.size(), 2u);
  run = run_program(folder, kDataRun + "--overwrite --model logistic --dataset years");
  EXPECT_THAT(run.err, HasSubstr("the labels 1922-1961 are classes 0 to 39"));
  EXPECT_THAT(run.out, HasSubstr("40 classes (labels 1922-1961)"));
}

// Own data of any size need no option: nodes share what there is, the run says so, and goes on and repeats as it is.
TEST(DataProgram, SmallDataAreSharedAndARunSaysSo) {
  const Folder folder;
  std::string text;
  for (int k = 0; k < 43; ++k) text += fmt::format("{} 1:{} 2:{}\n", k % 2, k % 5, k % 3);
  write(folder / "mine", text);
  const std::string words =
      "run --dataset mine --model logistic --nodes 4 --graph ring --batch 2 --algorithm dsgd --iterations 3 ";
  Ran run = run_program(folder, words + "--output a.h5");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("note: --samples-per-node auto: 10, since mine has 43 training samples for 4 nodes"));
  const Trace trace = read_trace(folder / "a.h5");
  EXPECT_EQ(quantimed::text(trace.config, "samples-per-node", ""), "auto");
  EXPECT_EQ(number(trace.config, "samples_per_node_value", 0), 10);
  EXPECT_EQ(run_program(folder, words + "--samples-per-node 10 --output b.h5").status, 0);
  EXPECT_EQ(read_trace(folder / "b.h5").mean_model, trace.mean_model);
  EXPECT_EQ(run_program(folder, "verify a.h5").status, 0);
  run = run_program(folder, words + "--samples-per-node 11 --output c.h5");
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, HasSubstr("give 10 or less, or all"));
  EXPECT_THAT(run_program(folder, "scale --dataset mine --model logistic --samples-per-node auto --cores 1").err,
              HasSubstr("--samples-per-node auto: its number would depend on the cores; give a number"));
  run = run_program(folder,
                    "compare --algorithms dsgd --dataset digits:60 --nodes 4 --graph ring --batch 2 --iterations 3 "
                    "--model logistic --seeds 1-3 --output c");
  ASSERT_EQ(run.status, 0) << run.err;
  const std::size_t note = run.err.find("--samples-per-node auto: 15");
  ASSERT_NE(note, std::string::npos) << run.err;
  EXPECT_EQ(run.err.find("--samples-per-node auto", note + 1), std::string::npos) << run.err;  // of three seeds once
}

TEST(DataProgram, ATestSetOfOtherLabelsIsRefused) {
  const Folder folder;
  std::string text;
  for (int k = 0; k < 30; ++k) text += fmt::format("{} 1:{}\n", k % 2 ? "+1" : "-1", k);
  write(folder / "mix", text);
  write(folder / "mix.t", "0 1:1\n1 1:2\n");
  const Ran run = run_program(folder, kDataRun + "--model logistic --dataset mix");
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, HasSubstr("mix.t has 1 samples of 2 with labels that training has not, 0 for instance"));
}

TEST(DataProgram, ChosenClassesAreLabels) {
  const Folder folder;
  write(folder / "three", "5 1:1\n6 1:2\n7 1:3\n5 1:4\n7 1:5\n");
  const Ran run = run_program(folder, kAnyShare + "--model logistic --dataset three --classes 7,5");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("2 classes (labels 7, 5), 4 training"));
}

TEST(DataProgram, SpeedsWithDecimalCommasAreRefused) {
  const Folder folder;
  write(folder / "speeds.csv", "10,5 20,5\n");
  Ran run = run_program(folder, kDataRun + "--dataset digits --speed file:speeds.csv");
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, HasSubstr("decimal points"));
  write(folder / "speeds.csv", "1,10,20\n2,10,20\n3,10,20\n");
  run = run_program(folder, kDataRun + "--dataset digits --speed file:speeds.csv");
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, HasSubstr("has 3 columns for 2 nodes; leave the first column out"));
}

TEST(DataProgram, FilesWithByteOrderMarksAreRead) {
  const Folder folder;
  const std::string mark = "\xef\xbb\xbf";
  write(folder / "bom.ini", mark + "dataset = bom\ngraph = file:graph\nspeed = file:speeds\n");
  write(folder / "bom", mark + "-1 1:1\r\n+1 1:2\r\n-1 1:3\r\n+1 1:5\r\n");
  write(folder / "graph", mark + "0 1\r\n");
  write(folder / "speeds", mark + "10 20\r\n");
  const Ran run = run_program(folder,
                              "run --config bom.ini --nodes 2 --samples-per-node 2 --iterations 3 --algorithm dsgd "
                              "--threads 1 --model logistic --output t.h5");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("2 classes (labels -1, 1), 4 training"));
}

}  // namespace
}  // namespace quantimed

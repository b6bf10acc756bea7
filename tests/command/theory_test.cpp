// SPDX-License-Identifier: BSD-3-Clause
#include "command/theory_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command/program.hpp"

namespace quantimed {
namespace {

using testing::HasSubstr;

constexpr const char* kTheoryRun =
    "theory --nodes 4 --samples-per-node 10 --l2 4 --horizons 20,40,80,160 --seeds 1-3 --c1 0.3 --c2 1 ";

TEST(Theory, WritesWhatItMeasured) {
  const Folder folder;
  const Ran ran = run_program(folder, std::string(kTheoryRun) + "--output out1");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(without_progress(ran.err), "");
  for (const char* word : {"distance", "penalty-distance", "bias", "bound", "finding", "gamma^2", "| 160"})
    EXPECT_THAT(ran.out, HasSubstr(word));
  EXPECT_EQ(table_of(folder / "out1/table.md"), ran.out);
  const std::string measurements = contents(folder / "out1/measurements.csv");
  EXPECT_EQ(std::count(measurements.begin(), measurements.end(), '\n'), 1 + 4 * 3);
  EXPECT_THAT(contents(folder / "out1/fits.csv"), HasSubstr("\nbias,-"));
  EXPECT_THAT(contents(folder / "out1/constants.csv"), HasSubstr("\nmu,"));
  EXPECT_THAT(contents(folder / "out1/curves.csv"), HasSubstr("\n160,3,160,"));
}

TEST(Theory, TheNumberOfThreadsChangesNothing) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, std::string(kTheoryRun) + "--threads 1 --output one").status, 0);
  ASSERT_EQ(run_program(folder, std::string(kTheoryRun) + "--threads 3 --output three").status, 0);
  for (const char* name : {"measurements.csv", "curves.csv", "fits.csv", "constants.csv"})
    EXPECT_EQ(contents(folder / ("one/" + std::string(name))), contents(folder / ("three/" + std::string(name))))
        << name;
  ASSERT_EQ(run_program(folder, "theory --config one/theory.ini --output again").status, 0);
  EXPECT_EQ(contents(folder / "one/measurements.csv"), contents(folder / "again/measurements.csv"));
}

TEST(Theory, SweepsDeadlinesAndGraphs) {
  const Folder folder;
  const std::string fixed = "theory --nodes 8 --samples-per-node 50 --l2 40 --horizons 50 --seeds 1,2 --c1 0.1 --c2 1 ";
  const Ran deadlines = run_program(folder, fixed + "--deadlines 0.1,0.2,0.4,0.8 --output d");
  ASSERT_EQ(deadlines.status, 0) << deadlines.err;
  EXPECT_THAT(deadlines.out, HasSubstr("exponent of max(E[1/V]/T_d, 1/m)"));
  const Ran graphs = run_program(folder, fixed + "--graphs ring,torus,exponential,complete --output g");
  ASSERT_EQ(graphs.status, 0) << graphs.err;
  EXPECT_THAT(graphs.out, HasSubstr("exponent of 1 - beta"));
}

TEST(Theory, BadUseIsOneLineAndStatusTwo) {
  const Folder folder;
  for (const auto& [arguments, words] : std::vector<std::pair<std::string, std::string>>{
           {"--schedule linear", "--schedule linear"},
           {"--horizons 10,20,30", "--horizons: 3 points"},
           {"--horizons 10,20,30,30", "30 is there twice"},
           {"--horizons 100 --deadlines 0.1,0.2,0.3", "--deadlines: 3 points"},
           {"--deadlines 0.1,0.2,0.3,0.4", "the horizon is fixed"},
           {"--horizons 100 --graphs ring,torus,star,complete --deadlines 1,2,3,4", "vary one of them"},
           {"--horizons 100 --deadlines 3,4,6,8", "more --samples-per-node"},
           {"--algorithm async-dsgd", "--algorithm async-dsgd"},
           {"--l2-per batch", "--l2-per batch"},
           {"--c2 1000", "--c2 1000"},
           {"--alpha 1", "not an option of theory"},
           {"--model mlp:3 --quantities bias", "--quantities bias"},
           {"--dataset digits --l2 0", "--model least-squares"},
           {"--dataset gaussian-linear:0", "gaussian-linear:0"},
           {"--c2 1 --horizons 10,20,30,4000000000", "too many records"}}) {
    const Ran ran = run_program(folder, "theory " + arguments);
    EXPECT_EQ(ran.status, 2) << arguments;
    EXPECT_EQ(ran.out, "") << arguments;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(words));
  }
}

TEST(Theory, ADivergedRunIsNamedAndNotFitted) {
  const Folder folder;
  const Ran ran = run_program(folder,
                              "theory --nodes 4 --samples-per-node 10 --l2 4 --horizons 20,40,80,160 --seeds 1 "
                              "--c1 1000 --c2 1 --codec exact");
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("INVALID: 160, seed 1: diverged"));
  EXPECT_THAT(ran.out, HasSubstr("distance: no fit"));
}

TEST(Theory, AShortRangeOfTheInitialErrorDecidesNothing) {
  const Folder folder;
  const Ran ran = run_program(folder, std::string(kTheoryRun) + "--output out1");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("not decided: the start counts up to T = 160, where T alpha epsilon mu is below 10"));
  EXPECT_THAT(ran.out, HasSubstr("| start"));
  EXPECT_THAT(ran.out, HasSubstr("T alpha epsilon mu"));
}

TEST(Theory, ThirtyGraphsWouldNotConfirmAWorstCase) {
  const Folder folder;
  const Ran ran =
      run_program(folder,
                  "theory --nodes 8 --samples-per-node 50 --l2 40 --horizons 50 --seeds 1,2 --c1 0.1 --c2 1 "
                  "--graphs ring,torus,exponential,complete --output g");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("they can contradict it, not confirm it"));
  EXPECT_THAT(ran.out, testing::Not(HasSubstr("bound met")));
}

TEST(Theory, SaysWhichBranchOfTheDeadlinesTermWasReached) {
  const Folder folder;
  const std::string fixed = "theory --nodes 4 --samples-per-node 10 --l2 4 --horizons 50 --seeds 1,2 --c1 0.1 --c2 1 ";
  const Ran without = run_program(folder, fixed + "--deadlines 0.05,0.1,0.15,0.2 --output a");
  EXPECT_THAT(without.out, HasSubstr("no deadline reaches the branch 1/m")) << without.err;
  const Ran with = run_program(folder, fixed + "--deadlines 0.05,0.1,0.2,0.8 --output b");
  EXPECT_THAT(with.out, HasSubstr("the longest deadline reaches the branch 1/m")) << with.err;
}

}  // namespace
}  // namespace quantimed

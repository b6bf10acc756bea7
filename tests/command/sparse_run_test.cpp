// SPDX-License-Identifier: BSD-3-Clause
// Runs on sparse rows, as a user would: verified, stopped and resumed, replayed, exported, held against their optimum,
// and the memory that they take.
#include "command/program.hpp"
#include "trace/same.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kSparseRun =
    "run --algorithm dsgd --dataset sparse-logistic:3000,0.01,900 --model logistic --nodes 9 --graph torus "
    "--samples-per-node all --batch 10 --alpha 2 --quiet ";

TEST(SparseProgram, RunsVerifiesAndSaysHowRowsAreHeld) {
  const Folder folder;
  const Ran ran = run_program(folder,
                              "run --nodes 4 --graph ring --samples-per-node 50 --iterations 20 --model mlp:7 "
                              "--dataset sparse-logistic:3000,0.01,900 --algorithm q-dsgd --output a.h5");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("3,000 features, sparse rows (1 % of the cells hold a number: generated so), 2 "
                                 "classes (labels 0, 1), 900 training, 180 test (generated)"));
  const Trace trace = read_trace(folder / "a.h5");
  EXPECT_TRUE(verify_trace(trace).empty());
  EXPECT_EQ(text(trace.data, "storage", ""), "sparse rows");
  EXPECT_EQ(text(trace.data, "storage_rule", ""), "generated so");
  EXPECT_LT(number(trace.summary, "final_loss", 9), number(trace.summary, "initial_loss", 0));
}

TEST(SparseProgram, ExportedRowsGiveTheSameRun) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, "export --dataset sparse-logistic:3000,0.01,900 --output rows.h5 --quiet").status, 0);
  ASSERT_EQ(run_program(folder, kSparseRun + "--iterations 60 --evaluations 5 --output a.h5").status, 0);
  ASSERT_EQ(run_program(folder, kSparseRun + "--iterations 60 --evaluations 5 --output b.h5 --dataset rows.h5").status,
            2)
      << "an option given twice";
  const std::string stored =
      "run --algorithm dsgd --dataset rows.h5 --model logistic --nodes 9 --graph torus "
      "--samples-per-node all --batch 10 --alpha 2 --quiet --iterations 60 --evaluations 5 "
      "--output b.h5";
  ASSERT_EQ(run_program(folder, stored).status, 0);
  const Trace generated = read_trace(folder / "a.h5"), read = read_trace(folder / "b.h5");
  EXPECT_EQ(text(generated.data, "fingerprint", "a"), text(read.data, "fingerprint", "b"));
  EXPECT_EQ(generated.mean_model, read.mean_model);
  EXPECT_TRUE(same_values(generated.progress.loss, read.progress.loss));
}

TEST(SparseProgram, AStoppedRunIsResumedToTheBit) {
  const Folder folder;
  const std::string run = kSparseRun + "--iterations 4000 --evaluations 8 --optimum --threads 1 ";
  ASSERT_EQ(run_program(folder, run + "--output whole.h5").status, 0);
  const Ran ran = stopped_run(folder, run);
  ASSERT_EQ(ran.status, 75) << ran.err;
  ASSERT_EQ(run_program(folder, "run --resume a.h5 --quiet").status, 0);
  const Trace whole = read_trace(folder / "whole.h5"), resumed = read_trace(folder / "a.h5");
  EXPECT_EQ(whole.mean_model, resumed.mean_model);
  EXPECT_TRUE(same_values(whole.progress.loss, resumed.progress.loss));
  EXPECT_EQ(number(whole.summary, "optimal_loss", 0), number(resumed.summary, "optimal_loss", 1));
  ASSERT_EQ(whole.progress.distance_to_optimum.size(), whole.progress.loss.size());
  EXPECT_TRUE(same_values(whole.progress.distance_to_optimum, resumed.progress.distance_to_optimum));
  EXPECT_LT(whole.progress.distance_to_optimum.back(), whole.progress.distance_to_optimum.front());
}

TEST(SparseProgram, ARunInRealTimeIsReplayedToTheBit) {
  const Folder folder;
  ASSERT_EQ(run_program(folder,
                        "run --engine threads --nodes 3 --oversubscribe --graph complete --algorithm async-dsgd "
                        "--dataset sparse-logistic:2000,0.02,300 --samples-per-node 100 --model logistic "
                        "--iterations 80 --evaluations 5 --quiet --output a.h5")
                .status,
            0);
  const Ran same = run_program(folder, "replay a.h5");
  EXPECT_EQ(same.status, 0) << same.err << same.out;
  EXPECT_THAT(same.out, HasSubstr("bit-exact"));
}

TEST(SparseProgram, TheGapIsThatOfTheCurve) {
  const Folder folder;
  const Ran ran = run_program(folder,
                              "run --algorithm dsgd --dataset sparse-logistic:3000,0.01,900 --model logistic "
                              "--nodes 9 --graph torus --samples-per-node all --batch 90 --alpha 5 --l2 5 "
                              "--initial 0 --iterations 800 --optimum --output a.h5");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Trace trace = read_trace(folder / "a.h5");
  EXPECT_TRUE(verify_trace(trace).empty());
  const double best = number(trace.summary, "optimal_loss", 0), gap = number(trace.summary, "final_gap", -1);
  EXPECT_LT(number(trace.summary, "optimal_gradient_norm", 1), 1e-11);
  EXPECT_LT(number(trace.summary, "optimal_loss_error", 1), 1e-15);
  EXPECT_DOUBLE_EQ(gap, trace.progress.loss.back() - best);
  EXPECT_GT(gap, 0) << "no model is better than the best";
  EXPECT_LT(gap, 0.1 * (trace.progress.loss.front() - best));
  EXPECT_THAT(ran.out, HasSubstr(" above f* = 0."));
}

// The first three nodes compute two samples where the others compute twenty, and hold the first class alone.
TEST(SparseProgram, TheOptimumOfWhoWeighsNodesByTheirSpeedsIsToldBesideTheOther) {
  const Folder folder;
  const std::string run =
      "compare --algorithms dsgd,amb,quantimed-dsgd --dataset gaussian-logistic:8,600 --model logistic --partition "
      "by-label --nodes 6 --samples-per-node 50 --graph complete --batch 20 --speed slow-nodes:3,10,50 --link none "
      "--l2 20 "
      "--alpha 0.05 --codec exact --max-time 800 --evaluations 4 --seeds 1 --quiet --output made";
  const Ran ran = run_program(folder, run + " --optimum");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Trace dsgd = read_trace(folder / "made/dsgd-seed1.h5"), amb = read_trace(folder / "made/amb-seed1.h5"),
              quantimed = read_trace(folder / "made/quantimed-dsgd-seed1.h5");
  const auto of = [](const Trace& trace, const char* name) { return number(trace.summary, name, std::nan("")); };
  EXPECT_EQ(of(dsgd, "least_samples_of_a_node"), of(dsgd, "most_samples_of_a_node"));
  EXPECT_EQ(of(dsgd, "optimal_loss_by_samples"), of(dsgd, "optimal_loss"));
  EXPECT_NEAR(of(dsgd, "final_gap_by_samples"), of(dsgd, "final_gap"), 1e-6) << "the curve's loss is of float32";
  for (const Trace* trace : {&amb, &quantimed}) {
    EXPECT_TRUE(verify_trace(*trace).empty());
    EXPECT_EQ(of(*trace, "optimal_loss"), of(dsgd, "optimal_loss")) << "the same samples";
    EXPECT_EQ(of(*trace, "most_samples_of_a_node"), 10 * of(*trace, "least_samples_of_a_node"));
    EXPECT_GT(of(*trace, "final_gap_by_samples"), 0);
  }
  EXPECT_LT(10 * of(amb, "final_gap_by_samples"), of(amb, "final_gap"));
  EXPECT_LT(10 * of(quantimed, "final_gap"), of(quantimed, "final_gap_by_samples"));
}

TEST(SparseProgram, AnOptimumThatIsNotKnownIsRefused) {
  const Folder folder;
  for (const char* options : {"--dataset digits --model mlp:4", "--dataset digits --model logistic",
                              "--dataset sparse-logistic:30,0.2,100 --model logistic --loss softmax"}) {
    const Ran ran =
        run_program(folder, std::string("run --algorithm dsgd --nodes 4 --graph ring --samples-per-node 10 --optimum "
                                        "--iterations 5 --output a.h5 ") +
                                options);
    expect_refused(ran, "--optimum: f* of ", options);
  }
  expect_refused(
      run_program(folder,
                  "run --algorithm dsgd --nodes 4 --graph ring --samples-per-node 10 --optimum --l2 0 --model "
                  "logistic --dataset sparse-logistic:300,0.2,100 --iterations 5 --output a.h5"),
      "--l2 0: without it this logistic regression has no minimiser", "separable");
}

TEST(SparseProgram, AModelTooLargeForMemoryIsRefusedBeforeAnythingIsTaken) {
  const Folder folder;
  const Ran ran = run_program(folder,
                              "run --nodes 900000 --graph ring --samples-per-node 1 --model logistic --dataset "
                              "sparse-logistic:10000000,0.0000001,900000 --iterations 5 --output a.h5");
  EXPECT_EQ(ran.status, 4) << ran.err;
  EXPECT_THAT(ran.err, AllOf(HasSubstr("--nodes 900000: needs "), HasSubstr("are left")));
}

// Of rcv1's size. What the program takes for itself is measured by a run of ten features.
TEST(SparseProgram, TakesNoMoreMemoryThanThreeTimesItsRowsAndModels) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's memory is not the program's";
#endif
  const Folder folder;
  const std::string run =
      "run --algorithm dsgd --model logistic --nodes 9 --graph torus --samples-per-node all "
      "--batch 10 --iterations 30 --evaluations 3 --threads 2 --quiet --dataset ";
  ASSERT_EQ(run_program(folder, run + "gaussian-logistic:10,100 --output small.h5").status, 0);
  ASSERT_EQ(run_program(folder, run + "sparse-logistic:47236,0.0015666,20242 --output large.h5").status, 0);
  const auto peak = [&](const char* name) { return number(read_trace(folder / name).summary, "peak_memory_bytes", 0); };
  constexpr double kSamples = 20242 + 4048, kValues = 74, kFeatures = 47236, kNodes = 9;
  const double rows = kSamples * (kValues * 8 + 8 + 4), models = kNodes * kFeatures * 4;
  EXPECT_LE(peak("large.h5") - peak("small.h5"), 3 * (rows + models));
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Steps that change, normalised features, a curve over a part of the samples, and convolutional networks, as a user
// meets them: the same bits after a stop, in a replay, on both engines.
#include "command/program.hpp"
#include "trace/same.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace quantimed {
namespace {

using testing::HasSubstr;

const std::string kTraining =
    "run --algorithm dsgd --dataset digits --nodes 4 --graph ring --samples-per-node 100 --model mlp:8 --batch 10 "
    "--quiet ";

TEST(TrainingProgram, AScheduleIsKeptWhenARunIsStopped) {
  const Folder folder;
  const std::string run = kTraining +
                          "--iterations 3000 --evaluations 6 --threads 1 "
                          "--alpha 'warm-up 2%, 0.2 until 40%, 0.05 until 200 epochs, 0.01' ";
  ASSERT_EQ(run_program(folder, run + "--output whole.h5").status, 0);
  Ran ran;
  for (int more = 0; more < 9; ++more) {
    ran = run_program(folder, run + "--overwrite --output a.h5 & p=$!; " + until_there("a.h5.lock") +
                                  "sleep 0.1; kill -USR1 $p 2>/dev/null; wait $p");
    if (ran.status == 75) break;
  }
  ASSERT_EQ(ran.status, 75) << ran.err;
  ASSERT_EQ(run_program(folder, "run --resume a.h5 --quiet").status, 0);
  const Trace whole = read_trace(folder / "whole.h5"), resumed = read_trace(folder / "a.h5");
  EXPECT_EQ(whole.mean_model, resumed.mean_model);
  EXPECT_TRUE(verify_trace(whole).empty());
  EXPECT_EQ(text(whole.config, "alpha", ""), "warm-up 2%, 0.2 until 40%, 0.05 until 200 epochs, 0.01");
}

TEST(TrainingProgram, ThreadsAndVirtualTimeTakeTheSameSteps) {
  const Folder folder;
  const std::string run = kTraining + "--iterations 60 --evaluations 3 --alpha '0.3 until 50%, 0.03' ";
  ASSERT_EQ(run_program(folder, run + "--output v.h5").status, 0);
  ASSERT_EQ(run_program(folder, run + "--engine threads --oversubscribe --output t.h5").status, 0);
  EXPECT_EQ(read_trace(folder / "v.h5").mean_model, read_trace(folder / "t.h5").mean_model);
  const Ran same = run_program(folder, "replay t.h5");
  EXPECT_THAT(same.out, HasSubstr("bit-exact")) << same.err;
}

TEST(TrainingProgram, EpochsNeedAFixedBatch) {
  const Folder folder;
  const Ran ran = run_program(folder,
                              "run --algorithm quantimed-dsgd --dataset digits --nodes 4 --graph ring "
                              "--epsilon 0.5 --iterations 5 --alpha '0.1 until 2 epochs, 0.01' --output a.h5");
  expect_refused(ran, "epochs are of a fixed batch", "quantimed-dsgd");
}

TEST(TrainingProgram, NormalisedFeaturesAreAnotherSetOfData) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, kTraining + "--iterations 20 --output a.h5").status, 0);
  const Ran ran = run_program(folder,
                              "run --algorithm dsgd --dataset digits --nodes 4 --graph ring --samples-per-node "
                              "100 --model mlp:8 --batch 10 --iterations 20 --normalise --output b.h5");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("784 features (28x28), normalised, 10 classes"));
  const Trace a = read_trace(folder / "a.h5"), b = read_trace(folder / "b.h5");
  EXPECT_NE(text(a.data, "fingerprint", ""), text(b.data, "fingerprint", ""));
  EXPECT_NE(a.mean_model, b.mean_model);
}

TEST(TrainingProgram, ACurveOverAPartOfTheSamplesSaysSo) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, kTraining + "--iterations 20 --output all.h5").status, 0);
  const Ran ran = run_program(folder,
                              "run --algorithm dsgd --dataset digits --nodes 4 --graph ring --samples-per-node "
                              "100 --model mlp:8 --batch 10 --iterations 20 --evaluate-samples 80 --output p.h5");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("the curve is taken over 80 of 400 training samples (--evaluate-samples)"));
  const Trace all = read_trace(folder / "all.h5"), part = read_trace(folder / "p.h5");
  EXPECT_EQ(all.mean_model, part.mean_model) << "evaluation is off the run";
  EXPECT_NE(all.progress.loss, part.progress.loss);
  EXPECT_TRUE(verify_trace(part).empty());
  expect_refused(run_program(folder,
                             "run --algorithm dsgd --dataset gaussian-logistic:4 --model logistic --nodes 4 "
                             "--graph ring --iterations 5 --optimum --evaluate-samples 80 --output q.h5"),
                 "--optimum: a gap is of all samples", "both");
}

TEST(TrainingProgram, EveryPointTellsTheAccuracyOfEachClass) {
  const Folder folder;
  const std::string run = kTraining + "--iterations 60 --evaluations 3 --threads 2 --classes 7,3,5 ";
  ASSERT_EQ(run_program(folder, run + "--output v.h5").status, 0);
  ASSERT_EQ(run_program(folder, run + "--engine threads --oversubscribe --output t.h5").status, 0);
  const Trace v = read_trace(folder / "v.h5"), t = read_trace(folder / "t.h5");
  EXPECT_TRUE(verify_trace(v).empty());
  EXPECT_EQ(v.classes.label, (std::vector<double>{7, 3, 5}));
  EXPECT_EQ(v.classes.set, "test");
  ASSERT_EQ(v.progress.class_accuracy.size(), 3 * v.progress.loss.size());
  EXPECT_EQ(std::vector(v.progress.class_accuracy.end() - 3, v.progress.class_accuracy.end()),
            std::vector(t.progress.class_accuracy.end() - 3, t.progress.class_accuracy.end()));
  // And again by a replay.
  const Ran replayed = run_program(folder, "replay t.h5 --evaluations 5 --output r.h5");
  ASSERT_EQ(replayed.status, 0) << replayed.err;
  const Trace r = read_trace(folder / "r.h5");
  EXPECT_TRUE(verify_trace(r).empty());
  EXPECT_EQ(r.progress.class_accuracy.size(), 3 * r.progress.loss.size());
}

TEST(TrainingProgram, ASummaryNamesTheWorstAndTheBestClass) {
  const Folder folder;
  const std::string run =
      "run --algorithm dsgd --dataset digits --nodes 4 --graph ring --samples-per-node 100 --model mlp:8 --batch 10 "
      "--iterations 60 --evaluations 3 --classes 7,3,5 --evaluate-samples 90 --output ";
  const Ran ran = run_program(folder, run + "a.h5");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Trace trace = read_trace(folder / "a.h5");
  const auto last = std::span(trace.progress.class_accuracy).last(3);
  const auto worst = std::ranges::min_element(last), best = std::ranges::max_element(last);
  const auto label = [&](auto at) { return trace.classes.label[static_cast<std::size_t>(at - last.begin())]; };
  EXPECT_THAT(ran.out, HasSubstr(fmt::format("  classes     worst {:.1f} % of class {}, best {:.1f} % of class {}, "
                                             "among 90 test samples\n",
                                             100 * *worst, label(worst), 100 * *best, label(best))));
  EXPECT_TRUE(verify_trace(trace).empty());
  // Said again of a run that is there already, and nothing of regression.
  EXPECT_THAT(run_program(folder, run + "a.h5").out, HasSubstr("  classes     worst "));
  const Ran linear = run_program(folder,
                                 "run --algorithm dsgd --dataset gaussian-linear:4 --model least-squares --nodes 4 "
                                 "--graph ring --iterations 5 --output l.h5");
  ASSERT_EQ(linear.status, 0) << linear.err;
  EXPECT_THAT(linear.out, Not(HasSubstr("  classes  ")));
}

TEST(TrainingProgram, ClassesGoOnWhereARunDoes) {
  const Folder folder;
  const std::string run = kTraining + "--iterations 4000 --evaluations 6 --threads 1 ";
  ASSERT_EQ(run_program(folder, run + "--output whole.h5").status, 0);
  Ran ran;
  for (int more = 0; more < 9; ++more) {
    ran = run_program(folder, run + "--overwrite --output a.h5 & p=$!; " + until_there("a.h5.lock") +
                                  "sleep 0.1; kill -USR1 $p 2>/dev/null; wait $p");
    if (ran.status == 75) break;
  }
  ASSERT_EQ(ran.status, 75) << ran.err;
  // As an earlier version would have left it: without classes.
  Trace earlier = read_trace(folder / "a.h5");
  const std::size_t points = earlier.progress.loss.size(), told = earlier.progress.class_accuracy.size();
  ASSERT_EQ(told, 10 * points);
  earlier.classes = {};
  earlier.progress.class_accuracy.clear();
  write_trace(folder / "e.h5", earlier);
  ASSERT_EQ(run_program(folder, "run --resume a.h5 --quiet").status, 0);
  const Trace whole = read_trace(folder / "whole.h5"), resumed = read_trace(folder / "a.h5");
  EXPECT_EQ(whole.progress.class_accuracy, resumed.progress.class_accuracy);
  ASSERT_EQ(run_program(folder, "run --resume e.h5 --quiet").status, 0);
  const Trace late = read_trace(folder / "e.h5");
  EXPECT_TRUE(verify_trace(late).empty());
  const std::vector<double>& shares = late.progress.class_accuracy;
  ASSERT_EQ(shares.size(), whole.progress.class_accuracy.size());
  for (std::size_t k = 0; k < shares.size(); ++k)
    EXPECT_TRUE(k < told ? std::isnan(shares[k]) : shares[k] == whole.progress.class_accuracy[k]) << k;
}

TEST(TrainingProgram, AConvolutionalNetworkHasTheSameBitsOnBothEngines) {
  const Folder folder;
  const std::string run =
      "run --algorithm dsgd --nodes 2 --graph complete --samples-per-node 6 --batch 2 --iterations 2 --evaluations 1 "
      "--evaluate-samples 6 --alpha 0.05 --quiet --dataset digits --model resnet20 ";
  ASSERT_EQ(run_program(folder, run + "--output v.h5").status, 0);
  ASSERT_EQ(run_program(folder, run + "--engine threads --oversubscribe --output t.h5").status, 0);
  const Trace v = read_trace(folder / "v.h5"), t = read_trace(folder / "t.h5");
  EXPECT_TRUE(verify_trace(v).empty());
  EXPECT_EQ(v.mean_model, t.mean_model);
  const Ran same = run_program(folder, "replay t.h5");
  EXPECT_THAT(same.out, HasSubstr("bit-exact")) << same.err;
  expect_refused(run_program(folder,
                             "run --model gn-lenet --algorithm dsgd --dataset digits --nodes 2 --graph complete "
                             "--iterations 2 --output x.h5"),
                 "--model gn-lenet: takes square images whose side is a multiple of 8", "28 pixels");
}

}  // namespace
}  // namespace quantimed

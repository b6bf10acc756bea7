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
    "run --algorithm dsgd --dataset digits:600 --nodes 4 --graph ring --samples-per-node 100 --model mlp:8 --batch 10 "
    "--quiet ";

TEST(TrainingProgram, AScheduleIsKeptWhenARunIsStopped) {
  const Folder folder;
  const std::string run = kTraining +
                          "--iterations 3000 --evaluations 6 --threads 1 "
                          "--alpha 'warm-up 2%, 0.2 until 40%, 0.05 until 200 epochs, 0.01' ";
  ASSERT_EQ(run_program(folder, run + "--output whole.h5").status, 0);
  const Ran ran = stopped_run(folder, run, "sleep 0.1; ");
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
                              "run --algorithm quantimed-dsgd --dataset digits:600 --nodes 4 --graph ring "
                              "--epsilon 0.5 --iterations 5 --alpha '0.1 until 2 epochs, 0.01' --output a.h5");
  expect_refused(ran, "epochs are of a fixed batch", "quantimed-dsgd");
}

TEST(TrainingProgram, NormalisedFeaturesAreAnotherSetOfData) {
  const Folder folder;
  ASSERT_EQ(run_program(folder, kTraining + "--iterations 20 --output a.h5").status, 0);
  const Ran ran = run_program(folder,
                              "run --algorithm dsgd --dataset digits:600 --nodes 4 --graph ring --samples-per-node "
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
                              "run --algorithm dsgd --dataset digits:600 --nodes 4 --graph ring --samples-per-node "
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
  const std::string run =
      "run --algorithm dsgd --dataset digits:1500 --nodes 4 --graph ring --samples-per-node 100 --model mlp:8 --batch "
      "10 "
      "--quiet --iterations 60 --evaluations 3 --threads 2 --classes 7,3,5 ";
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
  const Ran ran = stopped_run(folder, run, "sleep 0.1; ");
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

// With a fixed batch and until a deadline, on any number of workers, on both engines, and in a replay.
TEST(TrainingProgram, AugmentedSamplesAreTheSameWhoeverTakesThem) {
  const Folder folder;
  const std::string run = kTraining + "--iterations 40 --evaluations 2 ";
  ASSERT_EQ(run_program(folder, run + "--output plain.h5").status, 0);
  ASSERT_EQ(run_program(folder, run + "--augment none --output none.h5").status, 0);
  const Trace plain = read_trace(folder / "plain.h5");
  EXPECT_EQ(plain.mean_model, read_trace(folder / "none.h5").mean_model);
  std::vector<std::vector<float>> models;
  for (const std::string augment : {"crop:3", "flip", "crop:3,flip"}) {
    const std::string augmented = run + "--augment " + augment + " ";
    ASSERT_EQ(run_program(folder, augmented + "--threads 1 --overwrite --output v1.h5").status, 0);
    ASSERT_EQ(run_program(folder, augmented + "--threads 3 --overwrite --output v3.h5").status, 0);
    ASSERT_EQ(run_program(folder, augmented + "--engine threads --oversubscribe --overwrite --output t.h5").status, 0);
    const Trace v = read_trace(folder / "v1.h5");
    EXPECT_TRUE(verify_trace(v).empty());
    EXPECT_EQ(v.mean_model, read_trace(folder / "v3.h5").mean_model) << augment;
    EXPECT_EQ(v.mean_model, read_trace(folder / "t.h5").mean_model) << augment;
    EXPECT_EQ(text(v.data, "fingerprint", ""), text(plain.data, "fingerprint", "another"));
    EXPECT_EQ(text(v.config, "augment", ""), augment);
    EXPECT_EQ(v.progress.loss[0], plain.progress.loss[0]) << "evaluation sees the images as they are";
    models.push_back(v.mean_model);
  }
  models.push_back(plain.mean_model);
  for (std::size_t a = 0; a < models.size(); ++a)
    for (std::size_t b = 0; b < a; ++b) EXPECT_NE(models[a], models[b]) << a << ' ' << b;

  const std::string until =
      "run --algorithm quantimed-dsgd --epsilon 0.5 --dataset digits --nodes 4 --graph ring --samples-per-node 100 "
      "--model mlp:8 --iterations 30 --evaluations 2 --augment crop:3,flip --quiet ";
  ASSERT_EQ(run_program(folder, until + "--threads 1 --output d1.h5").status, 0);
  ASSERT_EQ(run_program(folder, until + "--threads 3 --output d3.h5").status, 0);
  EXPECT_EQ(read_trace(folder / "d1.h5").mean_model, read_trace(folder / "d3.h5").mean_model);
  ASSERT_EQ(run_program(folder, until + "--engine threads --oversubscribe --deadline 0.002 --output d.h5").status, 0);
  const Ran same = run_program(folder, "replay d.h5");
  EXPECT_THAT(same.out, HasSubstr("bit-exact")) << same.err;
}

TEST(TrainingProgram, AugmentedSamplesGoOnWhereARunDoes) {
  const Folder folder;
  const std::string run = kTraining + "--iterations 3000 --evaluations 6 --threads 1 --augment crop:2,flip ";
  ASSERT_EQ(run_program(folder, run + "--output whole.h5").status, 0);
  const Ran ran = stopped_run(folder, run, "sleep 0.1; ");
  ASSERT_EQ(ran.status, 75) << ran.err;
  ASSERT_EQ(run_program(folder, "run --resume a.h5 --quiet").status, 0);
  EXPECT_EQ(read_trace(folder / "whole.h5").mean_model, read_trace(folder / "a.h5").mean_model);
}

TEST(TrainingProgram, WhatIsNoImageIsNotAugmented) {
  const Folder folder;
  const std::string run = "run --algorithm dsgd --nodes 4 --graph ring --iterations 2 --output a.h5 ";
  expect_refused(run_program(folder, run + "--dataset gaussian-logistic:4 --model logistic --augment flip"),
                 "--augment: takes images", "a table");
  expect_refused(run_program(folder, run + "--dataset sparse-logistic:400,0.01,2000 --model logistic --augment flip"),
                 "--augment: takes images, and 'sparse-logistic:400,0.01,2000' has sparse rows", "sparse rows");
  expect_refused(run_program(folder, run + "--dataset digits --augment crop:28"), "give less than 28", "out of sight");
  expect_refused(run_program(folder, run + "--dataset digits --augment turn"), "'turn' is unknown", "a word");
  expect_refused(run_program(folder, "theory --dataset digits --augment flip"), "--augment", "a theorem's gradient");
}

TEST(TrainingProgram, ANetworkOfOnesOwnIsReckonedTrainedAndRefused) {
  const Folder folder;
  const std::string run =
      "run --algorithm dsgd --nodes 2 --graph complete --samples-per-node 20 --batch 4 --iterations 3 --evaluations 1 "
      "--evaluate-samples 20 --alpha 0.05 --dataset digits --model ";
  const std::string own = "'layers:conv:4:5:2,norm:2,relu,[conv:4:3,norm:2],relu,average:7,linear' ";
  ASSERT_EQ(run_program(folder, run + own + "--output v.h5").status, 0);
  ASSERT_EQ(run_program(folder, run + own + "--engine threads --oversubscribe --output t.h5").status, 0);
  const Trace v = read_trace(folder / "v.h5"), t = read_trace(folder / "t.h5");
  EXPECT_TRUE(verify_trace(v).empty());
  EXPECT_EQ(v.mean_model, t.mean_model);
  // What a trace says of itself repeats it.
  spill(folder / "again.ini", v.ini);
  ASSERT_EQ(run_program(folder, "run --config again.ini --output again.h5").status, 0);
  EXPECT_EQ(v.mean_model, read_trace(folder / "again.h5").mean_model);
  expect_refused(run_program(folder, run + "layers:conv:4:5,norm:3,linear --output x.h5"),
                 "--model layers: layer 2, 'norm:3', which gets 4x28x28: 3 groups do not divide 4 channels", "shapes");
  // 10^6 · 10^6 weights: before anything of that size is touched.
  const Ran large = run_program(folder, run + "layers:linear:1000000,linear:1000000,linear --output x.h5");
  EXPECT_EQ(large.status, 4) << large.err;
  EXPECT_THAT(large.err, HasSubstr("GiB that may be used"));
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

// SPDX-License-Identifier: BSD-3-Clause
#include "measure/evaluate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quantimed {
namespace {

struct Evaluated {
  Dataset data = load_dataset({.name = "gaussian-logistic:6,600"}).train;
  Dataset test = load_dataset({.name = "gaussian-logistic:6,600"}).test.value();
  Shards shards = make_shards(data, {}, 4, 150, 1);
  std::unique_ptr<Problem> problem = make_problem({.model = "logistic"}, data);
  std::vector<float> x = std::vector<float>(6, 0.3f);

  Evaluation with(const Shards& rows, double lambda, std::uint32_t most) {
    Evaluator evaluator(*problem, rows, &test, {.lambda = lambda}, 1, most);
    const float* const models[] = {x.data()};
    return evaluator.evaluate(models);
  }
};

TEST(EvaluateSamples, OfAllIsTheWhole) {
  Evaluated e;
  for (const std::uint32_t most : {600u, 601u, 1'000'000u}) {
    const Evaluation whole = e.with(e.shards, 2, 0), all = e.with(e.shards, 2, most);
    EXPECT_EQ(whole.loss, all.loss);
    EXPECT_EQ(whole.test_loss, all.test_loss);
    EXPECT_EQ(whole.gradient_norm_squared, all.gradient_norm_squared);
  }
}

TEST(EvaluateSamples, AreEvenlySpacedOverTheNodesWithTheWholeSetsPenalty) {
  Evaluated e;
  // Every tenth row of each node.
  Shards some{{}, 4, 15};
  for (std::size_t k = 0; k < 600; k += 10) some.rows.push_back(e.shards.rows[k]);
  // λ/N of all is a tenth of λ over a tenth.
  const Evaluation of_some = e.with(some, 0.2, 0), found = e.with(e.shards, 2, 60);
  EXPECT_NEAR(found.loss, of_some.loss, 1e-12);
  EXPECT_EQ(found.accuracy, of_some.accuracy);
  EXPECT_NEAR(found.gradient_norm_squared, of_some.gradient_norm_squared, 1e-12);
  EXPECT_NE(found.test_loss, e.with(e.shards, 2, 0).test_loss) << "the test set is sampled, too";
}

// One sample at a time.
std::vector<double> naive_class_accuracy(const Problem& problem, std::span<const float> x, const Dataset& data,
                                         std::span<const SampleId> rows) {
  std::vector<double> hits(data.classes), samples(data.classes);
  Workspace work = problem.make_workspace();
  for (const SampleId row : rows) {
    const auto c = static_cast<std::size_t>(data.targets[row]);
    hits[c] += static_cast<double>(problem.loss_sum(x, data, {&row, 1}, work).correct);
    ++samples[c];
  }
  for (std::size_t c = 0; c < hits.size(); ++c) hits[c] /= samples[c];  // 0/0: NaN
  return hits;
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return std::ranges::equal(a, b, [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

TEST(ClassAccuracy, IsThatOfTheSamplesOneByOne) {
  const DataSplit digits = load_dataset({.name = "digits", .seed = 3});
  const Dataset &train = digits.train, &test = digits.test.value();
  const Shards shards = make_shards(train, {}, 4, 300, 1);
  const std::unique_ptr<Problem> problem = make_problem({.model = "mlp:6"}, train);
  std::vector<float> x(problem->dimension());
  problem->initialise(x, 9);
  const float* const models[] = {x.data()};
  std::vector<SampleId> all(test.samples), some(70);
  std::iota(all.begin(), all.end(), SampleId{0});
  for (std::size_t k = 0; k < some.size(); ++k) some[k] = all[k * all.size() / some.size()];
  for (const int threads : {1, 3}) {
    Evaluator of_test(*problem, shards, &test, {}, threads), of_some(*problem, shards, &test, {}, threads, 70),
        of_training(*problem, shards, nullptr, {}, threads);
    EXPECT_TRUE(same(of_test.evaluate(models).class_accuracy, naive_class_accuracy(*problem, x, test, all)));
    EXPECT_TRUE(same(of_some.evaluate(models).class_accuracy, naive_class_accuracy(*problem, x, test, some)));
    EXPECT_TRUE(
        same(of_training.evaluate(models).class_accuracy, naive_class_accuracy(*problem, x, train, shards.rows)));
    EXPECT_TRUE(same(of_test.evaluate(models).class_accuracy, of_test.evaluate(models).class_accuracy));
    EXPECT_EQ(of_test.classes({}).set, "test");
    EXPECT_EQ(of_training.classes({}).set, "training");
    const Classes classes = of_some.classes({5, 6, 7, 8, 9, 0, 1, 2, 3, 4});
    EXPECT_EQ(std::accumulate(classes.samples.begin(), classes.samples.end(), 0u), 70u);
    EXPECT_EQ(classes.label[0], 5);
    EXPECT_EQ(of_some.classes({}).label[9], 9) << "without names their numbers";
  }
}

TEST(ClassAccuracy, ClassesWithoutASampleHaveNone) {
  Evaluated e;
  Shards few{{e.shards.rows[0]}, 1, 1};
  Evaluator evaluator(*e.problem, few, nullptr, {}, 1);
  const float* const models[] = {e.x.data()};
  const std::vector<double> found = evaluator.evaluate(models).class_accuracy;
  EXPECT_TRUE(same(found, naive_class_accuracy(*e.problem, e.x, e.data, few.rows)));
  EXPECT_EQ(std::ranges::count_if(found, [](double share) { return std::isnan(share); }), 1);
}

TEST(ClassAccuracy, RegressionHasNone) {
  const Dataset data = load_dataset({.name = "gaussian-linear:6,600"}).train;
  const Shards shards = make_shards(data, {}, 4, 150, 1);
  const std::unique_ptr<Problem> problem = make_problem({.model = "least-squares"}, data);
  Evaluator evaluator(*problem, shards, nullptr, {}, 1);
  const std::vector<float> x(6, 0.3f);
  const float* const models[] = {x.data()};
  EXPECT_TRUE(evaluator.evaluate(models).class_accuracy.empty());
  EXPECT_TRUE(evaluator.classes({}).label.empty());
}

// √((‖(1, 2) − x*‖² + ‖(4, 6) − x*‖²) / 2), x* = (1, 2): √(25/2).
TEST(DistanceToOptimum, IsOfEachNodeAndOnlyWhereTheOptimumIsKnown) {
  const Dataset data = load_dataset({.name = "gaussian-linear:2,60"}).train;
  const Shards shards = make_shards(data, {}, 2, 30, 1);
  const std::unique_ptr<Problem> problem = make_problem({.model = "least-squares"}, data);
  Evaluator evaluator(*problem, shards, nullptr, {}, 1);
  const std::vector<Real> a = {1, 2}, b = {4, 6};
  const Real* const models[] = {a.data(), b.data()};
  EXPECT_FALSE(evaluator.evaluate(models).distance_to_optimum.has_value());
  evaluator.measure_from({1, 2});
  EXPECT_DOUBLE_EQ(evaluator.evaluate(models).distance_to_optimum.value(), std::sqrt(12.5));
}

}  // namespace
}  // namespace quantimed

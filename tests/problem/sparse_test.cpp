// SPDX-License-Identifier: BSD-3-Clause
// Models over sparse rows against the naive twin on the same numbers held densely.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "cases.hpp"

namespace quantimed {
namespace {

struct Twins {
  Dataset dense, sparse;
};

// About one cell in five holds a number; row 0 is empty.
Twins random_twins(std::uint32_t samples, std::uint32_t features, std::uint32_t classes) {
  Twins twins;
  twins.dense = random_data(samples, features, classes, Features::values);
  Stream words({.seed = 12, .node = features});
  SparseRows rows{.starts = {0}};
  for (std::uint32_t i = 0; i < samples; ++i) {
    for (std::uint32_t c = 0; c < features; ++c) {
      float& value = twins.dense.values[std::size_t{i} * features + c];
      if (i == 0 || words.index(5) > 0) value = 0;
      if (value == 0) continue;
      rows.columns.push_back(c);
      rows.values.push_back(value);
    }
    rows.starts.push_back(rows.values.size());
  }
  twins.sparse = twins.dense;
  twins.sparse.values.clear();
  twins.sparse.sparse = std::move(rows);
  return twins;
}

constexpr std::uint32_t kRowsOfTwins = 150;

class EverySparseCase : public testing::TestWithParam<std::size_t> {
 protected:
  EverySparseCase()
      : test_case_(every_case()[GetParam()]),
        data_(random_twins(kRowsOfTwins, test_case_.features, test_case_.classes)),
        problem_(make_problem({test_case_.model, test_case_.activation, test_case_.loss, {0.5}}, data_.sparse)),
        work_(problem_->make_workspace()),
        x_(problem_->dimension()) {
    problem_->initialise(x_, 3);
    wide_.assign(x_.begin(), x_.end());
  }

  static std::vector<SampleId> draw(std::size_t count) {
    Stream words({.seed = 5});
    std::vector<SampleId> rows(count);
    for (auto& row : rows) row = words.index(kRowsOfTwins);
    return rows;
  }

  Case test_case_;
  Twins data_;
  std::unique_ptr<Problem> problem_;
  Workspace work_;
  std::vector<float> x_;
  naive::Vector wide_;
};

TEST_P(EverySparseCase, GradientMatchesTheNaiveTwin) {
  for (const std::size_t batch : {1u, 7u, 64u, 65u, 143u}) {
    const auto rows = draw(batch);
    naive::Vector expected(x_.size(), 0.0);
    for (const SampleId row : rows) naive::add_sample_gradient(test_case_.twin, wide_, data_.dense, row, expected);
    std::vector<float> sum(x_.size(), std::numeric_limits<float>::quiet_NaN());  // to be overwritten
    problem_->gradient_sum(x_, rows, false, sum, work_);
    double scale = 1e-3;
    for (const double value : expected) scale = std::max(scale, std::fabs(value));
    for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_NEAR(sum[i], expected[i], 2e-5 * scale) << "coordinate " << i;
    problem_->gradient_sum(x_, rows, true, sum, work_);
    for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_NEAR(sum[i], 2 * expected[i], 4e-5 * scale) << i;
  }
}

TEST_P(EverySparseCase, LossAndHitsMatchTheNaiveTwin) {
  const auto rows = draw(150);
  double loss = 0;
  std::uint64_t correct = 0;
  for (const SampleId row : rows) {
    loss += naive::sample_loss(test_case_.twin, wide_, data_.dense, row);
    if (data_.dense.classes > 0) correct += naive::is_hit(test_case_.twin, wide_, data_.dense, row);
  }
  const LossSum sum = problem_->loss_sum(x_, data_.sparse, rows, work_);
  EXPECT_NEAR(sum.loss, loss, 1e-5 * (1 + std::fabs(loss)));
  EXPECT_EQ(sum.correct, correct);
  EXPECT_EQ(sum.samples, 150u);
}

TEST_P(EverySparseCase, TakesNoMemoryForADenseBatch) {
  const auto dense = make_problem({test_case_.model, test_case_.activation, test_case_.loss, {0.5}}, data_.dense);
  EXPECT_LE(work_.floats.size() + std::size_t{64} * test_case_.features, dense->make_workspace().floats.size() + 16);
  EXPECT_LE(problem_->gradient_flops(), dense->gradient_flops());
}

INSTANTIATE_TEST_SUITE_P(Models, EverySparseCase, testing::Range(std::size_t{0}, every_case().size()));

TEST(SparseProblem, ANaNInAWeightReachesTheLoss) {
  const Twins twins = random_twins(kRowsOfTwins, 37, 2);
  const auto problem = make_problem({.model = "logistic"}, twins.sparse);
  std::vector<float> x(37, std::numeric_limits<float>::quiet_NaN());
  Workspace work = problem->make_workspace();
  const std::vector<SampleId> rows = {1, 2, 3};
  EXPECT_FALSE(std::isfinite(problem->loss_sum(x, twins.sparse, rows, work).loss));
}

TEST(SparseProblem, ATestSetThatIsHeldOtherwiseIsNoticed) {
  const Twins twins = random_twins(20, 5, 2);
  const auto problem = make_problem({.model = "logistic"}, twins.sparse);
  const std::vector<float> x(5, 0.0f);
  Workspace work = problem->make_workspace();
  const std::vector<SampleId> rows = {1};
  EXPECT_THROW(problem->loss_sum(x, twins.dense, rows, work), InternalError);
}

}  // namespace
}  // namespace quantimed

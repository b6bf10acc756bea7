// SPDX-License-Identifier: BSD-3-Clause
// Gradients and losses against the naive twin, finite differences and themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "cases.hpp"
#include "problem/problem.hpp"

namespace quantimed {
namespace {

constexpr std::uint32_t kSamples = 150;

// With ReLU the two may take different sides of a kink where z is within rounding of 0; these starts have no such unit.
class EveryCase : public testing::TestWithParam<std::size_t> {
 protected:
  EveryCase()
      : test_case_(every_case()[GetParam()]),
        data_(random_data(kSamples, test_case_.features, test_case_.classes,
                          GetParam() % 2 == 0 ? Features::bytes : Features::values)),
        problem_(make_problem({test_case_.model, test_case_.activation, test_case_.loss, {0.5}}, data_)),
        work_(problem_->make_workspace()),
        x_(problem_->dimension()) {
    problem_->initialise(x_, 3);
    x_double_.assign(x_.begin(), x_.end());
  }

  // `count` rows, with repetitions and in no order.
  std::vector<SampleId> draw(std::size_t count) const {
    Stream words({.seed = 5});
    std::vector<SampleId> rows(count);
    for (auto& row : rows) row = words.index(kSamples);
    return rows;
  }

  std::vector<float> gradient(std::span<const SampleId> rows) {
    std::vector<float> sum(x_.size(), std::numeric_limits<float>::quiet_NaN());  // to be overwritten
    problem_->gradient_sum(x_, rows, false, sum, work_);
    return sum;
  }

  template <class Vector>
  static void expect_near(std::span<const float> found, const Vector& expected, double tolerance) {
    double scale = 1e-3;
    for (const auto value : expected) scale = std::max(scale, std::fabs(static_cast<double>(value)));
    for (std::size_t i = 0; i < found.size(); ++i)
      ASSERT_NEAR(found[i], expected[i], tolerance * scale) << "coordinate " << i;
  }

  Case test_case_;
  Dataset data_;
  std::unique_ptr<Problem> problem_;
  Workspace work_;
  std::vector<float> x_;
  naive::Vector x_double_;
};

TEST_P(EveryCase, GradientMatchesTheNaiveTwin) {
  for (std::size_t batch : {1u, 2u, 7u, 50u, 65u, 143u}) {
    const auto rows = draw(batch);
    naive::Vector expected(x_.size(), 0.0);
    for (const SampleId row : rows) naive::add_sample_gradient(test_case_.twin, x_double_, data_, row, expected);
    expect_near(gradient(rows), expected, 2e-5);
  }
}

TEST_P(EveryCase, LossAndHitsMatchTheNaiveTwin) {
  for (std::size_t count : {0u, 1u, 63u, 128u, 150u}) {
    const auto rows = draw(count);
    double loss = 0;
    std::uint64_t correct = 0;
    for (const SampleId row : rows) {
      loss += naive::sample_loss(test_case_.twin, x_double_, data_, row);
      if (data_.classes > 0) correct += naive::is_hit(test_case_.twin, x_double_, data_, row);
    }
    const LossSum found = problem_->loss_sum(x_, data_, rows, work_);
    EXPECT_NEAR(found.loss, loss, 1e-5 * std::fabs(loss) + 1e-12);
    EXPECT_EQ(found.correct, correct);
    EXPECT_EQ(found.samples, count);
  }
}

// The twin's own gradient against the twin's own loss, both in float64: central differences.
TEST_P(EveryCase, NaiveGradientMeetsFiniteDifferences) {
  const SampleId row = 4;
  naive::Vector g(x_.size(), 0.0);
  naive::add_sample_gradient(test_case_.twin, x_double_, data_, row, g);
  const std::size_t step = std::max<std::size_t>(1, x_.size() / 97);
  for (std::size_t i = 0; i < x_.size(); i += step) {
    auto shifted = x_double_;
    constexpr double h = 1e-6;
    shifted[i] += h;
    const double above = naive::sample_loss(test_case_.twin, shifted, data_, row);
    shifted[i] -= 2 * h;
    const double below = naive::sample_loss(test_case_.twin, shifted, data_, row);
    EXPECT_NEAR((above - below) / (2 * h), g[i], 1e-6 * (1 + std::fabs(g[i]))) << "coordinate " << i;
  }
}

// The fast gradient against the fast loss, along random directions (float32: longer steps, wider tolerance).
TEST_P(EveryCase, FastGradientMeetsFiniteDifferences) {
  if (test_case_.activation == "relu") GTEST_SKIP() << "steps this long cross kinks";
  const auto rows = draw(80);
  const auto g = gradient(rows);
  for (std::uint32_t trial = 0; trial < 3; ++trial) {
    Stream words({.seed = 9, .node = trial});
    auto above = x_, below = x_;
    const double h = 1e-2 / std::sqrt(static_cast<double>(x_.size()));
    double slope = 0, length = 0;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const double direction = words.uniform() < 0.5 ? -1 : 1;
      above[i] = static_cast<float>(static_cast<double>(x_[i]) + h * direction);
      below[i] = static_cast<float>(static_cast<double>(x_[i]) - h * direction);
      const double step = static_cast<double>(above[i]) - static_cast<double>(below[i]);  // as rounded
      slope += static_cast<double>(g[i]) * step;
      length += static_cast<double>(g[i]) * static_cast<double>(g[i]) * step * step;
    }
    const double difference =
        problem_->loss_sum(above, data_, rows, work_).loss - problem_->loss_sum(below, data_, rows, work_).loss;
    EXPECT_NEAR(difference, slope, 5e-3 * std::sqrt(length) + 1e-4);
  }
}

TEST_P(EveryCase, ChunksAccumulateToTheWhole) {
  const auto rows = draw(100);
  const auto whole = gradient(rows);
  for (std::size_t chunk : {1u, 8u, 33u}) {
    std::vector<float> sum(x_.size(), std::numeric_limits<float>::quiet_NaN());
    for (std::size_t first = 0; first < rows.size(); first += chunk)
      problem_->gradient_sum(x_, std::span(rows).subspan(first, std::min(chunk, rows.size() - first)), first > 0, sum,
                             work_);
    expect_near(sum, whole, 1e-5);
  }
}

// The order of the sum, and with it the bits, is that of 0.1.0: a batch of more than 64 is cut into equal chunks.
TEST_P(EveryCase, ABatchIsCutIntoEqualChunks) {
  const auto rows = draw(90);
  const std::span all(rows);
  std::vector<float> sum = gradient(all.first(45));
  problem_->gradient_sum(x_, all.last(45), true, sum, work_);
  EXPECT_EQ(gradient(rows), sum);
}

TEST_P(EveryCase, RepeatsBitForBitWhateverTheWorkspaceHeld) {
  const auto rows = draw(50);
  const auto first = gradient(rows);
  std::ranges::fill(work_.floats, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(gradient(rows), first);
}

TEST_P(EveryCase, NaNInAWeightReachesTheLoss) {
  const auto rows = draw(3);
  for (std::size_t i : {std::size_t{0}, x_.size() / 2, x_.size() - 1}) {
    auto broken = x_;
    broken[i] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(problem_->loss_sum(broken, data_, rows, work_).loss)) << "coordinate " << i;
  }
}

TEST_P(EveryCase, HugeModelsStayFinite) {
  const auto rows = draw(20);
  for (float factor : {1e2f, 1e5f}) {
    auto huge = x_;
    for (float& value : huge) value *= factor;
    const double loss = problem_->loss_sum(huge, data_, rows, work_).loss;
    EXPECT_TRUE(std::isfinite(loss)) << factor;
    EXPECT_GE(loss, 0);
    std::vector<float> sum(x_.size());
    problem_->gradient_sum(huge, rows, false, sum, work_);
    EXPECT_TRUE(std::ranges::all_of(sum, [](float value) { return std::isfinite(value); })) << factor;
  }
}

TEST_P(EveryCase, PenaltyLeavesBiasesOut) {
  const auto ranges = problem_->penalised();
  ASSERT_EQ(ranges.size(), test_case_.twin.widths.size() - 1);
  std::size_t at = 0, penalised = 0;
  for (std::size_t l = 0; l < ranges.size(); ++l) {
    EXPECT_EQ(ranges[l].first, at);
    at += test_case_.twin.widths[l] * test_case_.twin.widths[l + 1];
    EXPECT_EQ(ranges[l].last, at);
    penalised += ranges[l].last - ranges[l].first;
    if (test_case_.twin.biases) at += test_case_.twin.widths[l + 1];
  }
  EXPECT_EQ(at, problem_->dimension());
  EXPECT_EQ(penalised_norm_squared(*problem_, std::vector<float>(at, 2.0f)), 4.0 * static_cast<double>(penalised));
}

std::string name_of(const testing::TestParamInfo<std::size_t>& parameter) {
  const Case c = every_case()[parameter.param];
  std::string name = std::to_string(parameter.param) + "_" + c.model + "_" + c.activation + "_" + c.loss;
  std::ranges::replace_if(
      name, [](unsigned char letter) { return !std::isalnum(letter); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Gradient, EveryCase, testing::Range<std::size_t>(0, every_case().size()), name_of);

}  // namespace
}  // namespace quantimed

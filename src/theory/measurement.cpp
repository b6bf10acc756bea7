// SPDX-License-Identifier: BSD-3-Clause
#include "theory/measurement.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quantimed {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kCurveStep = 1.3;  // between the curve's iterations
constexpr double kDiverged = 1e12;  // ‖x̄‖²

}  // namespace

Measurement::Measurement(const Run& run, const Reference& reference, std::function<void(double)> report,
                         std::function<bool()> stop)
    : run_(run), reference_(reference), report_(std::move(report)), stop_(std::move(stop)) {
  check(run.evaluations == run.iterations, "Measurement: the run must show every iteration");
  const std::size_t p = run.problem.dimension();
  mean_.resize(p);
  sum_.resize(p);
  scratch_.resize(p);
  if (!reference_.problem) evaluator_ = std::make_unique<Evaluator>(run.problem, run.shards, nullptr, run.penalty, 1);
}

// Σ_s x̄_s over the iterations before this one; x̄_t is left in mean_.
void Measurement::add_to_average(const Cut& cut) {
  if (averaged_ > 0)
    for (std::size_t k = 0; k < sum_.size(); ++k) sum_[k] += mean_[k];  // of the cut before
  if (averaged_ == run_.iterations / 2) early_sum_ = sum_;
  std::ranges::fill(mean_, 0.0);
  for (const Real* x : cut.models)
    for (std::size_t k = 0; k < mean_.size(); ++k) mean_[k] += static_cast<double>(x[k]);
  for (double& value : mean_) value /= static_cast<double>(cut.models.size());
  ++averaged_;
}

// (1/n) Σ_i ‖x_i − target_i‖²; target: [n, p] where stacked, else [p] for all nodes.
double Measurement::to_reference(const Cut& cut, std::span<const double> target, bool is_stacked) const {
  const std::size_t p = mean_.size();
  double sum = 0;
  for (std::size_t i = 0; i < cut.models.size(); ++i)
    for (std::size_t k = 0; k < p; ++k) {
      const double d = static_cast<double>(cut.models[i][k]) - target[(is_stacked ? i * p : 0) + k];
      sum += d * d;
    }
  return sum / static_cast<double>(cut.models.size());
}

// All that holds at this cut alone, and the averages up to it.
Quantities Measurement::measure(const Cut& cut) {
  Quantities values;
  values.fill(kNone);
  const auto set = [&](Quantity q, double value) { values[static_cast<std::size_t>(q)] = value; };
  if (evaluator_) {
    const Evaluation point = evaluator_->evaluate(cut.models);
    set(Quantity::gradient, point.gradient_norm_squared);
    set(Quantity::consensus, point.consensus_error);
    if (!std::isfinite(point.loss)) diverged_ = true;
    return values;
  }
  const ConvexProblem& f = *reference_.problem;
  const Minimum& minimum = *reference_.minimum;
  f.gradient(mean_, scratch_);
  set(Quantity::gradient, dot(scratch_, scratch_));
  set(Quantity::consensus, to_reference(cut, mean_, false));
  set(Quantity::distance, to_reference(cut, minimum.x, false));
  set(Quantity::gap, f.value(mean_) - minimum.value);
  if (averaged_ > 1) {
    for (std::size_t k = 0; k < sum_.size(); ++k) scratch_[k] = sum_[k] / (averaged_ - 1);
    set(Quantity::average_gap, f.value(scratch_) - minimum.value);
  }
  if (static_cast<Round>(cut.iteration) == run_.iterations && !early_sum_.empty()) {
    const double count = run_.iterations - run_.iterations / 2;
    for (std::size_t k = 0; k < sum_.size(); ++k) scratch_[k] = (sum_[k] - early_sum_[k]) / count;
    set(Quantity::late_average_gap, f.value(scratch_) - minimum.value);
  }
  if (!reference_.penalty.x.empty()) {
    const std::size_t p = mean_.size();
    set(Quantity::penalty_distance, to_reference(cut, reference_.penalty.x, true));
    double bias = 0;
    for (std::size_t k = 0; k < reference_.penalty.x.size(); ++k) {
      const double d = reference_.penalty.x[k] - minimum.x[k % p];
      bias += d * d;
    }
    set(Quantity::bias, bias / static_cast<double>(cut.models.size()));
  }
  if (!(dot(mean_, mean_) < kDiverged)) diverged_ = true;
  return values;
}

bool Measurement::observe(const Cut& cut) {
  const auto t = static_cast<Round>(cut.iteration);
  if (!evaluator_) add_to_average(cut);
  const Round stride = std::max<Round>(1, run_.iterations / kMeanPoints);
  const bool is_mean_point = t % stride == 0 && t < run_.iterations, is_curve_point = t >= next_curve_;
  if (!is_mean_point && !is_curve_point && t < run_.iterations) return true;
  Quantities values = measure(cut);
  if (is_mean_point) {
    gradient_sum_ += values[static_cast<std::size_t>(Quantity::gradient)];
    consensus_sum_ += values[static_cast<std::size_t>(Quantity::consensus)];
    ++points_;
  }
  if (is_curve_point || t == run_.iterations) {
    next_curve_ = std::max(t + 1, static_cast<Round>(std::ceil(t * kCurveStep)));
    values[static_cast<std::size_t>(Quantity::mean_gradient)] = gradient_sum_ / points_;
    values[static_cast<std::size_t>(Quantity::mean_consensus)] = consensus_sum_ / points_;
    curve_.push_back({.iteration = t, .time = cut.time, .values = values});
  }
  return !diverged_;
}

}  // namespace quantimed

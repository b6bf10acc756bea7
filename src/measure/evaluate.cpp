// SPDX-License-Identifier: BSD-3-Clause
#include "measure/evaluate.hpp"

#include "base/first_failure.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace quantimed {

namespace {

// Sums are cut into parts of fixed size and added in order, so that they do not depend on the number of threads.
constexpr std::size_t kRowsPerPart = 500;
constexpr std::size_t kGradientParts = 8;
constexpr std::size_t kBlock = 4096;  // coordinates

std::vector<SampleId> evenly_spaced(const std::vector<SampleId>& rows, std::size_t most) {
  if (most == 0 || most >= rows.size()) return rows;
  std::vector<SampleId> some(most);
  for (std::size_t k = 0; k < most; ++k) some[k] = rows[k * rows.size() / most];
  return some;
}

std::size_t parts_of(std::size_t count, std::size_t part) { return (count + part - 1) / part; }

}  // namespace

Evaluator::Evaluator(const Problem& problem, const Shards& shards, const Dataset* test, const Penalty& penalty,
                     int threads, std::uint32_t most_samples)
    : problem_(problem),
      test_(test),
      choice_(static_cast<std::uint32_t>(threads)),
      rows_(evenly_spaced(shards.rows, most_samples)) {
  // λ/N stays what it is.
  lambda_ = penalty.lambda * (static_cast<double>(rows_.size()) / static_cast<double>(shards.rows.size()));
  if (test_) {
    std::vector<SampleId> all(test_->samples);
    std::iota(all.begin(), all.end(), SampleId{0});
    test_rows_ = evenly_spaced(all, most_samples);
  }
  const Dataset& told = test_ ? *test_ : problem.data();
  if (problem.is_classification() && told.classes <= kMostClasses) {
    class_samples_.resize(told.classes);
    for (const SampleId row : test_ ? test_rows_ : rows_) ++class_samples_[static_cast<std::size_t>(told.targets[row])];
  }
  hits_.resize(static_cast<std::size_t>(threads) * class_samples_.size());
  for (int k = 0; k < threads; ++k) work_.push_back(problem.make_workspace());
  for (std::size_t k = 0; k < kGradientParts; ++k) gradients_.emplace_back(problem.dimension());
  mean_.resize(problem.dimension());
}

Classes Evaluator::classes(const std::vector<double>& label) const {
  Classes classes{.set = test_ ? "test" : "training", .label = label, .samples = class_samples_};
  if (class_samples_.empty()) return {};
  if (label.size() != class_samples_.size()) {
    classes.label.resize(class_samples_.size());
    std::iota(classes.label.begin(), classes.label.end(), 0.0);
  }
  return classes;
}

double Evaluator::bytes(const Problem& problem, std::uint32_t threads) {
  const auto p = static_cast<double>(problem.dimension());
  const auto workspace = static_cast<double>(problem.make_workspace().floats.size());
  return sizeof(Real) * (threads * workspace + (kGradientParts + 1) * p) + sizeof(double) * p;
}

// x̄ = (1/n) Σ_i x_i, summed in float64 in the order of the nodes.
void Evaluator::average(std::span<const Real* const> models) {
  const std::size_t p = mean_.size();
#pragma omp parallel for schedule(static) num_threads(workers_)
  for (std::size_t block = 0; block < p; block += kBlock) {
    double sum[kBlock] = {};
    const std::size_t count = std::min(kBlock, p - block);
    for (const Real* x : models)
      for (std::size_t k = 0; k < count; ++k) sum[k] += static_cast<double>(x[block + k]);
    for (std::size_t k = 0; k < count; ++k)
      mean_[block + k] = static_cast<Real>(sum[k] / static_cast<double>(models.size()));
  }
}

// (1/n) Σ_i ‖x_i − x̄‖²
double Evaluator::consensus_error(std::span<const Real* const> models) const {
  std::vector<double> distance(models.size());
#pragma omp parallel for schedule(static) num_threads(workers_)
  for (std::size_t i = 0; i < models.size(); ++i) {
    double sum = 0;
    for (std::size_t block = 0; block < mean_.size(); block += kBlock) {
      const std::size_t last = std::min(block + kBlock, mean_.size());
      Real part = 0;
#pragma omp simd reduction(+ : part)
      for (std::size_t k = block; k < last; ++k) {
        const Real d = models[i][k] - mean_[k];
        part += d * d;
      }
      sum += static_cast<double>(part);
    }
    distance[i] = sum;
  }
  return std::accumulate(distance.begin(), distance.end(), 0.0) / static_cast<double>(models.size());
}

double Evaluator::distance_to_optimum(std::span<const Real* const> models) const {
  std::vector<double> squares(models.size(), 0.0);
#pragma omp parallel for schedule(static) num_threads(workers_)
  for (std::size_t i = 0; i < models.size(); ++i)
    for (std::size_t k = 0; k < optimum_.size(); ++k) {
      const double d = static_cast<double>(models[i][k]) - optimum_[k];
      squares[i] += d * d;
    }
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0) / static_cast<double>(models.size()));
}

LossSum Evaluator::total_loss(const Dataset& data, std::span<const SampleId> rows, std::span<std::uint64_t> hits) {
  const std::size_t classes = hits.size();
  std::ranges::fill(hits_, 0);
  std::vector<LossSum> parts(parts_of(rows.size(), kRowsPerPart));
  FirstFailure failure;
#pragma omp parallel for schedule(dynamic) num_threads(workers_)
  for (std::size_t k = 0; k < parts.size(); ++k) {
    const auto part = rows.subspan(k * kRowsPerPart, std::min(kRowsPerPart, rows.size() - k * kRowsPerPart));
    const auto worker = static_cast<std::size_t>(omp_get_thread_num());
    failure.guard([&] {
      parts[k] =
          problem_.loss_sum(mean_, data, part, work_[worker], std::span(hits_).subspan(worker * classes, classes));
    });
  }
  failure.rethrow();
  std::ranges::fill(hits, 0);
  for (std::size_t k = 0; classes > 0 && k < hits_.size(); ++k) hits[k % classes] += hits_[k];
  LossSum total;
  for (const LossSum& part : parts) {
    total.loss += part.loss;
    total.correct += part.correct;
    total.samples += part.samples;
  }
  return total;
}

// ‖∇f(x̄)‖² with the per-dataset ℓ2 term: ∇f = (1/N) Σ ∇ℓ + (λ/N) Θ, the gradient of the loss that is reported.
double Evaluator::gradient_norm_squared() {
  const std::span<const SampleId> rows = rows_;
  const std::size_t per_part = parts_of(rows.size(), kGradientParts);
  FirstFailure failure;
#pragma omp parallel for schedule(dynamic) num_threads(workers_)
  for (std::size_t k = 0; k < kGradientParts; ++k) {
    const std::size_t first = std::min(k * per_part, rows.size()), last = std::min(first + per_part, rows.size());
    if (first == last) {
      std::fill(gradients_[k].begin(), gradients_[k].end(), 0.0f);
      continue;
    }
    failure.guard([&] {
      problem_.gradient_sum(mean_, rows.subspan(first, last - first), false, gradients_[k],
                            work_[static_cast<std::size_t>(omp_get_thread_num())]);
    });
  }
  failure.rethrow();
  std::vector<double> sum(mean_.size(), 0.0);
  for (const auto& part : gradients_)
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += static_cast<double>(part[k]);
  for (const CoordinateRange& range : problem_.penalised())
    for (std::size_t k = range.first; k < range.last; ++k) sum[k] += lambda_ * static_cast<double>(mean_[k]);
  const double norm = std::inner_product(sum.begin(), sum.end(), sum.begin(), 0.0);
  return norm / (static_cast<double>(rows.size()) * static_cast<double>(rows.size()));
}

Evaluation Evaluator::evaluate(std::span<const Real* const> models) {
  Evaluation result{};
  choice_.run(1, [&](std::uint32_t workers) {
    workers_ = static_cast<int>(workers);
    result = evaluate_with_workers(models);
  });
  return result;
}

Evaluation Evaluator::evaluate_with_workers(std::span<const Real* const> models) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  average(models);
  const auto share = [&](const LossSum& sum) {
    return problem_.is_classification() ? static_cast<double>(sum.correct) / static_cast<double>(sum.samples) : kNone;
  };
  const double samples = static_cast<double>(rows_.size());
  std::vector<std::uint64_t> hits(class_samples_.size());
  const std::span<std::uint64_t> of_test = test_ ? hits : std::span<std::uint64_t>(),
                                 of_training = test_ ? std::span<std::uint64_t>() : hits;
  const LossSum train = total_loss(problem_.data(), rows_, of_training);
  const double penalty = lambda_ / (2 * samples) * penalised_norm_squared(problem_, mean_);
  Evaluation result{.loss = train.loss / samples + penalty,
                    .accuracy = share(train),
                    .test_loss = kNone,
                    .test_accuracy = kNone,
                    .consensus_error = consensus_error(models),
                    .gradient_norm_squared = gradient_norm_squared(),
                    .class_accuracy = {}};
  if (test_) {
    const LossSum test = total_loss(*test_, test_rows_, of_test);
    result.test_loss = test.loss / static_cast<double>(test.samples);
    result.test_accuracy = share(test);
  }
  if (!optimum_.empty()) result.distance_to_optimum = distance_to_optimum(models);
  for (std::size_t c = 0; c < hits.size(); ++c)
    result.class_accuracy.push_back(
        class_samples_[c] > 0 ? static_cast<double>(hits[c]) / static_cast<double>(class_samples_[c]) : kNone);
  return result;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The curve's points: computed off the clock, from a consistent cut of all nodes' models.
#pragma once

#include "base/worker_choice.hpp"
#include "dataset/shards.hpp"
#include "problem/problem.hpp"
#include "trace/trace.hpp"

#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace quantimed {

// One row of Progress, without iteration and time.
struct Evaluation {
  double loss, accuracy, test_loss, test_accuracy, consensus_error, gradient_norm_squared;
  std::vector<double> class_accuracy;  // [classes().label.size()], NaN: no sample of the class is looked at
  std::optional<double> distance_to_optimum = {};
};

class Evaluator {
 public:
  // `test` may be null. `threads`: OpenMP threads, or one where that is faster; the result does not depend on it.
  // `most_samples`: of either set only so many are looked at, evenly spaced over it; 0: all.
  Evaluator(const Problem& problem, const Shards& shards, const Dataset* test, const Penalty& penalty, int threads,
            std::uint32_t most_samples = 0);

  // What one takes of memory.
  static double bytes(const Problem& problem, std::uint32_t threads);

  // From now on every point has √((1/n) Σ_i ‖x_i − x*‖²), too. x*: [p]
  void measure_from(std::vector<double> optimum) { optimum_ = std::move(optimum); }

  // models: [n] pointers to [p].
  Evaluation evaluate(std::span<const Real* const> models);

  // Whose accuracy is told one by one: those of the test set, or of the training set where there is none. Nothing in
  // regression, or of more than kMostClasses. `label`: what the source calls them; empty: their numbers.
  static constexpr std::size_t kMostClasses = 1000;
  Classes classes(const std::vector<double>& label) const;

  // x̄ of the last call.  [p]
  std::span<const Real> mean_model() const { return mean_; }

 private:
  Evaluation evaluate_with_workers(std::span<const Real* const> models);
  void average(std::span<const Real* const> models);
  double consensus_error(std::span<const Real* const> models) const;
  double distance_to_optimum(std::span<const Real* const> models) const;
  // hits [classes] ← those of each class; empty: not wanted.
  LossSum total_loss(const Dataset& data, std::span<const SampleId> rows, std::span<std::uint64_t> hits);
  double gradient_norm_squared();

  const Problem& problem_;
  const Dataset* test_;
  double lambda_;  // of the ℓ2 term, for as many samples as are looked at
  WorkerChoice choice_;
  int workers_ = 1;                             // of this evaluation
  std::vector<SampleId> rows_, test_rows_;      // that are looked at
  std::vector<std::uint32_t> class_samples_;    // [classes], of each class among them; empty: classes are not told
  std::vector<std::uint64_t> hits_;             // [workers, classes] of one evaluation
  std::vector<Workspace> work_;                 // a worker's each
  std::vector<AlignedVector<Real>> gradients_;  // [parts, p]: partial sums, added in order
  AlignedVector<Real> mean_;                    // [p]
  std::vector<double> optimum_;                 // [p], or empty: not known
};

}  // namespace quantimed

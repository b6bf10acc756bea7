// SPDX-License-Identifier: BSD-3-Clause
// Watches one run and measures what the theorems speak of, off the clock.
#pragma once

#include "engine/engine.hpp"
#include "measure/evaluate.hpp"
#include "theory/reference.hpp"
#include "theory/schedule.hpp"

#include <array>
#include <functional>
#include <memory>
#include <vector>

namespace quantimed {

using Quantities = std::array<double, kQuantities>;  // by Quantity; NaN where it does not apply

// What a run is held against. Without `problem` (mlp) there is no solution.
struct Reference {
  std::shared_ptr<const ConvexProblem> problem;
  std::shared_ptr<const Minimum> minimum;
  PenaltyMinimum penalty;  // empty where f is not strongly convex
};

struct CurvePoint {
  Round iteration = 0;
  Seconds time = 0;
  Quantities values{};
};

class Measurement final : public Watcher {
 public:
  // The run must show every iteration: run.evaluations = run.iterations. `report` is told the share done, 0 … 1;
  // `stop` is asked whether a signal came.
  Measurement(const Run& run, const Reference& reference, std::function<void(double)> report,
              std::function<bool()> stop);

  bool observe(const Cut& cut) override;
  bool wants_to_stop() override { return stop_(); }
  void progress(double done) override { report_(done); }
  void checkpoint(const RoundsSource&, std::optional<Checkpoint>) override {}
  bool checkpoint_due() override { return false; }

  const std::vector<CurvePoint>& curve() const { return curve_; }  // about 40 points, evenly in log t, and the end
  const Quantities& last() const { return curve_.back().values; }
  bool has_diverged() const { return diverged_; }

 private:
  Quantities measure(const Cut& cut);
  void add_to_average(const Cut& cut);
  double to_reference(const Cut& cut, std::span<const double> target, bool is_stacked) const;

  const Run& run_;
  const Reference& reference_;
  std::function<void(double)> report_;
  std::function<bool()> stop_;
  std::unique_ptr<Evaluator> evaluator_;      // where there is no reference
  std::vector<double> mean_, sum_, scratch_;  // [p]: x̄_t, Σ_{s<t} x̄_s
  std::vector<double> early_sum_;             // [p]: Σ_{s<T/2} x̄_s, once it is known
  Round averaged_ = 0, points_ = 0;
  double gradient_sum_ = 0, consensus_sum_ = 0;
  Round next_curve_ = 0;
  std::vector<CurvePoint> curve_;
  bool diverged_ = false;
};

}  // namespace quantimed

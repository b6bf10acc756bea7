// SPDX-License-Identifier: BSD-3-Clause
// The parts of the virtual engine, one for each delivery, and when they evaluate.
#pragma once

#include "engine/engine.hpp"
#include "engine/resumption.hpp"
#include "record/records.hpp"
#include "timing/speed_model.hpp"

#include <algorithm>
#include <cmath>

namespace quantimed {

Outcome run_virtual_round(const Run& run, Watcher& watcher);
Outcome run_virtual_newest(const Run& run, Watcher& watcher);
Outcome run_virtual_pair(const Run& run, Watcher& watcher);

// A gradient of a node on the model's clock, at the speed asked for, the machine's or the slower of both. Until a
// deadline (> 0) it is what the speed allows, and lasts as long as the deadline. Fills the record's compute, batch,
// deadline, overshoot and speed_asked, and returns the speed, samples per second.
double plan_gradient(const Run& run, NodeId node, Round round, std::size_t batch, const EarlierParts& earlier,
                     Seconds deadline, RoundRecord& record);

// K points evenly over the iterations, and where the run has a time limit K more evenly over time,
// whichever comes first; the start and the end are points too.
class EvaluationSchedule {
 public:
  explicit EvaluationSchedule(const Run& run)
      : points_(run.evaluations), iterations_(run.iterations), max_time_(run.max_time) {
    if (!run.resume) return;
    by_iteration_ = static_cast<std::uint32_t>(resumed_count(run, "points_by_iteration"));
    by_time_ = static_cast<std::uint32_t>(resumed_count(run, "points_by_time"));
    last_ = resumed(run, "last_point");
  }
  void save(Attributes& state) const {
    state.emplace_back("points_by_iteration", std::int64_t{by_iteration_});
    state.emplace_back("points_by_time", std::int64_t{by_time_});
    state.emplace_back("last_point", last_);
  }

  bool due(double iteration, Seconds time) {
    if (iteration < next_iteration() && time < next_time()) return false;
    const auto passed = [&](double share) { return static_cast<std::uint32_t>(std::floor(share * points_)) + 1; };
    // Rounding, or more points than iterations, may leave a point where the run already is: it has been passed too.
    if (iteration >= next_iteration()) by_iteration_ = std::max(by_iteration_ + 1, passed(iteration / iterations_));
    while (by_iteration_ <= points_ && next_iteration() <= iteration) ++by_iteration_;
    if (time >= next_time()) by_time_ = std::max(by_time_ + 1, passed(time / max_time_));
    while (by_time_ <= points_ && next_time() <= time) ++by_time_;
    last_ = iteration;
    return true;
  }
  bool observed(double iteration) const { return last_ == iteration; }

  // The first iteration that is a point of its own.
  Round next_iteration() const {
    return static_cast<Round>(
        std::min<double>(iterations_, std::ceil(iterations_ * static_cast<double>(by_iteration_) / points_)));
  }
  double done(double iteration, Seconds time) const { return std::max(iteration / iterations_, time / max_time_); }

 private:
  Seconds next_time() const {
    return by_time_ > points_ ? kForever : max_time_ * (static_cast<double>(by_time_) / points_);
  }

  double points_;
  double iterations_;
  Seconds max_time_;
  std::uint32_t by_iteration_ = 0, by_time_ = 1;
  double last_ = -1;
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// T_d: given, chosen once from measured or modelled speeds, or adapted in every iteration.
#pragma once

#include "base/types.hpp"
#include "timing/speed_model.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace quantimed {

struct DeadlineRule {
  Seconds fixed_s =
      0;             // T_d, of the first iteration where it is adapted; 0: measured before the clock starts (threads)
  double batch = 0;  // b that T_d is chosen for
  double quantile = 0;  // 0: so that the mean batch is b; q: so that a share q of the nodes finish b in time
  bool adapts = false;  // anew in each iteration, from the speeds of the node and its neighbours
  Seconds slack_s = 0;  // threads: overshoot that is accepted; 0: 1 % of T_d
};

// "0.01", "auto" (or ""), "auto:B", "auto:quantile:Q"; b where none is given is `batch`. Throws InputError that names
// --deadline.
DeadlineRule parse_deadline(const std::string& text, double batch);

// T_d for these speeds (samples per second, at least one, all > 0): b / mean, or b / (their (1 − q)-quantile).
// Reorders them.
Seconds choose_deadline(const DeadlineRule& rule, std::span<double> speeds);

// T_d for modelled speeds: fixed_s where it is given, b / E[V], or from the speeds of all nodes in many iterations.
Seconds modelled_deadline(const DeadlineRule& rule, const SpeedModel& speed, std::uint32_t nodes);

// The same over the newest observations of a node and its neighbours. For the mean, speeds count as at most three
// spreads from the median (the spread: 1.4826 times the median absolute deviation, σ of a normal distribution), so
// that a single hiccup does not move T_d; where more than half of the speeds are equal, all count as they are.
class AdaptiveDeadline {
 public:
  // Remembers several observations of the node itself and of each neighbour. Does not allocate afterwards.
  AdaptiveDeadline(const DeadlineRule& rule, std::size_t neighbours)
      : rule_(rule),
        speeds_(rule.adapts ? std::max(kLeast, kEach * (neighbours + 1)) : 0),
        scratch_(2 * speeds_.size()) {}
  void observe(double speed);  // samples per second; others than > 0 are not known yet, and left out
  Seconds next(Seconds before_any);

  // For a run that is stopped: appended to all nodes' speeds and counts. restore() takes them off the front again, and
  // says whether there were enough.
  void save(std::vector<double>& speeds, std::vector<std::uint32_t>& counts) const;
  bool restore(std::span<const double>& speeds, std::uint32_t count);

 private:
  static constexpr std::size_t kLeast = 64, kEach = 4;

  DeadlineRule rule_;
  std::vector<double> speeds_;   // the newest, in a ring
  std::vector<double> scratch_;  // twice as many
  std::size_t observed_ = 0;
};

}  // namespace quantimed

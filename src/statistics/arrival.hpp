// SPDX-License-Identifier: BSD-3-Clause
// When a curve has fallen to a target, and what it is known of that time.
//
// Rule: a run has arrived at the time from which its loss stays at or below the target until the run ends. What stays
// is not each point, which noise moves, but the running median of three points; so a single point that dips below
// does not arrive early, one that jumps above does not arrive late, and a curve that falls without noise is not changed
// at all. A run that rises above the target again and stays there has not arrived: who would have stopped it there
// had no way to know. At the last point Tukey's end-point rule holds (Exploratory Data Analysis, 1977, chapter 7): the
// median of the point, its neighbour's smoothed value, and the line through the two before it, extended.
//
// Between points the curve is a straight line. Only the bracket [from, until] is known of the time; one within the
// first two segments of a curve is the placing of its points rather than the run's, and is called unresolved.
#pragma once

#include <limits>
#include <span>
#include <vector>

namespace quantimed {

inline constexpr double kNever = std::numeric_limits<double>::infinity();  // s

struct Arrival {
  double time = kNever;              // s
  double from = time, until = time;  // the points around it; both ∞: never
  bool is_resolved = true;
  bool is_there() const { return time < kNever; }
};

// The running median of three. A loss that is not finite counts as ∞. [K] as the curve.
std::vector<double> smoothed(std::span<const double> loss);

// time: s, ascending, as long as loss. NaN as target: never.
Arrival arrival(std::span<const double> time, std::span<const double> loss, double target);

// The lowest loss that the run has reached and kept for a point more: of the smoothed curve. ∞ without a curve.
double lowest_loss(std::span<const double> loss);

}  // namespace quantimed

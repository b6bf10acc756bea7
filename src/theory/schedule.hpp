// SPDX-License-Identifier: BSD-3-Clause
// The theorems' step sizes and promises (paper.md, "Theory to be checked by experiment"), and what is measured.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace quantimed {

// ---- quantities ----------------------------------------------------------------------------------
enum class Quantity {
  distance,
  penalty_distance,
  bias,
  gap,
  average_gap,
  late_average_gap,
  gradient,
  mean_gradient,
  consensus,
  mean_consensus,
  count
};
inline constexpr std::size_t kQuantities = static_cast<std::size_t>(Quantity::count);

struct QuantityRow {
  Quantity quantity;
  const char* name;
  const char* formula;
  bool needs_solution;  // x* or x*_α: not for mlp
};
// x_i: node i's model, x̄ = (1/n) Σ_i x_i, all after T iterations unless they have a t; no unit.
std::span<const QuantityRow> quantity_table();
const QuantityRow& row_of(Quantity quantity);
Quantity parse_quantity(const std::string& option, const std::string& text);  // throws InputError

// The means over t are over at most this many evenly spaced iterations.
inline constexpr std::size_t kMeanPoints = 200;

// ---- schedules -----------------------------------------------------------------------------------
struct StepSchedule {
  enum class Kind { strongly_convex, convex, nonconvex } kind = Kind::strongly_convex;
  double delta = 0.25;  // δ in (0, 1/2); nonconvex has none
};
// --schedule strongly-convex:DELTA | convex:DELTA | nonconvex. Throws InputError.
StepSchedule parse_schedule(const std::string& text);

struct ScheduleRow {
  const char* syntax;
  const char* help;
};
inline constexpr ScheduleRow kSchedules[] = {
    {"strongly-convex:D", "alpha = C1 T^(-D/2), epsilon = C2 T^(-3D/2), 0 < D < 1/2; distance = O(T^-D)"},
    {"convex:D", "alpha = C1 T^(-D/4), epsilon = C2 T^(-3D/4), 0 < D < 1/2; average-gap = O(T^(-D/2))"},
    {"nonconvex", "alpha = C1 T^(-1/6), epsilon = C2 T^(-1/2); mean-gradient, mean-consensus = O(T^(-1/3))"}};

// α and ε at horizon T are c1 · T^−alpha and c2 · T^−epsilon.
struct Powers {
  double alpha, epsilon;
};
Powers powers(const StepSchedule& schedule);

// ---- promises ------------------------------------------------------------------------------------
enum class Axis { horizon, deadline, graph };

// y = O(x^exponent) with x of the axis: T, max(E[1/V]/T_d, 1/m) or 1 − β. A larger exponent is better on all but T,
// where it is the most negative one.
struct Promise {
  double exponent;
};
// Nothing where the theorems say nothing about this quantity.
//   horizons: the schedule's own row; its proof's two steps, penalty-distance and bias, have the exponent of distance
//   deadlines: penalty-distance grows with max(E[1/V]/T_d, 1/m), where the gradient's noise is all there is
//   graphs: bias and consensus fall with (1 − β)^−2 at the most
std::optional<Promise> promise(const StepSchedule& schedule, Axis axis, Quantity quantity);

}  // namespace quantimed

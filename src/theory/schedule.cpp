// SPDX-License-Identifier: BSD-3-Clause
#include "theory/schedule.hpp"

#include "base/error.hpp"

#include <charconv>

namespace quantimed {

namespace {

using Q = Quantity;

constexpr QuantityRow kTable[] = {
    {Q::distance, "distance", "(1/n) sum_i |x_i - x*|^2", true},
    {Q::penalty_distance, "penalty-distance", "(1/n) sum_i |x_i - x*_a,i|^2, x*_a the minimiser of h_alpha", true},
    {Q::bias, "bias", "(1/n) sum_i |x*_a,i - x*|^2, computed", true},
    {Q::gap, "gap", "f(mean_i x_i) - f*", true},
    {Q::average_gap, "average-gap", "f((1/T) sum_{t<T} mean_i x_i,t) - f*", true},
    {Q::late_average_gap, "late-average-gap", "f((2/T) sum_{T/2<=t<T} mean_i x_i,t) - f*, at the end of a run", true},
    {Q::gradient, "gradient", "|grad f(mean_i x_i)|^2", false},
    {Q::mean_gradient, "mean-gradient", "(1/T) sum_{t<T} |grad f(mean_i x_i,t)|^2", false},
    {Q::consensus, "consensus", "(1/n) sum_i |x_i - mean_j x_j|^2", false},
    {Q::mean_consensus, "mean-consensus", "(1/T) sum_{t<T} (1/n) sum_i |x_i,t - mean_j x_j,t|^2", false},
};
static_assert(std::size(kTable) == kQuantities);

}  // namespace

std::span<const QuantityRow> quantity_table() { return kTable; }

const QuantityRow& row_of(Quantity quantity) {
  const QuantityRow& row = kTable[static_cast<std::size_t>(quantity)];
  check(row.quantity == quantity, "the table of quantities is in the order of their names");
  return row;
}

Quantity parse_quantity(const std::string& option, const std::string& text) {
  std::string names;
  for (const QuantityRow& row : kTable) {
    if (text == row.name) return row.quantity;
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  throw InputError("{} {}: not measured; give some of {}", option, text, names);
}

StepSchedule parse_schedule(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  if (text == "nonconvex") return {.kind = StepSchedule::Kind::nonconvex, .delta = 0};
  const std::string number = colon == std::string::npos ? "" : text.substr(colon + 1);
  StepSchedule schedule;
  const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), schedule.delta);
  const bool is_number = failure == std::errc{} && end == number.data() + number.size();
  if ((kind != "strongly-convex" && kind != "convex") || !is_number || !(schedule.delta > 0 && schedule.delta < 0.5))
    throw InputError("--schedule {}: give strongly-convex:DELTA or convex:DELTA with 0 < DELTA < 0.5, or nonconvex",
                     text);
  schedule.kind = kind == "convex" ? StepSchedule::Kind::convex : StepSchedule::Kind::strongly_convex;
  return schedule;
}

Powers powers(const StepSchedule& schedule) {
  switch (schedule.kind) {
    case StepSchedule::Kind::strongly_convex:
      return {schedule.delta / 2, 3 * schedule.delta / 2};
    case StepSchedule::Kind::convex:
      return {schedule.delta / 4, 3 * schedule.delta / 4};
    case StepSchedule::Kind::nonconvex:
      break;
  }
  return {1.0 / 6, 0.5};
}

std::optional<Promise> promise(const StepSchedule& schedule, Axis axis, Quantity quantity) {
  const bool is_strong = schedule.kind == StepSchedule::Kind::strongly_convex;
  if (axis == Axis::deadline && is_strong && quantity == Q::penalty_distance) return Promise{1};
  if (axis == Axis::graph && is_strong && (quantity == Q::bias || quantity == Q::consensus)) return Promise{-2};
  if (axis != Axis::horizon) return {};
  if (is_strong && (quantity == Q::distance || quantity == Q::penalty_distance || quantity == Q::bias))
    return Promise{-schedule.delta};
  if (schedule.kind == StepSchedule::Kind::convex && quantity == Q::average_gap) return Promise{-schedule.delta / 2};
  if (schedule.kind == StepSchedule::Kind::nonconvex && (quantity == Q::mean_gradient || quantity == Q::mean_consensus))
    return Promise{-1.0 / 3};
  return {};
}

}  // namespace quantimed

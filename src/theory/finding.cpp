// SPDX-License-Identifier: BSD-3-Clause
#include "theory/finding.hpp"

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {

constexpr double kBend = 0.1;       // of the promise: over a finite range a slope differs from its limit by a little
constexpr double kMostWidth = 0.5;  // of the promise

}  // namespace

Finding judge_bound(const PowerFit& fit, const Promise& promise, Axis axis, Quantity quantity,
                    const std::string& reason) {
  const auto open = [](std::string why) { return Finding{kNotDecided, std::move(why)}; };
  if (!reason.empty()) return open(reason);
  if (!fit.is_straight) return open("no straight range");
  if (fit.low <= 0 && fit.high >= 0) return open("the interval holds 0");
  // On every axis a more negative excess over the promise is faster: T grows towards the limit, the others fall.
  const double sign = axis == Axis::horizon ? 1 : -1;
  const double slack = kBend * std::abs(promise.exponent);
  const double fastest = std::min(sign * (fit.low - promise.exponent), sign * (fit.high - promise.exponent));
  const double slowest = std::max(sign * (fit.low - promise.exponent), sign * (fit.high - promise.exponent));
  if (axis == Axis::graph) {
    if (slowest <= slack) return {kNoViolation, ""};
  } else if (fit.high - fit.low > kMostWidth * std::abs(promise.exponent)) {
    return open("the interval is wider than half the bound's exponent");
  }
  if (slowest <= slack) return {kBoundMet, ""};
  if (fastest <= slack) return open("the interval holds the bound's exponent, or comes within a tenth of it");
  if (quantity == Quantity::bias) return open("alpha is not small enough yet; the bound is proven");
  return {kSlower, ""};
}

const char* Terms::largest() const {
  if (start >= noise && start >= bias) return "start";
  return noise >= bias ? "noise" : "bias";
}

Terms terms_of(double progress, double at_start, double penalty_distance, double bias) {
  const double start = std::exp(-2 * progress) * at_start;
  return {.start = std::min(start, penalty_distance), .noise = std::max(0.0, penalty_distance - start), .bias = bias};
}

}  // namespace quantimed

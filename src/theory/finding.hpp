// SPDX-License-Identifier: BSD-3-Clause
// What a fitted exponent says of a theorem's bound, and which term of a quantity a horizon measures.
#pragma once

#include "theory/fit.hpp"
#include "theory/schedule.hpp"

#include <string>

namespace quantimed {

// A theorem gives an upper bound in the limit, so an experiment can meet it, miss it over the range that was run, or
// leave it open. It is left open unless the interval says otherwise.
struct Finding {
  std::string text;    // kBoundMet, kNotDecided, kSlower or kNoViolation
  std::string reason;  // why it is not decided; else empty
};
inline constexpr const char* kBoundMet = "bound met";
inline constexpr const char* kNotDecided = "not decided";
inline constexpr const char* kSlower = "slower than the bound over this range";
inline constexpr const char* kNoViolation = "no violation seen";  // graphs: a handful cannot confirm a worst case

// One-sided. "bound met": the whole interval falls at least as fast as the promise, give or take a tenth of it (a
// finite range bends a slope); "slower …": the whole interval lies on the other side. Not decided where the interval
// holds 0 or is wider than half the promise, where no straight range was found, and for `bias` that falls more slowly:
// its bound is a proven O(α²), so what is seen is that α is not small yet. `reason`: why the range itself is too short,
// or "".
Finding judge_bound(const PowerFit& fit, const Promise& promise, Axis axis, Quantity quantity,
                    const std::string& reason);

// ---- which term dominates ---------------------------------------------------------------------------
// (1/n) Σ_i ‖x_i − x*‖² after T iterations is at most of the order of
//   start   e^(−2 T α ε μ) (1/n) Σ_i ‖x_i,0 − x*‖²     what is left of the initial error
//   noise   penalty-distance less the start             gradients' and quantizer's noise around x*_α
//   bias    (1/n) Σ_i ‖x*_α,i − x*‖²                    computed
struct Terms {
  double start = 0, noise = 0, bias = 0;
  const char* largest() const;
};
// `progress`: T α ε μ; `at_start`, `penalty_distance`, `bias`: squared distances.
Terms terms_of(double progress, double at_start, double penalty_distance, double bias);

// T α ε μ from which on a horizon counts in a fit of distances: e^−20 of the initial error is left.
inline constexpr double kLeastProgress = 10;
// A mean over the iterations is mostly the start's where its later part has less than this share of it: for the gap of
// the running average that of the second half's average, for gradients and consensus the last iterate.
inline constexpr double kLeastLateShare = 0.5;

}  // namespace quantimed

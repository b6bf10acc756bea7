// SPDX-License-Identifier: BSD-3-Clause
// What the theorems are about: x*, f*, the penalty function's minimiser, and the constants (paper.md, "Theory").
#pragma once

#include "codec/codec.hpp"
#include "theory/convex_problem.hpp"
#include "timing/deadline_rule.hpp"
#include "timing/speed_model.hpp"
#include "topology/network.hpp"

#include <string>
#include <vector>

namespace quantimed {

// x* = argmin f, by Newton's method (one step for least squares; LAPACK's dsyev solves it, so that a rank that is
// short gives the solution of least norm), until ‖∇f(x*)‖ ≤ 1e-12 (1 + ‖∇f(0)‖).
struct Minimum {
  std::vector<double> x;     // [p]
  double value = 0;          // f*
  double gradient_norm = 0;  // ‖∇f(x*)‖
};
// Throws InputError where there is no minimiser (logistic regression on separable data without --l2).
Minimum minimise(const ConvexProblem& problem);

// x*_α = argmin h_α,  h_α(x) = ½ xᵀ((I − W) ⊗ I) x + α Σ_i f_i(x_i) on the stacked x of [n, p]. Newton's method with
// conjugate gradients, until ‖∇h_α‖ ≤ 1e-14 (1 + ‖∇h_α(start)‖) or no more digits come. h_α is αμ-strongly convex, so
// ‖x − x*_α‖ ≤ ‖∇h_α(x)‖ / (αμ): `error`.
struct PenaltyMinimum {
  std::vector<double> x;  // [n, p]
  double error = 0;       // bound on ‖x − x*_α‖ over the stacked vector
};
// Needs μ > 0. Throws InputError where 1e-8 cannot be reached.
PenaltyMinimum minimise_penalty(const ConvexProblem& problem, const Network& network, double alpha, double mu,
                                std::span<const double> start);

// Each documented quantity with its value: a line of the report.
struct Constant {
  std::string name, formula;
  double value = 0;
};

struct Smoothness {
  double mu = 0, K = 0;  // min_i λ_min and max_i λ_max of ∇²f_i: exact for least squares; logistic: 0 ≤ ℓ″ ≤ ¼
};
Smoothness smoothness(const ConvexProblem& problem);

// γ² = max_i (1/m) Σ_θ ‖∇ℓ(x, θ) − ∇f_i(x)‖², the variance of one sample's gradient at x.
double gradient_noise(const ConvexProblem& problem, std::span<const double> x);
// D² = (1/n) Σ_i ‖∇f_i(x*)‖²: how much the nodes disagree.
double disagreement(const ConvexProblem& problem, std::span<const double> x);
// E‖Q(x) − x‖², the mean of `draws` codes.
double quantizer_variance(const Codec& codec, std::span<const Real> x, std::uint64_t seed, int draws = 200);
// E[1/V] over nodes and iterations, seconds a sample: the mean of 100,000 draws.
double mean_seconds_a_sample(const SpeedModel& speed, std::uint32_t nodes);

}  // namespace quantimed

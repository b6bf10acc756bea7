// SPDX-License-Identifier: BSD-3-Clause
// f* of a problem with many features: no matrix is formed, so that memory is a few vectors of p numbers.
#pragma once

#include "dataset/shards.hpp"
#include "theory/convex_problem.hpp"

#include <span>
#include <vector>

namespace quantimed {

struct Optimum {
  std::vector<double> x;     // [p]
  double value = 0;          // f(x), the least that was found
  double gradient_norm = 0;  // ‖∇f(x)‖
  // f(x) − f* is at most this: ‖∇f(x)‖² / (2 μ), μ = λ/N. Infinite without an ℓ2 term.
  double error = 0;
  int steps = 0;             // of Newton's method
  std::size_t products = 0;  // ∇²f · v
};

// argmin of f(x) = (1/N) Σ_θ ℓ(aᵀx, y) + λ/(2N) ‖x‖² over the shards' rows, or of Σ_i s_i f_i(x) + λ/(2N) ‖x‖² with
// f_i the mean over node i's rows and s_i its share ([n], which sum to 1; empty: 1/n each), in float64, by Newton's
// method: each step solves ∇²f d = ∇f by conjugate gradients, as far as is worth it there, and is shortened until f
// falls (J. Nocedal and S. Wright, "Numerical Optimization", algorithm 7.1). Ends at ‖∇f‖ ≤ 1e-12 (1 + ‖∇f(0)‖), or
// where rounding allows no smaller one. From x = 0, so that least squares of a rank that is short give the solution of
// least norm. Throws InputError where f has no minimiser (logistic regression that a plane solves, without an ℓ2 term).
Optimum find_optimum(const Dataset& data, const Shards& shards, ConvexLoss loss, double lambda,
                     std::span<const double> shares = {});

// The same function's value at x, [p].
double objective_value(const Dataset& data, const Shards& shards, ConvexLoss loss, double lambda,
                       std::span<const double> shares, std::span<const double> x);

}  // namespace quantimed

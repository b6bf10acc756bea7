// SPDX-License-Identifier: BSD-3-Clause
// The constants of problems whose solution is not known: from float32 gradients, at one model.
#pragma once

#include "dataset/shards.hpp"
#include "problem/problem.hpp"

#include <cstdint>
#include <span>

namespace quantimed {

// γ² = max_i (1/m) Σ_θ ‖∇ℓ(x, θ) − ∇f_i(x)‖², as gradient_noise() of reference.hpp.
double estimate_gradient_noise(const Problem& problem, const Shards& shards, std::span<const Real> x);

// The largest |eigenvalue| of ∇²f(x) without the ℓ2 term: a lower bound on K. Power iteration of 30 steps on
// differences of the gradient; good to a few per cent.
double estimate_curvature(const Problem& problem, const Shards& shards, std::span<const Real> x, std::uint64_t seed);

}  // namespace quantimed

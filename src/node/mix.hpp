// SPDX-License-Identifier: BSD-3-Clause
// The update that DSGD and its kin share, as a fused pass over the model. (General formulas: sweep.hpp.)
#pragma once

#include "base/types.hpp"
#include "codec/codec.hpp"
#include "node/node.hpp"
#include "problem/problem.hpp"

#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace quantimed {

// x ← self · x + neighbours · Σ_{j∈N_i} w_ij z_j + gradient · g
struct Coefficients {
  Real self = 0;
  Real neighbours = 0;
  Real gradient = 0;
};

// One neighbour's message and its weight w_ij.
struct MixTerm {
  std::span<const std::byte> message;
  Real weight;
};

// The gradient as it comes: a sum over |S| samples, and the ℓ2 coefficient that goes with that batch.
struct GradientSum {
  std::span<const Real> sum;  // [p]; empty where |S| = 0
  std::size_t batch = 0;      // |S|
  Real l2 = 0;                // λ/|S| or λ/N on the penalised coordinates; 0 where |S| = 0
};

// λ/|S| or λ/N, as the penalty says (paper.md). 0 for an empty batch: such a node only mixes.
Real l2_coefficient(const Penalty& penalty, std::size_t batch, std::size_t all_samples);

// Weights of models that sum to 1 but for the rounding of a few additions. In double precision the update is then
// written as x + Σ w_j (z_j − x), so that equal models do not move. In single precision it keeps the form, and the
// bits, of 0.1.0: equal models move by the rounding of the sum.
inline bool is_average(Real sum_of_weights, std::size_t terms) {
  const Real rounding = std::numeric_limits<Real>::epsilon() * static_cast<Real>(4 * (terms + 1));
  return kIsDouble && std::abs(sum_of_weights - 1) <= rounding;
}

// For coordinates first … last − 1 of x [p]:
//   out ← self · x + neighbours · Σ_j w_ij z_j + gradient · (sum/|S| + l2 · x on penalised coordinates)
// out [p] may be x itself. The result of a coordinate does not depend on how the range is cut.
// first: a multiple of Codec::kSlice. Returns how many blocks of messages are known to be decoded wrongly.
std::uint64_t mix(std::span<const Real> x, std::span<Real> out, std::size_t first, std::size_t last,
                  const Coefficients& c, std::span<const MixTerm> terms, const Codec& codec, const GradientSum& g,
                  std::span<const CoordinateRange> penalised);

}  // namespace quantimed

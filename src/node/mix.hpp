// SPDX-License-Identifier: BSD-3-Clause
// The update that DSGD and its kin share, as a fused pass over the model. (General formulas: sweep.hpp.)
#pragma once

#include "base/types.hpp"
#include "codec/codec.hpp"
#include "node/node.hpp"
#include "problem/problem.hpp"

#include <span>
#include <vector>

namespace quantimed {

// x ← self · x + neighbours · Σ_{j∈N_i} w_ij z_j + gradient · g
struct Coefficients {
  float self = 0;
  float neighbours = 0;
  float gradient = 0;
};

// One neighbour's message and its weight w_ij.
struct MixTerm {
  std::span<const std::byte> message;
  float weight;
};

// The gradient as it comes: a sum over |S| samples, and the ℓ2 coefficient that goes with that batch.
struct GradientSum {
  std::span<const float> sum;  // [p]; empty where |S| = 0
  std::size_t batch = 0;       // |S|
  float l2 = 0;                // λ/|S| or λ/N on the penalised coordinates; 0 where |S| = 0
};

// λ/|S| or λ/N, as the penalty says (paper.md). 0 for an empty batch: such a node only mixes.
float l2_coefficient(const Penalty& penalty, std::size_t batch, std::size_t all_samples);

// For coordinates first … last − 1 of x [p]:
//   out ← self · x + neighbours · Σ_j w_ij z_j + gradient · (sum/|S| + l2 · x on penalised coordinates)
// out [p] may be x itself. The result of a coordinate does not depend on how the range is cut.
// first: a multiple of Codec::kSlice. Returns how many blocks of messages are known to be decoded wrongly.
std::uint64_t mix(std::span<const float> x, std::span<float> out, std::size_t first, std::size_t last,
                  const Coefficients& c, std::span<const MixTerm> terms, const Codec& codec, const GradientSum& g,
                  std::span<const CoordinateRange> penalised);

}  // namespace quantimed

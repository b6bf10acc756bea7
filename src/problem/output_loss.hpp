// SPDX-License-Identifier: BSD-3-Clause
// The loss at the output units, and where the backward pass begins.
//
// z: [samples, outputs], the output layer's sums; y: the targets of the rows. With one output y is the target's own
// value (0 or 1, or a regression's); with more it is the class's unit vector.
#pragma once

#include <cstddef>
#include <span>

#include "problem/problem.hpp"

namespace quantimed {

enum class Loss {
  sigmoid_cross_entropy,  // Σ_units −y log σ(z) − (1 − y) log(1 − σ(z)), the paper's
  softmax,                // −Σ_units y log softmax(z)
  squared,                // ½ ‖z − y‖²
};
const char* to_string(Loss loss);

// z ← ∂ℓ/∂z, one row a sample: σ(z) − y, softmax(z) − y or z − y.
void output_delta(Loss loss, const Dataset& data, std::span<const SampleId> rows, std::size_t outputs, Real* z);

// ℓ summed over the rows in float64, and hits: the largest output is the class's (one output: z > 0 means class 1).
// Destroys z. Not a number anywhere in z, or an overflow, gives a loss that is not finite.
// hits_of_class [classes]: += the hits among each class's samples; empty: not wanted.
LossSum output_loss(Loss loss, const Dataset& data, std::span<const SampleId> rows, std::size_t outputs, Real* z,
                    std::span<std::uint64_t> hits_of_class = {});

}  // namespace quantimed

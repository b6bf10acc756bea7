// SPDX-License-Identifier: BSD-3-Clause
// Unbiased stochastic rounding to integers, the heart of every grid code.
#pragma once

#include <cstdint>
#include <span>

#include "base/random.hpp"
#include "base/real.hpp"
#include "codec/packing.hpp"

namespace quantimed {

struct Quantized {
  std::size_t width = 0;  // fewest bits that hold −k … k, where k = ⌈max |y|⌉ is what an index can reach; 0: all are 0
  std::uint64_t overflows = 0;  // coordinates beyond ±limit (clamped) or not a number (0)
};

// indices[i] = ⌊y⌋ or ⌊y⌋ + 1, with expectation y = x[i] · inverse_step, by the random words 512·block + i.
// The probability is a multiple of 2^−16: the bias is at most 2^−17 of a step (and a float's own rounding of y).
// x: at most 512 coordinates, the rest counts as 0.  limit: a whole number ≤ packing::kMaxIndex.
// The indices are the same on every machine and with every compiler (IEEE arithmetic, round to nearest).
Quantized quantize_block(std::span<const Real> x, float inverse_step, float limit, const StreamKey& key,
                         std::uint32_t block, std::span<std::int32_t, packing::kBlock> indices);

}  // namespace quantimed

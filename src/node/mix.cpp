// SPDX-License-Identifier: BSD-3-Clause
#include "node/mix.hpp"

#include <algorithm>

#include "base/instructions.hpp"

namespace quantimed {

namespace {

// Coordinates that stay in the first-level cache while all neighbours are added: 8 KiB of sums, 8 KiB of model.
constexpr std::size_t kBlock = 4 * Codec::kSlice;

QUANTIMED_KERNEL void scale(const float* x, float factor, std::size_t count, float* out) {
  for (std::size_t k = 0; k < count; ++k) out[k] = factor * x[k];
}

QUANTIMED_KERNEL void take_step(const float* from, float step, const float* gradient, std::size_t count, float* out) {
  for (std::size_t k = 0; k < count; ++k) out[k] = from[k] + step * gradient[k];
}

// acc ← self · x, with the ℓ2 term folded into the coefficient where it applies.
void start_block(std::span<const float> x, std::size_t first, float self, float penalised_self,
                 std::span<const CoordinateRange> penalised, std::span<float> acc) {
  const std::size_t last = first + acc.size();
  dispatched<scale>(x.data() + first, self, acc.size(), acc.data());
  if (penalised_self == self) return;
  for (const CoordinateRange& range : penalised) {
    const std::size_t from = std::max(first, range.first), to = std::min(last, range.last);
    if (from < to) dispatched<scale>(x.data() + from, penalised_self, to - from, acc.data() + (from - first));
  }
}

}  // namespace

float l2_coefficient(const Penalty& penalty, std::size_t batch, std::size_t all_samples) {
  if (batch == 0) return 0;
  const std::size_t count = penalty.per == Penalty::Per::batch ? batch : all_samples;
  return static_cast<float>(penalty.lambda / static_cast<double>(count));
}

std::uint64_t mix(std::span<const float> x, std::span<float> out, std::size_t first, std::size_t last,
                  const Coefficients& c, std::span<const MixTerm> terms, const Codec& codec, const GradientSum& g,
                  std::span<const CoordinateRange> penalised) {
  alignas(kCacheLine) float sums[kBlock];
  const float penalised_self = c.self + c.gradient * g.l2;
  const float step = g.batch == 0 ? 0 : c.gradient / static_cast<float>(g.batch);
  std::uint64_t wrong = 0;
  for (std::size_t block = first; block < last; block += kBlock) {
    const std::size_t count = std::min(kBlock, last - block);
    const std::span<float> acc(sums, count);
    const std::span<const float> own = x.subspan(block, count);
    start_block(x, block, c.self, penalised_self, penalised, acc);
    for (const MixTerm& term : terms)
      wrong += codec.accumulate(term.message, c.neighbours * term.weight, block, own, acc);
    float* const next = out.data() + block;
    if (g.batch == 0) {
      std::copy_n(sums, count, next);
    } else {
      dispatched<take_step>(sums, step, g.sum.data() + block, count, next);
    }
  }
  return wrong;
}

}  // namespace quantimed

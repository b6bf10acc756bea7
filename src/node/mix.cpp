// SPDX-License-Identifier: BSD-3-Clause
#include "node/mix.hpp"

#include <algorithm>

namespace quantimed {

namespace {

// Coordinates that stay in the first-level cache while all neighbours are added: 8 KiB of sums, 8 KiB of model.
constexpr std::size_t kBlock = 4 * Codec::kSlice;

// acc ← self · x, with the ℓ2 term folded into the coefficient where it applies.
void start_block(std::span<const float> x, std::size_t first, float self, float penalised_self,
                 std::span<const CoordinateRange> penalised, std::span<float> acc) {
  const std::size_t last = first + acc.size();
  const float* const block = x.data() + first;
  for (std::size_t k = 0; k < acc.size(); ++k) acc[k] = self * block[k];
  if (penalised_self == self) return;
  for (const CoordinateRange& range : penalised) {
    const std::size_t from = std::max(first, range.first), to = std::min(last, range.last);
    for (std::size_t k = from; k < to; ++k) acc[k - first] = penalised_self * x[k];
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
      const float* const sum = g.sum.data() + block;
      for (std::size_t k = 0; k < count; ++k) next[k] = sums[k] + step * sum[k];
    }
  }
  return wrong;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "node/mix.hpp"

#include <algorithm>

#include "base/instructions.hpp"

namespace quantimed {

namespace {

// Coordinates that stay in the first-level cache while all neighbours are added: 8 KiB of sums, 8 KiB of model.
constexpr std::size_t kBlock = 4 * Codec::kSlice;

QUANTIMED_KERNEL void scale(const Real* x, Real factor, std::size_t count, Real* out) {
  for (std::size_t k = 0; k < count; ++k) out[k] = factor * x[k];
}

QUANTIMED_KERNEL void take_step(const Real* from, Real step, const Real* gradient, std::size_t count, Real* out) {
  for (std::size_t k = 0; k < count; ++k) out[k] = from[k] + step * gradient[k];
}

// acc += weight · (z − x)
QUANTIMED_KERNEL void add_difference(const Real* __restrict z, const Real* __restrict x, Real weight, std::size_t count,
                                     Real* __restrict acc) {
  for (std::size_t k = 0; k < count; ++k) acc[k] += weight * (z[k] - x[k]);
}

QUANTIMED_KERNEL void add_scaled(const Real* x, Real factor, std::size_t count, Real* acc) {
  for (std::size_t k = 0; k < count; ++k) acc[k] += factor * x[k];
}

// x + (Σ_j w_ij (z_j − x) + the ℓ2 term) + step · gradient
void mix_differences(std::span<const Real> x, std::span<Real> out, std::size_t first, std::size_t last,
                     const Coefficients& c, std::span<const MixTerm> terms, const GradientSum& g,
                     std::span<const CoordinateRange> penalised) {
  alignas(kCacheLine) Real sums[kBlock];
  const Real step = g.batch == 0 ? 0 : c.gradient / static_cast<Real>(g.batch), shrink = c.gradient * g.l2;
  for (std::size_t block = first; block < last; block += kBlock) {
    const std::size_t count = std::min(kBlock, last - block);
    std::fill_n(sums, count, Real{0});
    for (const MixTerm& term : terms)
      dispatched<add_difference>(reinterpret_cast<const Real*>(term.message.data()) + block, x.data() + block,
                                 c.neighbours * term.weight, count, sums);
    for (const CoordinateRange& range : penalised) {
      const std::size_t from = std::max(block, range.first), to = std::min(block + count, range.last);
      if (shrink != 0 && from < to) dispatched<add_scaled>(x.data() + from, shrink, to - from, sums + (from - block));
    }
    dispatched<add_scaled>(x.data() + block, Real{1}, count, sums);
    Real* const next = out.data() + block;
    if (g.batch == 0)
      std::copy_n(sums, count, next);
    else
      dispatched<take_step>(sums, step, g.sum.data() + block, count, next);
  }
}

bool is_average_of_models(const Coefficients& c, std::span<const MixTerm> terms) {
  Real sum = c.self;
  for (const MixTerm& term : terms) sum += c.neighbours * term.weight;
  return is_average(sum, terms.size());
}

// acc ← self · x, with the ℓ2 term folded into the coefficient where it applies.
void start_block(std::span<const Real> x, std::size_t first, Real self, Real penalised_self,
                 std::span<const CoordinateRange> penalised, std::span<Real> acc) {
  const std::size_t last = first + acc.size();
  dispatched<scale>(x.data() + first, self, acc.size(), acc.data());
  if (penalised_self == self) return;
  for (const CoordinateRange& range : penalised) {
    const std::size_t from = std::max(first, range.first), to = std::min(last, range.last);
    if (from < to) dispatched<scale>(x.data() + from, penalised_self, to - from, acc.data() + (from - first));
  }
}

}  // namespace

Real l2_coefficient(const Penalty& penalty, std::size_t batch, std::size_t all_samples) {
  if (batch == 0) return 0;
  const std::size_t count = penalty.per == Penalty::Per::batch ? batch : all_samples;
  return static_cast<Real>(penalty.lambda / static_cast<double>(count));
}

std::uint64_t mix(std::span<const Real> x, std::span<Real> out, std::size_t first, std::size_t last,
                  const Coefficients& c, std::span<const MixTerm> terms, const Codec& codec, const GradientSum& g,
                  std::span<const CoordinateRange> penalised) {
  if constexpr (kIsDouble)
    if (codec.is_identity() && is_average_of_models(c, terms)) {
      mix_differences(x, out, first, last, c, terms, g, penalised);
      return 0;
    }
  alignas(kCacheLine) Real sums[kBlock];
  const Real penalised_self = c.self + c.gradient * g.l2;
  const Real step = g.batch == 0 ? 0 : c.gradient / static_cast<Real>(g.batch);
  std::uint64_t wrong = 0;
  for (std::size_t block = first; block < last; block += kBlock) {
    const std::size_t count = std::min(kBlock, last - block);
    const std::span<Real> acc(sums, count);
    const std::span<const Real> own = x.subspan(block, count);
    start_block(x, block, c.self, penalised_self, penalised, acc);
    for (const MixTerm& term : terms)
      wrong += codec.accumulate(term.message, c.neighbours * term.weight, block, own, acc);
    Real* const next = out.data() + block;
    if (g.batch == 0) {
      std::copy_n(sums, count, next);
    } else {
      dispatched<take_step>(sums, step, g.sum.data() + block, count, next);
    }
  }
  return wrong;
}

}  // namespace quantimed

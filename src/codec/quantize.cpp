// SPDX-License-Identifier: BSD-3-Clause
#include "codec/quantize.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/instructions.hpp"

namespace quantimed {

namespace {

using packing::kBlock;

// Adding 1.5 · 2^23 rounds a float to an integer and leaves it in the low bits. The constant's own low 16 bits are 0.
constexpr float kRounder = 12582912.0f;
constexpr std::int32_t kRounderHigh = 0x4B40;
static_assert(std::bit_cast<std::uint32_t>(kRounder) == static_cast<std::uint32_t>(kRounderHigh) << 16);

// max |x|; an infinity or a NaN comes out as itself, since their bits exceed those of every number.
template <class Number>
QUANTIMED_KERNEL float max_magnitude(std::span<const Number> x) {
  std::int32_t greatest = 0;
#pragma omp simd reduction(max : greatest)
  for (std::size_t i = 0; i < x.size(); ++i)
    greatest = std::max(greatest, std::bit_cast<std::int32_t>(static_cast<float>(x[i])) & 0x7fffffff);
  return std::bit_cast<float>(greatest);
}

// Needs |x · inverse_step| ≤ limit.
template <class Number>
QUANTIMED_KERNEL void round_block(const Number* __restrict x, float inverse_step, float limit,
                                  const std::uint16_t* __restrict words, std::int32_t* __restrict indices) {
#pragma omp simd
  for (std::size_t i = 0; i < kBlock; ++i) {
    // The minimum changes no value. It stands between the product and the subtraction below, which a compiler would
    // else contract into one rounding where the machine can: other indices than on a machine that cannot.
    const float scaled = static_cast<float>(x[i]) * inverse_step;
    const float y = scaled < limit ? scaled : limit;
    const auto whole = static_cast<std::int32_t>(y);
    const float fraction = y - static_cast<float>(whole);  // exact, in (−1, 1), the sign of y
    // ⌊(round(2^16 · fraction) + word) / 2^16⌋ is −1, 0 or 1. The product is exact, contracted or not.
    const auto rounded = std::bit_cast<std::uint32_t>(fraction * 65536.0f + kRounder);
    indices[i] = whole + (static_cast<std::int32_t>((rounded + words[i]) >> 16) - kRounderHigh);
  }
}

// The same indices where they fit 16 bits, in half the instructions: with t = round(2^16 · y) in 32 bits, whole part
// and fraction are t's halves, and the index is ⌊(t + word) / 2^16⌋. Scaling by 2^16 is exact, so nothing is rounded
// that round_block does not round.
constexpr float kNarrow = 32766;           // |y|; leaves room for the word
constexpr float kFinestNarrow = 0x1p111f;  // 1/step: times 2^16 it is still a float, and no 0 · ∞ comes of a 0

// To the nearest, ties to even. Beyond an int's range it is some number: quantize_block then takes another way. (What
// lets GCC make one instruction of it is -fno-math-errno, which CMake gives this file.)
QUANTIMED_KERNEL std::int32_t round_to_integer(float v) {
#ifdef __clang__
  constexpr float kEnd = 0x1p30f;
  return static_cast<std::int32_t>(std::nearbyint(std::min(std::max(v, -kEnd), kEnd)));
#else
  return __builtin_irintf(v);
#endif
}

// Returns max |x|, as max_magnitude does: one look at x is enough for both.
QUANTIMED_KERNEL float round_narrow_block(const Real* __restrict x, float inverse_step,
                                          const std::uint16_t* __restrict words, std::int32_t* __restrict indices) {
  const float scale = inverse_step * 65536.0f;
  std::int32_t greatest = 0;
#pragma omp simd reduction(max : greatest)
  for (std::size_t i = 0; i < kBlock; ++i) {
    greatest = std::max(greatest, std::bit_cast<std::int32_t>(static_cast<float>(x[i])) & 0x7fffffff);
    // Unsigned, because what does not fit may overflow.
    const auto sum = static_cast<std::uint32_t>(round_to_integer(static_cast<float>(x[i]) * scale)) + words[i];
    indices[i] = static_cast<std::int32_t>(sum) >> 16;
  }
  return std::bit_cast<float>(greatest);
}

// Whether vectors can be rounded to integers: the baseline of x86-64 has no instruction for it.
bool rounds_vectors() {
#if defined(__SSE4_1__) || !defined(__x86_64__)
  return true;
#else
  return instructions_in_use() != Instructions::compiled;
#endif
}

// y = x · inverse_step, clamped; returns how many did not fit.
std::uint64_t clamp_block(std::span<const Real> x, float inverse_step, float limit, float* y) {
  std::uint64_t overflows = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float scaled = static_cast<float>(x[i]) * inverse_step;
    if (!(std::fabs(scaled) <= limit)) ++overflows;
    y[i] = std::isnan(x[i]) ? 0.0f : std::clamp(scaled, -limit, limit);
  }
  std::fill(y + x.size(), y + kBlock, 0.0f);
  return overflows;
}

// Fewest bits that hold −⌈reach⌉ … ⌈reach⌉.
std::size_t width_of(float reach) {
  const auto greatest = static_cast<std::uint32_t>(std::ceil(reach));
  return greatest == 0 ? 0 : static_cast<std::size_t>(std::bit_width(greatest)) + 1;
}

}  // namespace

Quantized quantize_block(std::span<const Real> x, float inverse_step, float limit, const StreamKey& key,
                         std::uint32_t block, std::span<std::int32_t, kBlock> indices) {
  alignas(kCacheLine) std::uint16_t words[kWordsBlock];
  random_words16(key, block, words);
  if (x.size() == kBlock && inverse_step <= kFinestNarrow && rounds_vectors()) {
    const float reach = dispatched<round_narrow_block>(x.data(), inverse_step, words, indices.data()) * inverse_step;
    if (reach <= std::min(limit, kNarrow)) return {.width = width_of(reach), .overflows = 0};  // false for NaN
  }
  Quantized result;
  float reach = dispatched<max_magnitude<Real>>(x) * inverse_step;  // max |y|
  if (x.size() == kBlock && reach <= limit) {
    dispatched<round_block<Real>>(x.data(), inverse_step, limit, words, indices.data());
  } else {
    alignas(kCacheLine) float y[kBlock];
    result.overflows = clamp_block(x, inverse_step, limit, y);
    reach = dispatched<max_magnitude<float>>(std::span<const float>(y));
    dispatched<round_block<float>>(static_cast<const float*>(y), 1.0f, limit, words, indices.data());
  }
  result.width = width_of(reach);
  return result;
}

}  // namespace quantimed

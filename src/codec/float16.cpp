// SPDX-License-Identifier: BSD-3-Clause
// float16: IEEE half precision, 16 bits a coordinate, rounded to one of the two neighbouring halves at random so that
// it is unbiased (rounding to nearest is not, and a bias of half a unit each round would be the algorithm's to bear).
//
// Exactly unbiased where |x| ≥ 2^−14: of the 13 bits that a half drops, all take part in the draw. Below, halves are
// a grid of step 2^−24, and the bias is at most 2^−17 of a step. Beyond 65504 (clamped) or not a number (0): overflow.
#include <algorithm>
#include <bit>
#include <cmath>

#include "base/instructions.hpp"
#include "codec/codecs.hpp"

namespace quantimed {

namespace {

using Half = std::uint16_t;

constexpr std::size_t kBlock = kWordsBlock;
static_assert(kBlock == Codec::kSlice, "one block of random words a slice");

constexpr int kDropped = 23 - 10;            // mantissa bits
constexpr std::uint32_t kRebias = 127 - 15;  // exponents
constexpr std::uint32_t kLargest = std::bit_cast<std::uint32_t>(65504.0f);
constexpr std::uint32_t kInfinity = 0x7f800000;
constexpr std::uint32_t kSmallestNormal = std::bit_cast<std::uint32_t>(0x1p-14f);
constexpr std::uint32_t kHalfNormal = 1u << 10;  // 2^−14 as a half

// All bits set where `condition` holds. What is selected by it leaves no branch, so loops become vectors everywhere; of
// a ?: between floats compilers make a branch where the machine has no masked instructions.
QUANTIMED_KERNEL std::uint32_t mask_of(bool condition) { return 0u - static_cast<std::uint32_t>(condition); }

// Both ways are computed for every coordinate and one is selected.
QUANTIMED_KERNEL Half round_half(std::uint32_t bits, std::uint32_t word) {
  const std::uint32_t sign = bits >> 16 & 0x8000;
  const std::uint32_t any = bits & 0x7fffffff;
  const std::uint32_t magnitude = std::min(any, kLargest) & mask_of(any <= kInfinity);
  const std::uint32_t draw = word & ((1u << kDropped) - 1);
  const std::uint32_t normal = ((magnitude + draw) >> kDropped) - (kRebias << 10);
  // In units of 2^−24 / 2^17, ⌊(17 bits + word + ½) / 2^17⌋.
  const float tiny = std::bit_cast<float>(std::min(magnitude, kSmallestNormal)) * 0x1p41f;
  const std::uint32_t subnormal = (static_cast<std::uint32_t>(static_cast<std::int32_t>(tiny)) + 2 * word + 1) >> 17;
  const std::uint32_t is_subnormal = mask_of(magnitude < kSmallestNormal);
  return static_cast<Half>(sign | (subnormal & is_subnormal) | (normal & ~is_subnormal));
}

QUANTIMED_KERNEL float widen(std::uint32_t half) {
  const std::uint32_t magnitude = half & 0x7fff;
  // A subnormal m 2^−24 is read as (1 + m 2^−10) 2^−14, and the 2^−14 taken off again. Only constants are selected,
  // and float subnormals, slow on many machines, are never met.
  const bool is_normal = magnitude >= kHalfNormal;
  const std::uint32_t exponent = (is_normal ? kRebias : kRebias + 1) << 23;
  const auto excess = std::bit_cast<float>(is_normal ? 0u : std::bit_cast<std::uint32_t>(0x1p-14f));
  const float value = std::bit_cast<float>((magnitude << kDropped) + exponent) - excess;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | (half & 0x8000) << 16);
}

QUANTIMED_KERNEL std::uint32_t round_block(const Real* __restrict x, const std::uint16_t* __restrict words,
                                           std::size_t count, Half* __restrict out) {
  std::uint32_t overflows = 0;
#pragma omp simd reduction(+ : overflows)
  for (std::size_t k = 0; k < count; ++k) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(x[k]));
    overflows += (bits & 0x7fffffff) > kLargest ? 1u : 0u;
    out[k] = round_half(bits, words[k]);
  }
  return overflows;
}

QUANTIMED_KERNEL void add_halves(const Half* __restrict z, Real weight, Real* __restrict sum, std::size_t count) {
#pragma omp simd
  for (std::size_t k = 0; k < count; ++k) sum[k] += weight * widen(z[k]);
}

class Float16 final : public Codec {
 public:
  std::string name() const override { return "float16"; }
  CodecClass kind() const override { return CodecClass::unbiased; }
  double constant(std::size_t) const override { return 0x1p-22; }  // where |x| ≥ 2^−14
  double paper_bits() const override { return 16; }

  // Neighbouring halves are at most max(2^−10 |x|, 2^−24) apart: a quarter of its square.
  double variance_bound(std::span<const Real> x) const override {
    double sum = 0;
    for (const Real v : x) {
      const double step = std::max(0x1p-10 * static_cast<double>(std::abs(v)), 0x1p-24);
      sum += step * step / 4;
    }
    return sum;
  }

  std::size_t capacity(std::size_t p) const override { return p * sizeof(Half); }

  std::size_t wire_bytes(std::span<const std::byte>, std::size_t p) const override { return capacity(p); }

  Encoded encode(std::span<const Real> x, const StreamKey& key, std::span<std::byte> message) const override {
    return encode_slice(x, key, 0, message);
  }

  bool is_sliceable() const override { return true; }

  Encoded encode_slice(std::span<const Real> x, const StreamKey& key, std::size_t first,
                       std::span<std::byte> message) const override {
    check_slice(first);
    check_message(message, capacity(first + x.size()));
    Half* out = reinterpret_cast<Half*>(message.data()) + first;
    Encoded result{.bytes = capacity(x.size())};
    alignas(kCacheLine) std::uint16_t words[kBlock];
    for (std::size_t k = 0; k < x.size(); k += kBlock) {
      random_words16(key, static_cast<std::uint32_t>((first + k) / kBlock), words);
      const std::size_t count = std::min(kBlock, x.size() - k);
      result.overflows += dispatched<round_block>(x.data() + k, words, count, out + k);
    }
    return result;
  }

  std::uint64_t accumulate(std::span<const std::byte> message, Real weight, std::size_t first, std::span<const Real>,
                           std::span<Real> acc) const override {
    check_slice(first);
    dispatched<add_halves>(reinterpret_cast<const Half*>(message.data()) + first, weight, acc.data(), acc.size());
    return 0;
  }
};

}  // namespace

std::unique_ptr<Codec> make_float16() { return std::make_unique<Float16>(); }

}  // namespace quantimed

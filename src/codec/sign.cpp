// SPDX-License-Identifier: BSD-3-Clause
// sign: Q(x)_i = (‖x‖₁ / p) sign(x_i), with sign(0) = +1. Biased; ‖Q(x) − x‖² = ‖x‖² − ‖x‖₁² / p exactly, at most
// (1 − 1/p) ‖x‖² (Karimireddy, Rebjock, Stich, Jaggi, "Error feedback fixes SignSGD", ICML 2019).
// sign:B: the same in each block of B coordinates, with scales of their own; the last block may be shorter.
//
// An infinity keeps its sign, a NaN has sign +1, and neither adds to the scale; both are overflows.
//
// Message: a group is one line with the scales (float32) of 16 blocks of B, then their signs, a line for each 512
// coordinates: bit i / 16 of the line's word i mod 16 is set where coordinate i is negative. For `sign` B is without
// end. Everything lies at a fixed place. On the wire a bit a coordinate, and 32 a block of B.
#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "base/instructions.hpp"
#include "codec/codecs.hpp"
#include "codec/packing.hpp"
#include "codec/sums.hpp"

namespace quantimed {

namespace {

using packing::kBlock;
using packing::kLanes;
using packing::kLineBytes;
using Word = std::uint32_t;

constexpr std::size_t kScales = kLineBytes / sizeof(float);  // a line
constexpr std::size_t kEndless = std::size_t{1} << 50;       // B of `sign`
static_assert(packing::kRows == 32, "a bit a row in each lane's word");

// The signs of 512 coordinates.
QUANTIMED_KERNEL void pack_whole_signs(const Real* __restrict from, Word* __restrict line) {
  Word words[kLanes] = {};
  for (std::size_t row = 0; row < packing::kRows; ++row) {
#pragma omp simd
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      words[lane] |= (from[row * kLanes + lane] < 0 ? Word{1} : Word{0}) << row;  // false for −0 and NaN
  }
  std::memcpy(line, words, sizeof(words));
}

// The signs of up to 512 coordinates.
void pack_signs(std::span<const Real> x, Word* line) {
  alignas(kCacheLine) Real whole[kBlock];
  const Real* from = x.data();
  if (x.size() < kBlock) {
    std::copy(x.begin(), x.end(), whole);
    std::fill(whole + x.size(), whole + kBlock, 0.0f);
    from = whole;
  }
  dispatched<pack_whole_signs>(from, line);
}

QUANTIMED_KERNEL Real signed_scale(Real scale, Word word, std::size_t row) {
  using Bits = std::conditional_t<kIsDouble, std::uint64_t, Word>;
  return std::bit_cast<Real>(std::bit_cast<Bits>(scale) ^ Bits{word >> row & 1} << (8 * sizeof(Real) - 1));
}

// acc += weight · ±scale for up to 512 coordinates; row r has the scale number r >> shift.
QUANTIMED_KERNEL void accumulate_signs(const Word* __restrict line, const float* __restrict scales, std::size_t shift,
                                       Real weight, std::span<Real> acc) {
  Real* __restrict sum = acc.data();
  const std::size_t rows = acc.size() / kLanes;
  for (std::size_t row = 0; row < rows; ++row) {
    const Real scale = weight * scales[row >> shift];
#pragma omp simd
    for (std::size_t lane = 0; lane < kLanes; ++lane) sum[row * kLanes + lane] += signed_scale(scale, line[lane], row);
  }
  for (std::size_t k = rows * kLanes; k < acc.size(); ++k)
    sum[k] += signed_scale(weight * scales[rows >> shift], line[k % kLanes], rows);
}

class Sign final : public Codec {
 public:
  explicit Sign(std::size_t length)
      : length_(length),
        group_blocks_(length * kScales / kBlock),
        shift_(static_cast<std::size_t>(std::bit_width(std::min(length, kBlock) / kLanes)) - 1) {}

  std::string name() const override { return is_whole() ? "sign" : fmt::format("sign:{}", length_); }
  CodecClass kind() const override { return CodecClass::contraction; }
  double constant(std::size_t p) const override {
    return 1 / static_cast<double>(std::max<std::size_t>(1, std::min(length_, p)));
  }
  double paper_bits() const override { return 1; }

  // ‖x‖² − Σ ‖x_b‖₁² / B, which is the error itself.
  double variance_bound(std::span<const Real> x) const override {
    double kept = 0;
    for_each_block(x, [&](std::size_t, std::span<const Real> part) {
      const double sum = sum_of_magnitudes(part).value;
      kept += sum * sum / static_cast<double>(part.size());
    });
    return std::max(0.0, sum_of_squares(x).value - kept);
  }

  std::size_t capacity(std::size_t p) const override {
    const std::size_t blocks = packing::blocks(p);
    return kLineBytes * (blocks / group_blocks_ + (blocks % group_blocks_ != 0) + blocks);
  }

  std::size_t wire_bytes(std::span<const std::byte>, std::size_t p) const override {
    return sizeof(float) * scales(p) + packing::bytes(1, p);
  }

  Encoded encode(std::span<const Real> x, const StreamKey&, std::span<std::byte> message) const override {
    check_message(message, capacity(x.size()));
    return write(x, 0, message.first(capacity(x.size())));
  }

  bool is_sliceable() const override { return length_ <= kSlice; }

  Encoded encode_slice(std::span<const Real> x, const StreamKey& key, std::size_t first,
                       std::span<std::byte> message) const override {
    if (!is_sliceable()) return Codec::encode_slice(x, key, first, message);
    check_slice(first);
    check_message(message, capacity(first + x.size()));
    return write(x, first, message);
  }

  std::uint64_t accumulate(std::span<const std::byte> message, Real weight, std::size_t first, std::span<const Real>,
                           std::span<Real> acc) const override {
    check_slice(first);
    for (std::size_t at = 0; at < acc.size(); at += kBlock) {
      const auto* line = reinterpret_cast<const Word*>(message.data() + signs_at((first + at) / kBlock));
      // The scales of 512 coordinates are side by side in one line.
      const auto* scales = reinterpret_cast<const float*>(message.data() + scale_at((first + at) / length_));
      dispatched<accumulate_signs>(line, scales, shift_, weight, acc.subspan(at, std::min(kBlock, acc.size() - at)));
    }
    return 0;
  }

 private:
  bool is_whole() const { return length_ == kEndless; }
  std::size_t scales(std::size_t p) const { return p / length_ + (p % length_ != 0); }

  // visit(number of the block, its coordinates)
  template <class Visit>
  void for_each_block(std::span<const Real> x, Visit visit) const {
    for (std::size_t at = 0, block = 0; at < x.size(); at += std::min(length_, x.size() - at), ++block)
      visit(block, x.subspan(at, std::min(length_, x.size() - at)));
  }

  // Bytes.
  std::size_t group_at(std::size_t group) const { return group * kLineBytes * (1 + group_blocks_); }
  std::size_t scale_at(std::size_t scale) const { return group_at(scale / kScales) + scale % kScales * sizeof(float); }
  std::size_t signs_at(std::size_t block) const {  // of 512
    return group_at(block / group_blocks_) + kLineBytes * (1 + block % group_blocks_);
  }

  // Slices have length_ ≤ 512 or first = 0. A message that ends here has zeros where its last group has no scales.
  Encoded write(std::span<const Real> x, std::size_t first, std::span<std::byte> message) const {
    if (x.empty()) return {};
    const std::size_t end = first + x.size();
    Encoded result{.bytes = capacity(end) - capacity(first)};
    for_each_block(x, [&](std::size_t block, std::span<const Real> part) {
      const FiniteSum sum = sum_of_magnitudes(part);
      const auto scale = static_cast<float>(sum.value / static_cast<double>(part.size()));
      std::memcpy(message.data() + scale_at(first / length_ + block), &scale, sizeof(scale));
      result.overflows += sum.not_finite;
    });
    for (std::size_t at = 0; at < x.size(); at += kBlock)
      pack_signs(x.subspan(at, std::min(kBlock, x.size() - at)),
                 reinterpret_cast<Word*>(message.data() + signs_at((first + at) / kBlock)));
    if (message.size() <= capacity(end))
      for (std::size_t scale = scales(end); scale % kScales != 0; ++scale)
        std::memset(message.data() + scale_at(scale), 0, sizeof(float));
    return result;
  }

  std::size_t length_;        // B
  std::size_t group_blocks_;  // of 512, in a group
  std::size_t shift_;         // log2 of the rows of 16 coordinates that share a scale, within 512
};

}  // namespace

std::unique_ptr<Codec> make_sign() { return std::make_unique<Sign>(kEndless); }
std::unique_ptr<Codec> make_sign_blocks(std::size_t length) { return std::make_unique<Sign>(length); }

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// modulo: the indices of low-precision's grid, sent modulo 2^b. The receiver takes the representative nearest to its
// own model, which is the right one while |x_i − x_j| < Δ (2^(b−1) − 1) in every coordinate (an index is within 1 of
// x/Δ). Then it decodes to the very numbers that low-precision sends, in b bits instead of as many as the weights are
// large.
//
// A wrong representative is a multiple of 2^b steps off. Each block of 512 coordinates carries a checksum of its true
// indices, by which it is found and counted: but for about one in 2^32 where coordinates are off independently, and one
// in 2^14 where all of a block are off by the same.
//   a line of 64 bytes with the checksums of 16 blocks, then their bodies, packed as in packing.hpp with width b; and
//   so on. Every block lies at a fixed place.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/instructions.hpp"
#include "codec/codecs.hpp"
#include "codec/packing.hpp"
#include "codec/quantize.hpp"

namespace quantimed {

namespace {

using packing::kBlock;
using packing::kLineBytes;

constexpr std::size_t kGroup = kLineBytes / sizeof(std::uint32_t);  // blocks

// Depends on each index and on its place. A sum of products alone could miss errors that are all multiples of 2^b.
QUANTIMED_KERNEL std::uint32_t checksum(const std::int32_t* indices, std::size_t count) {
  std::uint32_t sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t k = 0; k < count; ++k) {
    const std::uint32_t mixed = static_cast<std::uint32_t>(indices[k]) * 0x9E3779B1u;
    sum += (mixed ^ (mixed >> 15)) * (2 * static_cast<std::uint32_t>(k) + 1);
  }
  return sum;
}

// The integer that is congruent to the residue and nearest to own/Δ. All of these are whole floats below 2^24.
QUANTIMED_KERNEL void nearest(const Real* own, Real inverse_step, std::size_t bits, const Real* residues,
                              std::size_t count, std::int32_t* indices) {
  const auto range = static_cast<Real>(std::size_t{1} << bits);
  const Real per_range = 1 / range;
#pragma omp simd
  for (std::size_t k = 0; k < count; ++k) {
    const Real index = residues[k] + range * std::nearbyint((own[k] * inverse_step - residues[k]) * per_range);
    indices[k] = static_cast<std::int32_t>(std::abs(index) < 0x1p24f ? index : Real{0});  // false for NaN
  }
}

QUANTIMED_KERNEL void add_indices(const std::int32_t* __restrict indices, Real scale, std::size_t count,
                                  Real* __restrict sum) {
#pragma omp simd
  for (std::size_t k = 0; k < count; ++k) sum[k] += scale * static_cast<Real>(indices[k]);
}

class Modulo final : public Codec {
 public:
  Modulo(double step, std::uint32_t bits)
      : name_(fmt::format("modulo:{},{}", step, bits)),
        step_(static_cast<float>(step)),
        inverse_step_(static_cast<float>(1.0 / step)),
        bits_(bits) {}

  std::string name() const override { return name_; }
  CodecClass kind() const override { return CodecClass::relative; }
  double paper_bits() const override { return static_cast<double>(bits_); }
  double variance_bound(std::span<const Real> x) const override {
    return static_cast<double>(x.size()) * step_ * step_ / 4;
  }
  std::size_t capacity(std::size_t p) const override {
    const std::size_t whole = p / kBlock, rest = p % kBlock;
    return kLineBytes * ((packing::blocks(p) + kGroup - 1) / kGroup + whole * bits_ + packing::lines(bits_, rest));
  }

  std::size_t wire_bytes(std::span<const std::byte>, std::size_t p) const override {
    return packing::blocks(p) * sizeof(std::uint32_t) + packing::bytes(bits_, p);
  }

  Encoded encode(std::span<const Real> x, const StreamKey& key, std::span<std::byte> message) const override {
    return encode_slice(x, key, 0, message);
  }
  bool is_sliceable() const override { return true; }
  Encoded encode_slice(std::span<const Real> x, const StreamKey& key, std::size_t first,
                       std::span<std::byte> message) const override;

  std::uint64_t accumulate(std::span<const std::byte> message, Real weight, std::size_t first,
                           std::span<const Real> own, std::span<Real> acc) const override;

 private:
  std::size_t group_bytes() const { return kLineBytes * (1 + kGroup * bits_); }
  std::size_t checksum_at(std::size_t block) const {  // byte
    return block / kGroup * group_bytes() + block % kGroup * sizeof(std::uint32_t);
  }
  std::size_t body_at(std::size_t block) const {  // byte
    return block / kGroup * group_bytes() + kLineBytes * (1 + block % kGroup * bits_);
  }

  std::string name_;
  float step_;  // Δ
  float inverse_step_;
  std::size_t bits_;
};

Encoded Modulo::encode_slice(std::span<const Real> x, const StreamKey& key, std::size_t first,
                             std::span<std::byte> message) const {
  check_slice(first);
  check_message(message, capacity(first + x.size()));
  Encoded result;
  alignas(kCacheLine) std::int32_t indices[kBlock];
  for (std::size_t at = 0; at < x.size(); at += kBlock) {
    const auto part = x.subspan(at, std::min(kBlock, x.size() - at));
    const std::size_t block = (first + at) / kBlock;
    result.overflows +=
        quantize_block(part, inverse_step_, packing::kMaxIndex, key, static_cast<std::uint32_t>(block), indices)
            .overflows;
    *reinterpret_cast<std::uint32_t*>(message.data() + checksum_at(block)) = dispatched<checksum>(indices, part.size());
    packing::pack(indices, bits_, part.size(), message.data() + body_at(block));
  }
  if (x.empty()) return result;
  // 0 where a group has no more blocks: equal models and keys make equal messages.
  for (std::size_t block = packing::blocks(first + x.size()); block % kGroup != 0; ++block)
    if (body_at(block) >= message.size()) *reinterpret_cast<std::uint32_t*>(message.data() + checksum_at(block)) = 0;
  result.bytes = capacity(first + x.size()) - capacity(first);
  return result;
}

std::uint64_t Modulo::accumulate(std::span<const std::byte> message, Real weight, std::size_t first,
                                 std::span<const Real> own, std::span<Real> acc) const {
  check_slice(first);
  const Real scale = weight * step_;
  std::uint64_t wrong = 0;
  alignas(kCacheLine) Real residues[kBlock];
  alignas(kCacheLine) std::int32_t indices[kBlock];
  for (std::size_t at = 0; at < acc.size(); at += kBlock) {
    const std::size_t count = std::min(kBlock, acc.size() - at), block = (first + at) / kBlock;
    const std::span<Real> here(residues, count);
    std::fill_n(residues, count, 0.0f);
    packing::accumulate(message.data() + body_at(block), bits_, 1, here);
    dispatched<nearest>(own.data() + at, inverse_step_, bits_, residues, count, indices);
    wrong += dispatched<checksum>(indices, count) !=
             *reinterpret_cast<const std::uint32_t*>(message.data() + checksum_at(block));
    dispatched<add_indices>(indices, scale, count, acc.data() + at);
  }
  return wrong;
}

}  // namespace

std::unique_ptr<Codec> make_modulo(double step, std::uint32_t bits) { return std::make_unique<Modulo>(step, bits); }

}  // namespace quantimed

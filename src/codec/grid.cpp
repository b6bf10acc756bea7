// SPDX-License-Identifier: BSD-3-Clause
// low-precision and rounding: every coordinate to one of the two neighbouring points of a grid of step Δ, with the
// probabilities that make it unbiased (paper, Quantizers). Variance at most p Δ² / 4, whatever x.
//
// What is sent are grid indices in as many bits as they really need: each block of 512 coordinates has its own width.
//   table  one 32-bit entry a block: where its body starts (27 bits, in lines of 64 bytes), its width (5 bits)
//   bodies one after the other, packed as in packing.hpp; a width of 0 means all indices are 0, and no body
// |x / Δ| > 2^23 − 1 (clamped) or not a number (0): overflow.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "codec/codecs.hpp"
#include "codec/quantize.hpp"

namespace quantimed {

namespace {

using packing::kBlock;
using packing::kLineBytes;

constexpr std::uint32_t kWidthBits = 5, kWidthMask = (1u << kWidthBits) - 1;
static_assert(packing::kMaxWidth < 1u << kWidthBits);

constexpr std::size_t table_lines(std::size_t p) {
  return (packing::blocks(p) * sizeof(std::uint32_t) + kLineBytes - 1) / kLineBytes;
}

class Grid final : public Codec {
 public:
  Grid(std::string name, double step)
      : name_(std::move(name)), step_(static_cast<float>(step)), inverse_step_(static_cast<float>(1.0 / step)) {
    const double s = -std::log10(step);
    // 1e-3 is not a power of ten in binary, but it is meant.
    paper_bits_ = std::max(1.0, std::abs(s - std::round(s)) < 1e-9 ? std::round(s) : s);
  }

  std::string name() const override { return name_; }
  CodecClass kind() const override { return CodecClass::absolute; }
  double paper_bits() const override { return paper_bits_; }
  double variance_bound(std::span<const Real> x) const override {
    return static_cast<double>(x.size()) * step_ * step_ / 4;
  }
  std::size_t capacity(std::size_t p) const override {
    const std::size_t last = p % kBlock;
    return (table_lines(p) + p / kBlock * packing::kMaxWidth + packing::lines(packing::kMaxWidth, last)) * kLineBytes;
  }

  std::size_t wire_bytes(std::span<const std::byte> message, std::size_t p) const override {
    const auto* table = reinterpret_cast<const std::uint32_t*>(message.data());
    std::size_t bytes = packing::blocks(p) * sizeof(std::uint32_t);
    for (std::size_t block = 0; block < packing::blocks(p); ++block)
      bytes += packing::bytes(table[block] & kWidthMask, std::min(kBlock, p - block * kBlock));
    return bytes;
  }

  Encoded encode(std::span<const Real> x, const StreamKey& key, std::span<std::byte> message) const override {
    check_message(message, capacity(x.size()));
    check(capacity(x.size()) / kLineBytes < std::size_t{1} << (32 - kWidthBits),
          "a model too large for a grid's table");
    auto* table = reinterpret_cast<std::uint32_t*>(message.data());
    std::size_t line = table_lines(x.size());
    // Bytes that carry nothing are 0 too: equal models and keys make equal messages.
    std::fill_n(message.begin(), line * kLineBytes, std::byte{0});
    Encoded result;
    alignas(kCacheLine) std::int32_t indices[kBlock];
    for (std::size_t first = 0, block = 0; first < x.size(); first += kBlock, ++block) {
      const auto part = x.subspan(first, std::min(kBlock, x.size() - first));
      const auto [width, overflows] =
          quantize_block(part, inverse_step_, packing::kMaxIndex, key, static_cast<std::uint32_t>(block), indices);
      packing::pack(indices, width, part.size(), message.data() + line * kLineBytes);
      table[block] = static_cast<std::uint32_t>(line << kWidthBits | width);
      line += packing::lines(width, part.size());
      result.overflows += overflows;
    }
    result.bytes = line * kLineBytes;
    return result;
  }

  std::uint64_t accumulate(std::span<const std::byte> message, Real weight, std::size_t first, std::span<const Real>,
                           std::span<Real> acc) const override {
    check_slice(first);
    const auto* table = reinterpret_cast<const std::uint32_t*>(message.data()) + first / kBlock;
    const Real scale = weight * step_;
    for (std::size_t k = 0; k < acc.size(); k += kBlock) {
      const std::uint32_t entry = table[k / kBlock];
      const std::byte* body = message.data() + (entry >> kWidthBits) * kLineBytes;
      packing::accumulate(body, entry & kWidthMask, scale, acc.subspan(k, std::min(kBlock, acc.size() - k)));
    }
    return 0;
  }

 private:
  std::string name_;
  float step_;  // Δ
  float inverse_step_;
  double paper_bits_;
};

}  // namespace

std::unique_ptr<Codec> make_low_precision(double step) {
  return std::make_unique<Grid>(fmt::format("low-precision:{}", step), step);
}

std::unique_ptr<Codec> make_rounding(double step) {
  return std::make_unique<Grid>(step == 1 ? "rounding" : fmt::format("rounding:{}", step), step);
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// sparsifier:M: x_i becomes sign(x_i) M with probability |x_i| / M, else 0 (paper, Quantizers: the quantization
// sparsifier). It is the grid of step M cut to −1, 0, 1, so it shares the grid's rounding; 2 bits a coordinate.
// The probability is a multiple of 2^−16: the bias is at most M 2^−17.
// |x_i| > M (clamped) or not a number (0): overflow.
//
// Message: the blocks' bodies at fixed places, two lines each, and no header.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "codec/codecs.hpp"
#include "codec/quantize.hpp"

namespace quantimed {

namespace {

using packing::kBlock;
using packing::kLineBytes;

constexpr std::size_t kWidth = 2;
constexpr std::size_t kBlockBytes = kWidth * kLineBytes;

class Sparsifier final : public Codec {
 public:
  explicit Sparsifier(double magnitude)
      : name_(fmt::format("sparsifier:{}", magnitude)),
        magnitude_(static_cast<float>(magnitude)),
        inverse_(static_cast<float>(1.0 / magnitude)) {}

  std::string name() const override { return name_; }
  CodecClass kind() const override { return CodecClass::absolute; }
  double paper_bits() const override { return kWidth; }

  // Σ |x| (M − |x|), and M² 2^−17 a coordinate for the probability's grain.
  double variance_bound(std::span<const Real> x) const override {
    const double m = magnitude_;
    double sum = static_cast<double>(x.size()) * m * m * 0x1p-17;
    for (const Real v : x) {
      const double magnitude = std::min(std::abs(static_cast<double>(v)), m);
      sum += magnitude * (m - magnitude);
    }
    return sum;
  }

  std::size_t capacity(std::size_t p) const override {
    return p / kBlock * kBlockBytes + packing::lines(kWidth, p % kBlock) * kLineBytes;
  }

  std::size_t wire_bytes(std::span<const std::byte>, std::size_t p) const override { return packing::bytes(kWidth, p); }

  Encoded encode(std::span<const Real> x, const StreamKey& key, std::span<std::byte> message) const override {
    return encode_slice(x, key, 0, message);
  }

  bool is_sliceable() const override { return true; }

  Encoded encode_slice(std::span<const Real> x, const StreamKey& key, std::size_t first,
                       std::span<std::byte> message) const override {
    check_slice(first);
    check_message(message, capacity(first + x.size()));
    Encoded result{.bytes = capacity(x.size())};
    alignas(kCacheLine) std::int32_t indices[kBlock];
    for (std::size_t k = 0; k < x.size(); k += kBlock) {
      const auto part = x.subspan(k, std::min(kBlock, x.size() - k));
      const std::size_t block = (first + k) / kBlock;
      result.overflows +=
          quantize_block(part, inverse_, 1.0f, key, static_cast<std::uint32_t>(block), indices).overflows;
      packing::pack(indices, kWidth, part.size(), message.data() + block * kBlockBytes);
    }
    return result;
  }

  std::uint64_t accumulate(std::span<const std::byte> message, Real weight, std::size_t first, std::span<const Real>,
                           std::span<Real> acc) const override {
    check_slice(first);
    const std::byte* body = message.data() + first / kBlock * kBlockBytes;
    const Real scale = weight * magnitude_;
    for (std::size_t k = 0; k < acc.size(); k += kBlock, body += kBlockBytes)
      packing::accumulate(body, kWidth, scale, acc.subspan(k, std::min(kBlock, acc.size() - k)));
    return 0;
  }

 private:
  std::string name_;
  float magnitude_;  // M
  float inverse_;
};

}  // namespace

std::unique_ptr<Codec> make_sparsifier(double magnitude) { return std::make_unique<Sparsifier>(magnitude); }

}  // namespace quantimed

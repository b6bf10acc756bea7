// SPDX-License-Identifier: BSD-3-Clause
// qsgd:LEVELS: Q(x)_i = ‖x‖ sign(x_i) ξ_i, where ξ_i is one of the two neighbours of |x_i| / ‖x‖ among the multiples
// of 1/s, unbiased (Alistarh et al., "QSGD", NeurIPS 2017; s = LEVELS). The variance grows with ‖x‖².
// It is a grid of step ‖x‖ / s, found anew for each x, with indices −s … s in ⌈log2(2 s + 1)⌉ bits.
//
// qsgd-rescaled:LEVELS: the same divided by τ = 1 + min(p / s², √p / s): biased towards 0, and so a contraction,
// E‖Q(x)/τ − x‖² ≤ (1 − 1/τ) ‖x‖² (Koloskova, Stich, Jaggi, ICML 2019). Only the step is another.
//
// The norm is that of the finite coordinates; an infinity (±‖x‖, or ±‖x‖ / τ) or a NaN (0) is an overflow.
//
// Message: one line that starts with the step (float32), then the blocks' bodies at fixed places.
#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "codec/codecs.hpp"
#include "codec/quantize.hpp"
#include "codec/sums.hpp"

namespace quantimed {

namespace {

using packing::kBlock;
using packing::kLineBytes;

// The norm is kept in this range, where it and its inverse are ordinary floats. A norm that is larger than ‖x‖ is
// still unbiased, so the lower end costs nothing but a variance below 10^−60 p.
constexpr double kSmallestNorm = 1e-30, kLargestNorm = 3e38;

struct Norm {
  double value = 0;
  std::uint64_t not_finite = 0;
};

Norm finite_norm(std::span<const Real> x) {
  const FiniteSum squares = sum_of_squares(x);
  return {.value = std::clamp(std::sqrt(squares.value), kSmallestNorm, kLargestNorm), .not_finite = squares.not_finite};
}

class Qsgd final : public Codec {
 public:
  Qsgd(std::uint32_t levels, bool is_rescaled)
      : levels_(levels),
        is_rescaled_(is_rescaled),
        width_(static_cast<std::size_t>(std::bit_width(2 * levels))),
        block_bytes_(width_ * kLineBytes) {}

  std::string name() const override { return fmt::format("qsgd{}:{}", is_rescaled_ ? "-rescaled" : "", levels_); }
  CodecClass kind() const override { return is_rescaled_ ? CodecClass::contraction : CodecClass::unbiased; }
  double constant(std::size_t p) const override { return is_rescaled_ ? 1 / divisor(p) : omega(p); }
  double paper_bits() const override { return static_cast<double>(width_); }

  // ‖x‖² ω; after division by τ, the variance ω / τ² and the bias 1 − 1/τ.
  double variance_bound(std::span<const Real> x) const override {
    const double norm = finite_norm(x).value, tau = divisor(x.size()), kept = 1 / tau;
    return norm * norm * (omega(x.size()) * kept * kept + (1 - kept) * (1 - kept));
  }

  std::size_t capacity(std::size_t p) const override {
    return kLineBytes + p / kBlock * block_bytes_ + packing::lines(width_, p % kBlock) * kLineBytes;
  }

  std::size_t wire_bytes(std::span<const std::byte>, std::size_t p) const override {
    return sizeof(float) + packing::bytes(width_, p);
  }

  Encoded encode(std::span<const Real> x, const StreamKey& key, std::span<std::byte> message) const override {
    check_message(message, capacity(x.size()));
    const Norm norm = finite_norm(x);
    const auto step = static_cast<float>(norm.value / levels_ / divisor(x.size()));
    const auto inverse_step = static_cast<float>(levels_ / norm.value);
    std::fill_n(message.begin(), kLineBytes, std::byte{0});
    std::memcpy(message.data(), &step, sizeof(step));
    std::byte* body = message.data() + kLineBytes;
    alignas(kCacheLine) std::int32_t indices[kBlock];
    for (std::size_t first = 0; first < x.size(); first += kBlock, body += block_bytes_) {
      const auto part = x.subspan(first, std::min(kBlock, x.size() - first));
      // What is clamped here is |x_i| = ‖x‖ but for rounding, or not finite and counted above.
      quantize_block(part, inverse_step, static_cast<float>(levels_), key, static_cast<std::uint32_t>(first / kBlock),
                     indices);
      packing::pack(indices, width_, part.size(), body);
    }
    return {.bytes = capacity(x.size()), .overflows = norm.not_finite};
  }

  std::uint64_t accumulate(std::span<const std::byte> message, Real weight, std::size_t first, std::span<const Real>,
                           std::span<Real> acc) const override {
    check_slice(first);
    float step;
    std::memcpy(&step, message.data(), sizeof(step));
    const Real scale = weight * step;
    const std::byte* body = message.data() + kLineBytes + first / kBlock * block_bytes_;
    for (std::size_t k = 0; k < acc.size(); k += kBlock, body += block_bytes_)
      packing::accumulate(body, width_, scale, acc.subspan(k, std::min(kBlock, acc.size() - k)));
    return 0;
  }

 private:
  // A quarter of the squared step a coordinate, or the paper's Lemma 3.1 for few levels.
  double omega(std::size_t coordinates) const {
    const double p = static_cast<double>(coordinates), s = levels_;
    return std::min(p / (4 * s * s), std::sqrt(p) / s);
  }
  double divisor(std::size_t coordinates) const {  // τ
    const double p = static_cast<double>(coordinates), s = levels_;
    return is_rescaled_ ? 1 + std::min(p / (s * s), std::sqrt(p) / s) : 1;
  }

  std::uint32_t levels_;  // s
  bool is_rescaled_;
  std::size_t width_;  // ⌈log2(2 s + 1)⌉
  std::size_t block_bytes_;
};

}  // namespace

std::unique_ptr<Codec> make_qsgd(std::uint32_t levels) { return std::make_unique<Qsgd>(levels, false); }
std::unique_ptr<Codec> make_qsgd_rescaled(std::uint32_t levels) { return std::make_unique<Qsgd>(levels, true); }

}  // namespace quantimed

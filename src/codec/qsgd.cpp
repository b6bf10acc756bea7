// qsgd:LEVELS: Q(x)_i = ‖x‖ sign(x_i) ξ_i, where ξ_i is one of the two neighbours of |x_i| / ‖x‖ among the multiples
// of 1/s, unbiased (Alistarh et al., "QSGD", NeurIPS 2017; s = LEVELS). The variance grows with ‖x‖².
// It is a grid of step ‖x‖ / s, found anew for each x, with indices −s … s in ⌈log2(2 s + 1)⌉ bits.
//
// The norm is that of the finite coordinates; an infinity (±‖x‖) or a NaN (0) is an overflow.
//
// Message: one line that starts with the step (float32), then the blocks' bodies at fixed places.
#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "codec/codecs.hpp"
#include "codec/quantize.hpp"

namespace quantimed {

namespace {

using packing::kBlock;
using packing::kLineBytes;

// The norm is kept in this range, where it and its inverse are ordinary floats. A norm that is larger than ‖x‖ is
// still unbiased, so the lower end costs nothing but a variance below 10^−60 p.
constexpr double kSmallestNorm = 1e-30, kLargestNorm = 3e38;

// Σ x², in an order that does not depend on the machine's vectors: lane k mod 16, then the lanes.
// The square of a float is a double exactly, so contraction changes nothing either.
double sum_of_squares(std::span<const float> x) {
  constexpr std::size_t kLanes = 16;
  double lanes[kLanes] = {};
  std::size_t k = 0;
  for (; k + kLanes <= x.size(); k += kLanes) {
#pragma omp simd
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double v = x[k + lane];
      lanes[lane] += v * v;
    }
  }
  for (std::size_t lane = 0; k < x.size(); ++k, ++lane) lanes[lane] += static_cast<double>(x[k]) * x[k];
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

struct Norm {
  double value = 0;
  std::uint64_t not_finite = 0;
};

Norm finite_norm(std::span<const float> x) {
  double sum = sum_of_squares(x);
  Norm norm;
  if (!std::isfinite(sum)) {
    sum = 0;
    for (const float v : x) {
      if (std::isfinite(v))
        sum += static_cast<double>(v) * v;
      else
        ++norm.not_finite;
    }
  }
  norm.value = std::clamp(std::sqrt(sum), kSmallestNorm, kLargestNorm);
  return norm;
}

class Qsgd final : public Codec {
 public:
  explicit Qsgd(std::uint32_t levels)
      : levels_(levels),
        width_(static_cast<std::size_t>(std::bit_width(2 * levels))),
        block_bytes_(width_ * kLineBytes) {}

  std::string name() const override { return fmt::format("qsgd:{}", levels_); }
  double paper_bits() const override { return static_cast<double>(width_); }

  // ‖x‖² min(p / 4 s², √p / s): a quarter of the squared step a coordinate, or the paper's Lemma 3.1 for few levels.
  double variance_bound(std::span<const float> x) const override {
    const double norm = finite_norm(x).value, p = static_cast<double>(x.size()), s = levels_;
    return norm * norm * std::min(p / (4 * s * s), std::sqrt(p) / s);
  }

  std::size_t capacity(std::size_t p) const override {
    return kLineBytes + p / kBlock * block_bytes_ + packing::lines(width_, p % kBlock) * kLineBytes;
  }

  std::size_t wire_bytes(std::span<const std::byte>, std::size_t p) const override {
    return sizeof(float) + packing::bytes(width_, p);
  }

  Encoded encode(std::span<const float> x, const StreamKey& key, std::span<std::byte> message) const override {
    check_message(message, capacity(x.size()));
    const Norm norm = finite_norm(x);
    const auto step = static_cast<float>(norm.value / levels_);
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

  std::uint64_t accumulate(std::span<const std::byte> message, float weight, std::size_t first, std::span<const float>,
                           std::span<float> acc) const override {
    check_slice(first);
    float step;
    std::memcpy(&step, message.data(), sizeof(step));
    const float scale = weight * step;
    const std::byte* body = message.data() + kLineBytes + first / kBlock * block_bytes_;
    for (std::size_t k = 0; k < acc.size(); k += kBlock, body += block_bytes_)
      packing::accumulate(body, width_, scale, acc.subspan(k, std::min(kBlock, acc.size() - k)));
    return 0;
  }

 private:
  std::uint32_t levels_;  // s
  std::size_t width_;     // ⌈log2(2 s + 1)⌉
  std::size_t block_bytes_;
};

}  // namespace

std::unique_ptr<Codec> make_qsgd(std::uint32_t levels) { return std::make_unique<Qsgd>(levels); }

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// random-k:SHARE: k = max(1, round(SHARE · p)) coordinates as they are, each set of k equally likely; the others are 0.
// Biased; E‖Q(x) − x‖² = (1 − k/p) ‖x‖² (Stich, Cordonnier, Jaggi, NeurIPS 2018).
// random-k-unbiased:SHARE: the same times p/k. Unbiased; E‖Q(x) − x‖² = (p/k − 1) ‖x‖².
//
// An infinity becomes the largest float, a NaN 0; both are overflows, kept or not. So is what p/k makes too large.
//
// Message: sparse.hpp. The indices are drawn from the key alone, which a receiver has (the run's seed, the sender and
// the number of its message), so on the wire there are the k values and nothing else.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "codec/codecs.hpp"
#include "codec/sparse.hpp"
#include "codec/sums.hpp"

namespace quantimed {

namespace {

// Uniform on {0, …, bound − 1}, exactly (Lemire, "Fast random integer generation in an interval", 2019).
std::uint32_t draw_below(Stream& stream, std::uint32_t bound) {
  const auto draw = [&] { return std::uint64_t{stream()} * bound; };
  std::uint64_t product = draw();
  if (static_cast<std::uint32_t>(product) < bound) {
    const std::uint32_t refused = (0u - bound) % bound;
    while (static_cast<std::uint32_t>(product) < refused) product = draw();
  }
  return static_cast<std::uint32_t>(product >> 32);
}

// The bits of a message's coordinates.
class Bits {
 public:
  explicit Bits(std::span<std::byte> message) : message_(message) {}
  bool test(std::size_t k) const { return (byte(k) >> k % 8 & std::byte{1}) != std::byte{0}; }
  void set(std::size_t k) { byte(k) |= std::byte{1} << k % 8; }
  void invert(std::size_t p) {
    for (std::size_t k = 0; k < p; k += 8) {
      const std::size_t count = std::min<std::size_t>(8, p - k);
      byte(k) ^= static_cast<std::byte>((1u << count) - 1);
    }
  }

 private:
  std::byte& byte(std::size_t k) const {
    return message_[sparse::bits_at(k / sparse::kBlock) + k % sparse::kBlock / 8];
  }
  std::span<std::byte> message_;
};

// Floyd's sampling (Bentley and Floyd, CACM 1987): k draws, whatever p is. Of more than half, what is left out is
// drawn.
void draw_indices(const StreamKey& key, std::size_t p, std::size_t k, Bits bits) {
  check(p <= std::numeric_limits<std::uint32_t>::max(), "more coordinates than random-k can draw from");
  Stream stream(key);
  const std::size_t drawn = std::min(k, p - k);
  for (std::size_t last = p - drawn; last < p; ++last) {
    const std::size_t index = draw_below(stream, static_cast<std::uint32_t>(last + 1));
    bits.set(bits.test(index) ? last : index);
  }
  if (drawn != k) bits.invert(p);
}

class RandomK final : public Codec {
 public:
  RandomK(double share, bool is_unbiased) : share_(share), is_unbiased_(is_unbiased) {}

  std::string name() const override { return fmt::format("random-k{}:{}", is_unbiased_ ? "-unbiased" : "", share_); }
  CodecClass kind() const override { return is_unbiased_ ? CodecClass::unbiased : CodecClass::contraction; }
  double constant(std::size_t p) const override {
    return is_unbiased_ ? per_kept(p) - 1 : p == 0 ? 1 : k_of(p) / static_cast<double>(p);
  }
  double paper_bits() const override { return 16 * share_; }  // a float counts 16, as in exact

  double variance_bound(std::span<const Real> x) const override {
    const double of_square = is_unbiased_ ? constant(x.size()) : 1 - constant(x.size());
    return of_square * sum_of_squares(x).value;
  }

  std::size_t capacity(std::size_t p) const override { return sparse::capacity(p, sparse::kept(share_, p)); }

  std::size_t wire_bytes(std::span<const std::byte>, std::size_t p) const override {
    return sparse::kept(share_, p) * sizeof(float);
  }

  Encoded encode(std::span<const Real> x, const StreamKey& key, std::span<std::byte> message) const override {
    check_message(message, capacity(x.size()));
    sparse::clear(message, x.size());
    draw_indices(key, x.size(), sparse::kept(share_, x.size()), Bits(message));
    const std::uint64_t clamped = sparse::write_values(x, is_unbiased_ ? per_kept(x.size()) : 1, message);
    return {.bytes = capacity(x.size()), .overflows = sparse::count_not_finite(x) + clamped};
  }

  std::uint64_t accumulate(std::span<const std::byte> message, Real weight, std::size_t first, std::span<const Real>,
                           std::span<Real> acc) const override {
    sparse::accumulate(message, weight, first, acc);
    return 0;
  }

 private:
  double k_of(std::size_t p) const { return static_cast<double>(sparse::kept(share_, p)); }
  double per_kept(std::size_t p) const { return p == 0 ? 1 : static_cast<double>(p) / k_of(p); }  // p / k

  double share_;
  bool is_unbiased_;
};

}  // namespace

std::unique_ptr<Codec> make_random_k(double share, bool is_unbiased) {
  return std::make_unique<RandomK>(share, is_unbiased);
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// top-k:SHARE: the k = max(1, round(SHARE · p)) coordinates that are largest in magnitude, as they are, ties to the
// lower index; the others are 0. Biased; ‖Q(x) − x‖² ≤ (1 − k/p) ‖x‖² (Stich, Cordonnier, Jaggi, "Sparsified SGD with
// memory", NeurIPS 2018), with equality where all are of one magnitude.
//
// An infinity is kept as the largest float, a NaN counts as 0; both are overflows, kept or not.
//
// Message: sparse.hpp. On the wire 32 bits a value, and the indices.
#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "codec/codecs.hpp"
#include "codec/sparse.hpp"
#include "codec/sums.hpp"

namespace quantimed {

namespace {

// Grows with |v|; beyond the largest float, that; of a NaN 0.
inline std::uint32_t rank_of(float v) {
  const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(v) & sparse::kMagnitude;
  return magnitude > sparse::kInfinity ? 0 : std::min(magnitude, sparse::kLargest);
}

struct Threshold {
  std::uint32_t rank = 0;  // of the smallest that is kept
  std::size_t ties = 0;    // so many of that rank are kept, all of the higher ones
};

// The k-th largest rank, digit by digit from the top: linear in p whatever x is, and without memory of its own.
Threshold find_threshold(std::span<const Real> x, std::size_t k) {
  constexpr std::uint32_t kDigits[] = {11, 10, 10};  // bits; 31 in all
  Threshold found{.rank = 0, .ties = k};
  std::uint32_t shift = 31;
  for (const std::uint32_t bits : kDigits) {
    const std::uint32_t above = shift, mask = (1u << bits) - 1;
    shift -= bits;
    std::uint32_t counts[1u << kDigits[0]] = {};
    for (const Real v : x) {
      const std::uint32_t rank = rank_of(static_cast<float>(v));
      if (rank >> above == found.rank) ++counts[rank >> shift & mask];
    }
    std::uint32_t digit = mask;
    while (counts[digit] < found.ties) found.ties -= counts[digit--];
    found.rank = found.rank << bits | digit;
  }
  return found;
}

// The bits of up to 64 coordinates that are kept; takes its share of the ties.
std::uint64_t mark(std::span<const Real> x, Threshold& threshold) {
  std::uint64_t larger = 0, equal = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const std::uint32_t rank = rank_of(static_cast<float>(x[k]));
    larger |= std::uint64_t{rank > threshold.rank} << k;
    equal |= std::uint64_t{rank == threshold.rank} << k;
  }
  for (; equal != 0 && threshold.ties > 0; equal &= equal - 1, --threshold.ties) larger |= equal & (~equal + 1);
  return larger;
}

class TopK final : public Codec {
 public:
  explicit TopK(double share) : share_(share) {}

  std::string name() const override { return fmt::format("top-k:{}", share_); }
  CodecClass kind() const override { return CodecClass::contraction; }
  double constant(std::size_t p) const override {
    return p == 0 ? 1 : static_cast<double>(sparse::kept(share_, p)) / static_cast<double>(p);
  }

  // A float counts 16 bits, as in exact; and what the indices of a large model take (sparse::index_bits).
  double paper_bits() const override {
    if (share_ == 1) return 16;
    const int low = std::ilogb(1 / share_);
    return 16 * share_ + std::min(1.0, share_ * (low + 1) + std::ldexp(1.0, -low));
  }

  double variance_bound(std::span<const Real> x) const override {
    return (1 - constant(x.size())) * sum_of_squares(x).value;
  }

  std::size_t capacity(std::size_t p) const override { return sparse::capacity(p, sparse::kept(share_, p)); }

  std::size_t wire_bytes(std::span<const std::byte>, std::size_t p) const override {
    const std::size_t k = sparse::kept(share_, p);
    return (32 * k + sparse::index_bits(p, k) + 7) / 8;
  }

  Encoded encode(std::span<const Real> x, const StreamKey&, std::span<std::byte> message) const override {
    check_message(message, capacity(x.size()));
    sparse::clear(message, x.size());
    Threshold threshold = find_threshold(x, sparse::kept(share_, x.size()));
    for (std::size_t first = 0; first < x.size(); first += sparse::kWordBits) {
      const auto part = x.subspan(first, std::min(sparse::kWordBits, x.size() - first));
      const std::uint64_t word = mark(part, threshold);
      std::memcpy(message.data() + sparse::bits_at(first / sparse::kBlock) + first % sparse::kBlock / 8, &word,
                  sizeof(word));
    }
    sparse::write_values(x, 1, message);
    return {.bytes = capacity(x.size()), .overflows = sparse::count_not_finite(x)};
  }

  std::uint64_t accumulate(std::span<const std::byte> message, Real weight, std::size_t first, std::span<const Real>,
                           std::span<Real> acc) const override {
    sparse::accumulate(message, weight, first, acc);
    return 0;
  }

 private:
  double share_;
};

}  // namespace

std::unique_ptr<Codec> make_top_k(double share) { return std::make_unique<TopK>(share); }

}  // namespace quantimed

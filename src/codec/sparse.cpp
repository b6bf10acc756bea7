// SPDX-License-Identifier: BSD-3-Clause
#include "codec/sparse.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/instructions.hpp"
#include "codec/codecs.hpp"

namespace quantimed::sparse {

namespace {

// The places of the set bits among the first `count` of a block, lowest first.
template <class Visit>
QUANTIMED_KERNEL void for_each_bit(const std::byte* bits, std::size_t count, Visit visit) {
  std::uint64_t words[kWords];
  std::memcpy(words, bits, sizeof(words));
  for (std::size_t w = 0; w * kWordBits < count; ++w) {
    const std::size_t here = count - w * kWordBits;
    std::uint64_t word = here < kWordBits ? words[w] & ((std::uint64_t{1} << here) - 1) : words[w];
    for (; word != 0; word &= word - 1) visit(w * kWordBits + static_cast<std::size_t>(std::countr_zero(word)));
  }
}

// sum += weight · value at the places of the set bits
QUANTIMED_KERNEL void add_values(const std::byte* bits, std::size_t count, Real weight, const float* value, Real* sum) {
  for_each_bit(bits, count, [&](std::size_t k) { sum[k] += weight * static_cast<Real>(*value++); });
}

QUANTIMED_KERNEL std::uint64_t not_finite(std::span<const Real> x) {
  std::uint64_t count = 0;
#pragma omp simd reduction(+ : count)
  for (std::size_t k = 0; k < x.size(); ++k)
    count += (std::bit_cast<std::uint32_t>(static_cast<float>(x[k])) & kMagnitude) > kLargest;
  return count;
}

}  // namespace

std::size_t kept(double share, std::size_t p) {
  const auto k = static_cast<std::size_t>(std::llround(share * static_cast<double>(p)));
  return std::min(std::max<std::size_t>(k, 1), p);
}

std::size_t index_bits(std::size_t p, std::size_t k) {
  if (k == 0 || k == p) return 0;
  const auto low = static_cast<std::size_t>(std::bit_width(p / k)) - 1;
  const std::size_t elias_fano = k * low + k + ((p - 1) >> low) + 1;
  return std::min(elias_fano, p);
}

std::uint64_t count_not_finite(std::span<const Real> x) { return dispatched<not_finite>(x); }

void clear(std::span<std::byte> message, std::size_t p) { std::fill_n(message.begin(), values_at(p), std::byte{0}); }

std::uint64_t write_values(std::span<const Real> x, double factor, std::span<std::byte> message) {
  constexpr double kEnd = std::numeric_limits<float>::max();
  check(message.size() / sizeof(float) <= std::numeric_limits<std::uint32_t>::max(),
        "a message too large for a sparse code's table");
  auto* const begin = reinterpret_cast<float*>(message.data());
  float* out = begin + values_at(x.size()) / sizeof(float);
  std::uint64_t clamped = 0;
  for (std::size_t first = 0; first < x.size(); first += kBlock) {
    const std::size_t block = first / kBlock;
    const auto offset = static_cast<std::uint32_t>(out - begin);
    std::memcpy(message.data() + offset_at(block), &offset, sizeof(offset));
    for_each_bit(message.data() + bits_at(block), std::min(kBlock, x.size() - first), [&](std::size_t k) {
      const auto v = static_cast<float>(x[first + k]);
      const double scaled = static_cast<double>(v) * factor;
      clamped += std::abs(scaled) > kEnd && std::isfinite(v) ? 1u : 0u;
      *out++ = static_cast<float>(std::isnan(v) ? 0 : std::clamp(scaled, -kEnd, kEnd));
    });
  }
  // Up to the line's end, so that equal models and keys make equal messages.
  while (static_cast<std::size_t>(out - begin) * sizeof(float) % kLineBytes != 0) *out++ = 0;
  return clamped;
}

void accumulate(std::span<const std::byte> message, Real weight, std::size_t first, std::span<Real> acc) {
  check_slice(first);
  for (std::size_t at = 0; at < acc.size(); at += kBlock) {
    const std::size_t block = (first + at) / kBlock;
    std::uint32_t offset;
    std::memcpy(&offset, message.data() + offset_at(block), sizeof(offset));
    const float* value = reinterpret_cast<const float*>(message.data()) + offset;
    dispatched<add_values>(message.data() + bits_at(block), std::min(kBlock, acc.size() - at), weight, value,
                           acc.data() + at);
  }
}

}  // namespace quantimed::sparse

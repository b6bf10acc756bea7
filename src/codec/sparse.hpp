// SPDX-License-Identifier: BSD-3-Clause
// What the sparse codes share: k of p coordinates as a message, their values in the order of their indices.
//
// In memory a reader of a slice must find its values without a look at the others. Blocks are of 512 coordinates:
//   groups of 16 blocks: one line with where each block's first value is, in floats from the message's start; then
//                        a line a block, bit i mod 64 of its word i / 64 set where coordinate i of the block is kept
//   values               float32, behind the last group
// All of this is at fixed places. On the wire there are the values, and the indices in fewer bits (index_bits).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/real.hpp"
#include "codec/packing.hpp"

namespace quantimed::sparse {

using packing::kBlock;
using packing::kLineBytes;

inline constexpr std::size_t kWordBits = 64;
inline constexpr std::size_t kWords = kBlock / kWordBits;                  // a block
inline constexpr std::size_t kGroup = kLineBytes / sizeof(std::uint32_t);  // blocks
inline constexpr std::size_t kGroupBytes = kLineBytes * (1 + kGroup);
static_assert(kWords * sizeof(std::uint64_t) == kLineBytes, "a line of bits a block");

constexpr std::size_t offset_at(std::size_t block) {  // byte
  return block / kGroup * kGroupBytes + block % kGroup * sizeof(std::uint32_t);
}
constexpr std::size_t bits_at(std::size_t block) {  // byte
  return block / kGroup * kGroupBytes + kLineBytes * (1 + block % kGroup);
}
constexpr std::size_t values_at(std::size_t p) {  // byte
  return ((packing::blocks(p) + kGroup - 1) / kGroup + packing::blocks(p)) * kLineBytes;
}
constexpr std::size_t capacity(std::size_t p, std::size_t k) {
  return values_at(p) + (k * sizeof(float) + kLineBytes - 1) / kLineBytes * kLineBytes;
}

// k = max(1, round(share · p)), 0 of no coordinates.
std::size_t kept(double share, std::size_t p);

// Bits that say which k of p are kept, the fewest of two codes that need no header (p and k are known):
//   Elias–Fano with l = ⌊log2(p/k)⌋: the low l bits of each index, k·l bits; then for each of the ⌈p/2^l⌉ values that
//   the rest of an index can have, a 1 for each index that has it and a 0: k + ⌈p/2^l⌉ bits
//   a bit a coordinate: p bits
// and 0 where all are kept.
std::size_t index_bits(std::size_t p, std::size_t k);

// The bits of a coordinate of a float, as a number that grows with |v|; beyond the largest float, that; NaN: 0.
inline constexpr std::uint32_t kLargest = 0x7f7fffff, kInfinity = 0x7f800000, kMagnitude = 0x7fffffff;

// Infinities and NaNs: the coordinates that a sparse code does not hold, whether they are kept or not.
std::uint64_t count_not_finite(std::span<const Real> x);

// The message with no coordinate kept; a whole line of zeros where a group has no more blocks, too.
void clear(std::span<std::byte> message, std::size_t p);

// Writes factor · x of the coordinates whose bits are set, and where they are. An infinity becomes the largest float,
// a NaN 0. Returns how many finite ones became too large and were clamped.
std::uint64_t write_values(std::span<const Real> x, double factor, std::span<std::byte> message);

// Codec::accumulate
void accumulate(std::span<const std::byte> message, Real weight, std::size_t first, std::span<Real> acc);

}  // namespace quantimed::sparse

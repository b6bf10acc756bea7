// SPDX-License-Identifier: BSD-3-Clause
// Signed integers in real bits. 512 of them are one block, packed vertically so that every vector unit can work on
// 16 at a time: integer number i of a block belongs to lane i mod 16 and row i / 16; a lane is a stream of bits in
// which row r takes the bits r·width … r·width + width − 1 (two's complement, lowest bit first); word w of the 16
// streams makes line w of the body, 64 bytes. A whole block has `width` lines.
//
// Widths are compile-time constants inside the kernels: every shift is an immediate and nothing is looked up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/real.hpp"
#include "codec/codec.hpp"

namespace quantimed::packing {

inline constexpr std::size_t kBlock = Codec::kSlice;
inline constexpr std::size_t kLanes = 16;
inline constexpr std::size_t kRows = kBlock / kLanes;
inline constexpr std::size_t kLineBytes = kLanes * sizeof(std::uint32_t);
inline constexpr std::size_t kWordBits = 32;
static_assert(kRows == kWordBits, "a whole block of width b has exactly b lines");
static_assert(kLineBytes == kCacheLine);

// |k| ≤ 2^23 − 1, so that every index is a float exactly.
inline constexpr std::size_t kMaxWidth = 24;
inline constexpr float kMaxIndex = 8388607.0f;

constexpr std::size_t blocks(std::size_t p) { return (p + kBlock - 1) / kBlock; }

// Lines that hold the first `count` integers of a block.
constexpr std::size_t lines(std::size_t width, std::size_t count) {
  const std::size_t rows = (count + kLanes - 1) / kLanes;
  return (rows * width + kWordBits - 1) / kWordBits;
}

// What `count` integers take one after the other, without the padding to lines.
constexpr std::size_t bytes(std::size_t width, std::size_t count) { return (width * count + 7) / 8; }

// Writes lines(width, count) lines; the indices from `count` on are 0.  body: cache-line aligned.
void pack(std::span<const std::int32_t, kBlock> indices, std::size_t width, std::size_t count, std::byte* body);

// acc[i] += scale · k[i] for the first acc.size() ≤ 512 integers of a block; reads lines(width, acc.size()) lines.
void accumulate(const std::byte* body, std::size_t width, Real scale, std::span<Real> acc);

}  // namespace quantimed::packing

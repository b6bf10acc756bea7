// SPDX-License-Identifier: BSD-3-Clause
#include "codec/packing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace quantimed::packing {
namespace {

// The twin of the unpacking kernel: one bit at a time, straight from the description in packing.hpp.
std::int32_t naive_index(const std::byte* body, std::size_t width, std::size_t i) {
  std::uint32_t bits = 0;
  for (std::size_t b = 0; b < width; ++b) {
    const std::size_t bit = i / 16 * width + b;
    std::uint32_t word;
    std::memcpy(&word, body + bit / 32 * 64 + i % 16 * 4, sizeof(word));
    bits |= (word >> bit % 32 & 1) << b;
  }
  const bool is_negative = width > 0 && bits >> (width - 1) & 1;
  return static_cast<std::int32_t>(bits) - (is_negative ? 1 << width : 0);
}

// Every value that `width` bits hold, its ends included.
AlignedVector<std::int32_t> some_indices(std::size_t width) {
  AlignedVector<std::int32_t> indices(kBlock, 0);
  if (width == 0) return indices;
  Stream stream({.seed = width});
  const std::int32_t low = -(1 << (width - 1));
  for (auto& k : indices) k = low + static_cast<std::int32_t>(stream.index(1u << width));
  indices[0] = indices[511] = low;
  indices[1] = indices[510] = -low - 1;
  return indices;
}

TEST(Packing, WholeBlocksOfEveryWidth) {
  for (std::size_t width = 0; width <= kMaxWidth; ++width) {
    const auto indices = some_indices(width);
    AlignedVector<std::byte> body(kMaxWidth * kLineBytes, std::byte{0x5a});
    pack(std::span<const std::int32_t, kBlock>(indices), width, kBlock, body.data());
    AlignedVector<float> acc(kBlock, 0.0f);
    accumulate(body.data(), width, 1.0f, acc);
    for (std::size_t i = 0; i < kBlock; ++i) {
      ASSERT_EQ(naive_index(body.data(), width, i), indices[i]) << width << " " << i;
      ASSERT_EQ(acc[i], static_cast<float>(indices[i])) << width << " " << i;
    }
    for (std::size_t b = lines(width, kBlock) * kLineBytes; b < body.size(); ++b)
      ASSERT_EQ(body[b], std::byte{0x5a}) << "written beyond the body";
  }
}

TEST(Packing, PartsOfABlockTouchOnlyTheirLines) {
  for (std::size_t width = 1; width <= kMaxWidth; ++width) {
    for (const std::size_t count : {1u, 15u, 16u, 17u, 100u, 336u, 511u}) {
      auto indices = some_indices(width);
      std::fill(indices.begin() + static_cast<std::ptrdiff_t>(count), indices.end(), 0);
      // Exactly as long as the part: an address sanitizer sees the rest.
      AlignedVector<std::byte> body(lines(width, count) * kLineBytes);
      pack(std::span<const std::int32_t, kBlock>(indices), width, count, body.data());
      AlignedVector<float> acc(count, 1.0f);
      accumulate(body.data(), width, 2.0f, acc);
      for (std::size_t i = 0; i < count; ++i)
        ASSERT_EQ(acc[i], 1.0f + 2.0f * static_cast<float>(indices[i])) << width << " " << count << " " << i;
    }
  }
}

TEST(Packing, LinesAreTheFewest) {
  EXPECT_EQ(lines(12, 512), 12u);
  EXPECT_EQ(lines(1, 1), 1u);
  EXPECT_EQ(lines(12, 336), 8u);  // 21 rows of 12 bits
  EXPECT_EQ(lines(24, 0), 0u);
  EXPECT_EQ(lines(0, 512), 0u);
}

}  // namespace
}  // namespace quantimed::packing

// SPDX-License-Identifier: BSD-3-Clause
#include "base/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <vector>

namespace quantimed {
namespace {

constexpr StreamKey kKey{.seed = 0x0123456789abcdefull, .node = 7, .iteration = 9, .purpose = Purpose::quantizer};

std::vector<std::uint16_t> words16(const StreamKey& key, std::size_t count) {
  std::vector<std::uint16_t> words(count);
  random_words16(key, words);
  return words;
}

// The published known answers (Random123's kat_vectors) are for 20 rounds; they show that the library is sound here.
TEST(Random, LibraryGivesItsKnownAnswers) {
  using Generator = r123::Threefry4x32_R<20>;
  const auto zero = Generator{}({{0, 0, 0, 0}}, {{0, 0, 0, 0}});
  EXPECT_EQ(zero, (Generator::ctr_type{{0x9c6ca96a, 0xe17eae66, 0xfc10ecd4, 0x5256a7d8}}));
}

TEST(Random, BlockIsTheLibrarysThreefry) {
  const auto expected = r123::Threefry4x32_R<12>{}({{5, 9, 0, 0}}, {{0x89abcdef, 0x01234567, 7, 6}});
  const auto block = random_block(kKey, 5);
  for (std::size_t w = 0; w < 4; ++w) EXPECT_EQ(block[w], expected[w]);
}

TEST(Random, StreamIsTheBlocksInOrder) {
  Stream stream(kKey);
  for (std::uint32_t block = 0; block < 8; ++block)
    for (const std::uint32_t word : random_block(kKey, block)) EXPECT_EQ(stream(), word);
}

TEST(Random, EveryFieldOfTheKeyMakesAnotherStream) {
  std::vector<StreamKey> keys(6, kKey);
  keys[1].seed ^= 1;
  keys[2].seed ^= 1ull << 40;
  keys[3].node ^= 1;
  keys[4].iteration ^= 1;
  keys[5].purpose = Purpose::samples;
  for (std::size_t a = 0; a < keys.size(); ++a)
    for (std::size_t b = a + 1; b < keys.size(); ++b) {
      EXPECT_NE(random_block(keys[a], 0), random_block(keys[b], 0)) << a << " " << b;
      EXPECT_NE(words16(keys[a], 64), words16(keys[b], 64)) << a << " " << b;
    }
}

// The twin of the vectorised kernel: the order that random.cpp states.
TEST(Random, Words16AreTheBlocksLaneByLane) {
  for (const std::size_t count : {0u, 1u, 127u, 511u, 512u, 513u, 5000u}) {
    const auto words = words16(kKey, count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t group = i / 128, word = i % 128 / 32, lane = i % 32 / 2, half = i % 2;
      const std::uint32_t full = random_block(kKey, static_cast<std::uint32_t>(16 * group + lane))[word];
      ASSERT_EQ(words[i], static_cast<std::uint16_t>(full >> 16 * half)) << count << " " << i;
    }
  }
}

TEST(Random, Words16CanBeHadByBlock) {
  const auto all = words16(kKey, 4 * kWordsBlock);
  for (const std::uint32_t block : {3u, 0u, 2u, 1u}) {
    std::uint16_t words[kWordsBlock];
    random_words16(kKey, block, words);
    for (std::size_t i = 0; i < kWordsBlock; ++i) ASSERT_EQ(words[i], all[block * kWordsBlock + i]);
  }
}

// Bounds on χ² below are its mean + 5 standard deviations, √(2 · degrees of freedom).
double chi_squared(const std::vector<double>& counts, double expected) {
  double sum = 0;
  for (const double count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}
double chi_squared_bound(std::size_t cells) {
  const double freedom = static_cast<double>(cells) - 1;
  return freedom + 5 * std::sqrt(2 * freedom);
}

TEST(Random, Words16AreUniform) {
  constexpr std::size_t kCount = 1 << 20, kCells = 1 << 12;
  for (const int shift : {0, 4}) {  // the low and the high twelve bits
    std::vector<double> counts(kCells);
    for (const std::uint16_t word : words16(kKey, kCount)) ++counts[word >> shift & (kCells - 1)];
    EXPECT_LT(chi_squared(counts, double{kCount} / kCells), chi_squared_bound(kCells));
  }
}

TEST(Random, UniformHasItsRangeMeanAndVariance) {
  constexpr int kCount = 1000000;
  Stream stream(kKey);
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = stream.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += (u - 0.5) * (u - 0.5);
  }
  // Five standard errors: of u, √(1/12); of (u − ½)², √(1/80 − 1/144).
  EXPECT_NEAR(sum / kCount, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(squares / kCount, 1.0 / 12, 5 * std::sqrt((1.0 / 80 - 1.0 / 144) / kCount));
}

TEST(Random, UniformOnAnInterval) {
  Stream stream(kKey);
  for (int i = 0; i < 10000; ++i) {
    const double u = stream.uniform(-3, -2);
    ASSERT_GE(u, -3);
    ASSERT_LT(u, -2);
  }
}

TEST(Random, IndexIsUniform) {
  for (const std::uint32_t bound : {1u, 2u, 7u, 1000u}) {
    constexpr int kCount = 1000000;
    Stream stream(kKey);
    std::vector<double> counts(bound);
    for (int i = 0; i < kCount; ++i) {
      const std::uint32_t index = stream.index(bound);
      ASSERT_LT(index, bound);
      ++counts[index];
    }
    EXPECT_LE(chi_squared(counts, double{kCount} / bound), chi_squared_bound(bound)) << bound;
  }
}

}  // namespace
}  // namespace quantimed

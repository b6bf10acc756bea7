// SPDX-License-Identifier: BSD-3-Clause
// modulo: the same numbers as low-precision in fewer bits while neighbours are near; found out when they are not.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "codec/codec_testing.hpp"

namespace quantimed {
namespace {

constexpr std::size_t kSize = 3000;

// A receiver whose model is at most `distance` away in each coordinate.
AlignedVector<float> near(std::span<const float> x, double distance) {
  AlignedVector<float> own(x.begin(), x.end());
  const auto away = random_vector(x.size(), distance, 7);
  for (std::size_t k = 0; k < own.size(); ++k) own[k] += away[k];
  return own;
}

TEST(Modulo, DecodesToLowPrecisionsNumbersBitForBit) {
  const auto grid = make_codec("low-precision:1e-3");
  const auto x = random_vector(kSize, 4);
  const auto plain = encoded(*grid, x, quantizer_key(5));
  for (const int bits : {4, 7, 8, 12, 16, 24}) {
    const auto codec = make_codec(fmt::format("modulo:1e-3,{}", bits));
    const auto message = encoded(*codec, x, quantizer_key(5));
    const auto own = near(x, 1e-3 * (std::ldexp(1.0, bits - 1) - 1.1));
    AlignedVector<float> sum(kSize, 0.25f), expected(kSize, 0.25f);
    EXPECT_EQ(codec->accumulate(message, 0.3f, 0, own, sum), 0u) << bits;
    grid->accumulate(plain, 0.3f, 0, own, expected);
    EXPECT_EQ(sum, expected) << bits;
  }
}

TEST(Modulo, SendsItsBitsAndAChecksumABlock) {
  Encoded e;
  const auto codec = make_codec("modulo:1e-3,8");
  encoded(*codec, random_vector(39760, 4), quantizer_key(1), &e);
  const double bits = 8.0 * static_cast<double>(e.bytes) / 39760;
  EXPECT_GT(bits, 8);
  EXPECT_LT(bits, 8.1);
  EXPECT_EQ(codec->paper_bits(), 8);
}

// One coordinate of one block too far: that block is reported, and no other.
TEST(Modulo, FindsEveryBlockThatItDecodesWrongly) {
  const auto codec = make_codec("modulo:1e-3,6");
  const auto x = random_vector(kSize, 4);
  const auto message = encoded(*codec, x, quantizer_key(2));
  for (const std::size_t where : {std::size_t{0}, std::size_t{511}, std::size_t{512}, std::size_t{1700}, kSize - 1})
    for (const float turns : {1.0f, -1.0f, 3.0f, 100.0f}) {
      auto own = near(x, 1e-3);
      own[where] += turns * 0.064f;
      AlignedVector<float> sum(kSize, 0.0f);
      EXPECT_EQ(codec->accumulate(message, 1, 0, own, sum), 1u) << where << " " << turns;
    }
  auto own = near(x, 1e-3);
  for (float& v : own) v += 1;  // everywhere
  AlignedVector<float> sum(kSize, 0.0f);
  EXPECT_EQ(codec->accumulate(message, 1, 0, own, sum), 6u);
}

// Errors of +2^b and −2^b in one block must not cancel.
TEST(Modulo, OppositeErrorsDoNotHideEachOther) {
  const auto codec = make_codec("modulo:1e-3,6");
  const auto x = random_vector(512, 4);
  const auto message = encoded(*codec, x, quantizer_key(2));
  std::uint64_t found = 0, tried = 0;
  for (std::size_t k = 0; k < 511; ++k, ++tried) {
    AlignedVector<float> own = x, sum(512, 0.0f);
    own[k] += 0.064f;
    own[k + 1] -= 0.064f;
    found += codec->accumulate(message, 1, 0, own, sum);
  }
  EXPECT_EQ(found, tried);
}

TEST(Modulo, SurvivesAReceiverThatIsNotANumber) {
  const auto codec = make_codec("modulo:1e-3,6");
  auto x = random_vector(600, 1);
  x[3] = 0.7f;
  const auto message = encoded(*codec, x, quantizer_key(2));
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY, 3e38f}) {
    AlignedVector<float> own = x, sum(600, 0.0f);
    own[3] = bad;
    EXPECT_EQ(codec->accumulate(message, 1, 0, own, sum), 1u) << bad;
  }
}

TEST(Modulo, IsWrittenStrictly) {
  EXPECT_EQ(make_codec("modulo:1e-3,8")->name(), "modulo:0.001,8");
  for (const char* bad : {"modulo", "modulo:", "modulo:1e-3", "modulo:1e-3,", "modulo:1e-3,1", "modulo:1e-3,25",
                          "modulo:1e-3,8x", "modulo:0,8", "modulo:-1,8", "modulo:,8", "modulo:nan,8", "modulo:1e-3,-8"})
    EXPECT_THROW(make_codec(bad), InputError) << bad;
}

}  // namespace
}  // namespace quantimed

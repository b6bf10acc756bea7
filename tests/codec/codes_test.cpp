// SPDX-License-Identifier: BSD-3-Clause
// What each code promises on its own: its points, its bits, its overflows, and how it is written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "codec/codec.hpp"
#include "codec/codec_testing.hpp"
#include "codec/quantize.hpp"

namespace quantimed {
namespace {

using testing::HasSubstr;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

AlignedVector<float> coded(const char* text, std::span<const float> x, Encoded* result = nullptr) {
  const auto codec = make_codec(text);
  return decoded(*codec, encoded(*codec, x, quantizer_key(1), result), x.size());
}

// The twin of the rounding kernel, in double and with its own words.
TEST(Quantize, MatchesItsTwin) {
  const auto x = random_vector(512, 300);
  const StreamKey key = quantizer_key(8);
  const float inverse_step = 1.0f / 0.7f;
  std::int32_t indices[512];
  const Quantized q = quantize_block(x, inverse_step, packing::kMaxIndex, key, 3, indices);
  std::vector<std::uint16_t> words(4 * 512);
  random_words16(key, words);
  std::int32_t greatest = 0;
  for (std::size_t i = 0; i < 512; ++i) {
    const volatile float y = x[i] * inverse_step;  // one rounding, never fused with what follows
    const double grains = std::nearbyint(static_cast<double>(y) * 65536);
    ASSERT_EQ(indices[i], static_cast<std::int32_t>(std::floor((grains + words[3 * 512 + i]) / 65536))) << i;
    greatest = std::max(greatest, std::abs(indices[i]));
  }
  EXPECT_EQ(q.width, 10u);
  EXPECT_LT(greatest, 1 << (q.width - 1));
  EXPECT_EQ(q.overflows, 0u);
}

TEST(Quantize, WidthHoldsWhatAnIndexCanReach) {
  std::int32_t indices[512];
  const auto width = [&](float v) {
    return quantize_block(std::vector<float>(512, v), 1.0f, packing::kMaxIndex, quantizer_key(1), 0, indices).width;
  };
  EXPECT_EQ(width(0), 0u);
  EXPECT_EQ(width(-0.0f), 0u);
  EXPECT_EQ(width(0.01f), 2u);
  EXPECT_EQ(width(-1), 2u);
  EXPECT_EQ(width(1.01f), 3u);
  EXPECT_EQ(width(2047), 12u);
  EXPECT_EQ(width(2047.1f), 13u);
  EXPECT_EQ(width(packing::kMaxIndex), packing::kMaxWidth);
  EXPECT_EQ(width(kInf), packing::kMaxWidth);
}

// 1/step times 2^16 is no float any more: 0 times it would be no number.
TEST(Quantize, ZerosStayZeroHoweverFineTheStep) {
  for (const float inverse_step : {0x1p111f, 0x1.000002p111f, 1e35f, 3e38f}) {
    std::int32_t indices[512];
    const Quantized q =
        quantize_block(std::vector<float>(512, 0.0f), inverse_step, packing::kMaxIndex, quantizer_key(1), 0, indices);
    EXPECT_EQ(q.width, 0u);
    EXPECT_TRUE(std::all_of(std::begin(indices), std::end(indices), [](std::int32_t k) { return k == 0; }))
        << inverse_step;
  }
}

TEST(LowPrecision, GridPointsStayOnABinaryGrid) {
  AlignedVector<float> x(2000);
  for (std::size_t k = 0; k < x.size(); ++k) x[k] = (static_cast<float>(k) * 4001 - 4000000) * 0x1p-10f;
  EXPECT_EQ(coded("low-precision:0.0009765625", x), x);
}

// Every neighbour is one of the two grid points around x.
TEST(LowPrecision, RoundsToANeighbour) {
  const auto x = random_vector(5000, 2);
  const auto z = coded("low-precision:1e-3", x);
  for (std::size_t k = 0; k < x.size(); ++k) ASSERT_LE(std::abs(z[k] - x[k]), 1.001e-3f) << k;
}

TEST(LowPrecision, WireBitsAreTheIndices) {
  Encoded e;
  coded("low-precision:1e-3", random_vector(39760, 2), &e);
  // 12 bits an index (|k| ≤ 2000) and 4 bytes a block of 512; 336 coordinates in the last block.
  const std::size_t table = 5 * 64, bodies = (77 * 12 + 8) * 64;
  EXPECT_EQ(e.bytes, table + bodies);
  coded("low-precision:1e-3", AlignedVector<float>(39760, 0.0f), &e);
  EXPECT_EQ(e.bytes, table);
}

TEST(LowPrecision, EachBlockHasItsOwnWidth) {
  AlignedVector<float> x(1536, 0.0f);
  x[100] = 4;       // 13 bits
  x[1400] = 0.01f;  // 5 bits
  Encoded e;
  const auto z = coded("low-precision:1e-3", x, &e);
  EXPECT_EQ(e.bytes, (1 + 13 + 5) * 64u);
  EXPECT_NEAR(z[100], 4, 1e-3);
  EXPECT_EQ(z[101], 0);
  EXPECT_EQ(z[700], 0);
}

TEST(Rounding, IntegersStay) {
  AlignedVector<float> x(1000);
  for (std::size_t k = 0; k < x.size(); ++k) x[k] = static_cast<float>(k * 16777) - 8388000;
  EXPECT_EQ(coded("rounding", x), x);
}

TEST(Grid, OverflowsAreCountedAndClamped) {
  for (const std::size_t p : {7u, 600u}) {
    auto x = random_vector(p, 0.9);
    x[0] = 1e30f, x[1] = -1e30f, x[2] = kInf, x[3] = -kInf, x[4] = kNaN;
    Encoded e;
    const auto z = coded("low-precision:0.0009765625", x, &e);
    EXPECT_EQ(e.overflows, 5u);
    const float end = packing::kMaxIndex * 0x1p-10f;
    EXPECT_EQ((std::vector<float>(z.begin(), z.begin() + 5)), (std::vector<float>{end, -end, end, -end, 0}));
    for (std::size_t k = 5; k < p; ++k) EXPECT_NEAR(z[k], x[k], 0x1p-10) << k;
  }
}

TEST(Sparsifier, GivesThreeValuesInTwoBits) {
  Encoded e;
  for (const float v : coded("sparsifier:4", random_vector(5120, 4), &e)) EXPECT_TRUE(v == 0 || v == 4 || v == -4) << v;
  EXPECT_EQ(e.bytes * 8, 2 * 5120u);
  EXPECT_EQ(e.overflows, 0u);
}

TEST(Sparsifier, BeyondMIsAnOverflow) {
  const std::vector<float> x = {4.5f, -1e30f, kInf, kNaN, 4, -4, 0};
  Encoded e;
  const auto z = coded("sparsifier:4", x, &e);
  EXPECT_EQ(e.overflows, 4u);
  EXPECT_EQ((std::vector<float>(z.begin(), z.end())), (std::vector<float>{4, -4, 4, 0, 4, -4, 0}));
}

TEST(Qsgd, GivesMultiplesOfTheNormInFewestBits) {
  const auto x = random_vector(5120, 1);
  double norm = 0;
  for (const float v : x) norm += static_cast<double>(v) * v;
  norm = std::sqrt(norm);
  for (const auto& [levels, bits] : {std::pair{1, 2u}, {3, 3u}, {4, 4u}, {127, 8u}, {128, 9u}, {1000, 11u}}) {
    Encoded e;
    const auto z = coded(fmt::format("qsgd:{}", levels).c_str(), x, &e);
    EXPECT_EQ(e.bytes, 64 + 5120 / 8 * bits) << levels;
    for (std::size_t k = 0; k < x.size(); ++k) {
      const double level = z[k] / norm * levels;
      ASSERT_NEAR(level, std::round(level), 1e-4) << levels << " " << k;
      ASSERT_LE(std::abs(z[k] - x[k]), 1.0001 * norm / levels) << levels << " " << k;
    }
  }
}

TEST(Qsgd, EndsOfTheRange) {
  EXPECT_EQ(coded("qsgd:16", std::vector<float>(20, 0.0f)), AlignedVector<float>(20, 0.0f));
  EXPECT_NEAR(coded("qsgd:8388607", std::vector<float>{-3})[0], -3, 1e-6);
  EXPECT_NEAR(coded("qsgd:1", std::vector<float>{1e38f})[0] / 1e38f, 1, 1e-5);
  Encoded e;
  const auto tiny = coded("qsgd:4", std::vector<float>{1e-42f, -1e-42f}, &e);
  EXPECT_LE(std::abs(tiny[0]), 1e-30f);
  EXPECT_EQ(e.overflows, 0u);
  const auto z = coded("qsgd:4", std::vector<float>{3, kInf, 4, kNaN, -kInf}, &e);
  EXPECT_EQ(e.overflows, 3u);
  EXPECT_EQ(z[1], 5);
  EXPECT_EQ(z[3], 0);
  EXPECT_EQ(z[4], -5);
}

TEST(Float16, HalvesStay) {
  std::vector<float> x = {0,        1,         -1,         0.5f,     65504,         -65504,
                          0x1p-24f, -0x1p-24f, 0x3ffp-24f, 0x1p-14f, 1.0009765625f, 0x1.554p-3f};
  const auto z = coded("float16", x);
  EXPECT_EQ((std::vector<float>(z.begin(), z.end())), x);
}

TEST(Float16, RoundsToANeighbourWithoutBiasAtEveryScale) {
  for (const float v : {1.00033f, -777.77f, 65503.0f, 3.3e-5f, -1e-6f, 0x1.fffp-15f, 2e-8f}) {
    const std::vector<float> x(8192, v);
    double sum = 0;
    const double step = std::max(std::ldexp(1.0, std::ilogb(v) - 10), 0x1p-24);
    for (const float z : coded("float16", x)) {
      ASSERT_LT(std::abs(z - v), step) << v;
      sum += static_cast<double>(z) - v;
    }
    EXPECT_LE(std::abs(sum / 8192), 5 * step / 2 / std::sqrt(8192.0)) << v;
  }
}

TEST(Float16, OverflowsAreCountedAndClamped) {
  const std::vector<float> x = {65504.1f, -1e30f, kInf, -kInf, kNaN, 65504};
  Encoded e;
  const auto z = coded("float16", x, &e);
  EXPECT_EQ(e.overflows, 5u);
  EXPECT_EQ((std::vector<float>(z.begin(), z.end())), (std::vector<float>{65504, -65504, 65504, -65504, 0, 65504}));
}

TEST(Exact, IsExact) {
  Encoded e;
  const auto x = random_vector(1000, 5);
  EXPECT_EQ(coded("exact", x, &e), x);
  EXPECT_EQ(e.bytes, 4000u);
}

TEST(MakeCodec, PaperBits) {
  const auto bits = [](const char* text) { return make_codec(text)->paper_bits(); };
  EXPECT_EQ(bits("exact"), 16);
  EXPECT_EQ(bits("float16"), 16);
  EXPECT_EQ(bits("low-precision:1e-3"), 3);
  EXPECT_EQ(bits("low-precision:0.00001"), 5);
  EXPECT_DOUBLE_EQ(bits("low-precision:5e-3"), -std::log10(5e-3));
  EXPECT_EQ(bits("rounding"), 1);
  EXPECT_EQ(bits("sparsifier:4"), 2);
  EXPECT_EQ(bits("qsgd:16"), 6);
  EXPECT_EQ(bits("qsgd-rescaled:16"), 6);
  EXPECT_EQ(bits("sign"), 1);
  EXPECT_EQ(bits("sign:512"), 1);
  EXPECT_DOUBLE_EQ(bits("random-k:0.1"), 1.6);
  EXPECT_DOUBLE_EQ(bits("random-k-unbiased:0.1"), 1.6);
  EXPECT_DOUBLE_EQ(bits("top-k:0.1"), 1.6 + 0.1 * 4 + 1.0 / 8);
  EXPECT_DOUBLE_EQ(bits("top-k:0.01"), 0.16 + 0.01 * 7 + 1.0 / 64);
  EXPECT_DOUBLE_EQ(bits("top-k:0.5"), 8 + 1);
  EXPECT_EQ(bits("top-k:1"), 16);
}

TEST(MakeCodec, NamesReadBack) {
  for (const auto& text : kEveryCodec) {
    const std::string name = make_codec(text)->name();
    EXPECT_EQ(make_codec(name)->name(), name) << text;
  }
  EXPECT_EQ(make_codec("low-precision:1e-3")->name(), "low-precision:0.001");
  EXPECT_EQ(make_codec("rounding:1")->name(), "rounding");
}

TEST(MakeCodec, EveryRowHasAHelp) {
  for (const CodecRow& row : codec_table()) {
    EXPECT_GT(std::string(row.syntax).size(), 0u);
    EXPECT_GT(std::string(row.help).size(), 10u) << row.syntax;
  }
}

TEST(MakeCodec, BadValuesNameTheOptionTheValueAndTheFix) {
  for (const char* text : {"low-precision:0",
                           "low-precision:-1",
                           "low-precision:abc",
                           "low-precision:",
                           "low-precision:1e-3x",
                           "low-precision:inf",
                           "low-precision:1e-300",
                           "low-precision",
                           "rounding:nan",
                           "sparsifier:nan",
                           "sparsifier:-4",
                           "sparsifier",
                           "qsgd:0",
                           "qsgd:-1",
                           "qsgd:1.5",
                           "qsgd:99999999999",
                           "qsgd:8388608",
                           "qsgd",
                           "qsgd-rescaled:0",
                           "qsgd-rescaled:x",
                           "qsgd-rescaled",
                           "top-k:0",
                           "top-k:-0.1",
                           "top-k:1.0001",
                           "top-k:10%",
                           "top-k:nan",
                           "top-k:",
                           "top-k",
                           "random-k:2",
                           "random-k:inf",
                           "random-k-unbiased:0",
                           "random-k-unbiased:0.1,",
                           "sign:0",
                           "sign:1",
                           "sign:16",
                           "sign:48",
                           "sign:1000",
                           "sign:-512",
                           "sign:512.0",
                           "sign:4294967808",
                           "sign:",
                           "exact:1",
                           "float16:",
                           "zip",
                           "",
                           ":"}) {
    try {
      make_codec(text);
      ADD_FAILURE() << text << " was accepted";
    } catch (const InputError& e) {
      EXPECT_THAT(e.what(), HasSubstr(std::string("--codec ") + text + ":"));
      EXPECT_THAT(e.what(), testing::AnyOf(HasSubstr("for example"), HasSubstr("choose one of"))) << text;
    }
  }
}

}  // namespace
}  // namespace quantimed

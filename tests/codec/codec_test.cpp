// SPDX-License-Identifier: BSD-3-Clause
// What every code promises: sizes, determinism, slices, unbiasedness and variance.
#include "codec/codec.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "codec/codec_testing.hpp"
#include "codec/golden.hpp"

namespace quantimed {
namespace {

constexpr std::size_t kSizes[] = {0, 1, 15, 16, 511, 512, 513, 1024, 39760};

class EveryCodec : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Codec> codec = make_codec(GetParam());
};

TEST_P(EveryCodec, BytesAreWhatAccumulateReads) {
  for (const std::size_t p : kSizes) {
    const auto x = random_vector(p, 0.9);
    AlignedVector<std::byte> message(codec->capacity(p), std::byte{0x5a});
    const Encoded e = codec->encode(x, quantizer_key(1), message);
    ASSERT_LE(e.bytes, codec->capacity(p)) << p;
    EXPECT_EQ(e.overflows, 0u) << p;
    const auto before = decoded(*codec, message, p);
    // The rest may hold anything (NaNs here), and was not written.
    for (std::size_t b = e.bytes; b < message.size(); ++b) ASSERT_EQ(message[b], std::byte{0x5a}) << p;
    std::fill(message.begin() + static_cast<std::ptrdiff_t>(e.bytes), message.end(), std::byte{0xff});
    EXPECT_EQ(decoded(*codec, message, p), before) << p;
    EXPECT_EQ(decoded(*codec, encoded(*codec, x, quantizer_key(1)), p), before) << p;
  }
}

TEST_P(EveryCodec, KeyAndModelFixTheMessage) {
  const auto x = random_vector(1300, 0.9);
  EXPECT_EQ(encoded(*codec, x, quantizer_key(1)), encoded(*codec, x, quantizer_key(1)));
  if (is_deterministic(GetParam())) {
    EXPECT_EQ(encoded(*codec, x, quantizer_key(1)), encoded(*codec, x, quantizer_key(2)));
  } else {
    EXPECT_NE(encoded(*codec, x, quantizer_key(1)), encoded(*codec, x, quantizer_key(2)));
  }
}

// A last block's coordinates do not depend on what follows, so a shorter model is a prefix.
TEST_P(EveryCodec, EveryLengthDecodes) {
  if (looks_at_the_whole(GetParam())) return;
  const auto x = random_vector(1100, 0.9);
  const auto whole = decoded(*codec, encoded(*codec, x, quantizer_key(1)), x.size());
  for (std::size_t p = 0; p < x.size(); p += 37) {
    const auto z = decoded(*codec, encoded(*codec, std::span(x).first(p), quantizer_key(1)), p);
    ASSERT_TRUE(std::equal(z.begin(), z.end(), whole.begin())) << p;
  }
}

TEST_P(EveryCodec, AccumulateWeighsAndSlices) {
  const std::size_t p = 39760;
  const auto x = random_vector(p, 0.9);
  const auto message = encoded(*codec, x, quantizer_key(1));
  const auto z = decoded(*codec, message, p);
  const auto start = random_vector(p, 2, 9);
  const float weight = 0.37f;
  for (const std::size_t slice : {512u, 2048u, 4096u, 39936u}) {
    auto acc = start;
    for (std::size_t first = 0; first < p; first += slice) {
      const std::size_t count = std::min(slice, p - first);
      codec->accumulate(message, weight, first, std::span(x).subspan(first, count),
                        std::span(acc).subspan(first, count));
    }
    for (std::size_t k = 0; k < p; ++k)
      ASSERT_NEAR(acc[k], start[k] + weight * z[k], 1e-6 * (1 + std::abs(z[k]))) << slice << " " << k;
  }
  // A short slice from the middle.
  AlignedVector<float> acc(100, 0.0f);
  codec->accumulate(message, 1.0f, 1024, std::span(x).subspan(1024, 100), acc);
  for (std::size_t k = 0; k < acc.size(); ++k) ASSERT_EQ(acc[k], z[1024 + k]) << k;
}

// What a sender adds to its own state and what every receiver adds are the same numbers, in whatever slices.
TEST_P(EveryCodec, DecodesToTheSameBitsInAnySlices) {
  for (const std::size_t p : {1u, 31u, 512u, 1300u, 9000u, 39760u}) {
    const auto x = random_vector(p, 0.9, p);
    const auto message = encoded(*codec, x, quantizer_key(4));
    AlignedVector<float> z(p, 0.0f);
    codec->accumulate(message, 1.0f, 0, x, z);
    for (const std::size_t slice : {512u, 1024u, 1536u, 8192u}) {
      AlignedVector<float> parts(p, 0.0f);
      for (std::size_t first = 0; first < p; first += slice) {
        const std::size_t count = std::min(slice, p - first);
        codec->accumulate(message, 1.0f, first, std::span(x).subspan(first, count),
                          std::span(parts).subspan(first, count));
      }
      ASSERT_EQ(std::memcmp(parts.data(), z.data(), p * sizeof(float)), 0) << p << " in slices of " << slice;
    }
    // From any block to any place, as the last slice of a worker is.
    for (std::size_t first = 0; first < p; first += 3 * Codec::kSlice)
      for (const std::size_t length : {1u, 15u, 17u, 100u, 511u, 700u}) {
        AlignedVector<float> part(std::min<std::size_t>(length, p - first), 0.0f);
        codec->accumulate(message, 1.0f, first, std::span(x).subspan(first, part.size()), part);
        ASSERT_EQ(std::memcmp(part.data(), z.data() + first, part.size() * sizeof(float)), 0) << p << " " << first;
      }
  }
}

TEST_P(EveryCodec, SlicesMakeTheSameMessage) {
  const std::size_t p = 2600;
  const auto x = random_vector(p, 0.9);
  AlignedVector<std::byte> message(codec->capacity(p));
  if (!codec->is_sliceable()) {
    EXPECT_THROW(codec->encode_slice(x, quantizer_key(1), 0, message), InternalError);
    return;
  }
  std::size_t bytes = 0;
  for (const std::size_t first : {1024u, 0u, 2048u}) {
    const std::size_t count = std::min<std::size_t>(1024, p - first);
    bytes += codec->encode_slice(std::span(x).subspan(first, count), quantizer_key(1), first, message).bytes;
  }
  EXPECT_EQ(message, encoded(*codec, x, quantizer_key(1)));
  EXPECT_EQ(bytes, message.size());
}

TEST_P(EveryCodec, RejectsBuffersThatDoNotFit) {
  const auto x = random_vector(600, 0.9);
  AlignedVector<std::byte> message(codec->capacity(600) + 64);
  EXPECT_THROW(codec->encode(x, quantizer_key(1), std::span(message).first(codec->capacity(600) - 1)), InternalError);
  EXPECT_THROW(codec->encode(x, quantizer_key(1), std::span(message).subspan(4)), InternalError);
}

// Mean over many keys within 5 standard errors, coordinate by coordinate, but for contractions; total squared error
// within the bound, and that within what the class promises.
TEST_P(EveryCodec, IsWhatItsClassPromises) {
  const std::size_t p = 600, keys = 2000;
  const auto x = random_vector(p, 0.9);
  std::vector<double> error(p), squares(p);
  for (std::uint32_t key = 0; key < keys; ++key) {
    const auto z = decoded(*codec, encoded(*codec, x, quantizer_key(key)), p);
    for (std::size_t k = 0; k < p; ++k) {
      const double e = static_cast<double>(z[k]) - x[k];
      error[k] += e;
      squares[k] += e * e;
    }
  }
  const double n = static_cast<double>(keys), bound = codec->variance_bound(x);
  double total = 0, square = 0;
  for (const float v : x) square += static_cast<double>(v) * v;
  for (std::size_t k = 0; k < p; ++k) {
    const double mean = error[k] / n, variance = squares[k] / n;
    total += variance;
    if (codec->kind() == CodecClass::contraction) continue;
    // A coordinate that is hardly ever rounded up shows too few events for its own standard error: at least the
    // average of all stands in for it. The grain of probability (2^−17 of a step) is far below.
    EXPECT_LE(std::abs(mean), 5 * std::sqrt(std::max(variance, 0.1 * bound / static_cast<double>(p)) / n) + 1e-7) << k;
  }
  // The total of 600 coordinates × 2000 keys has a standard error below 1 %.
  EXPECT_LE(total, 1.01 * bound + 1e-12);
  const double constant = codec->constant(p);
  AlignedVector<float> large = x;
  switch (codec->kind()) {
    case CodecClass::exact:
      EXPECT_EQ(total, 0);
      EXPECT_EQ(constant, 0);
      break;
    case CodecClass::contraction:
      EXPECT_GT(constant, 0);
      EXPECT_LE(constant, 1);
      EXPECT_LE(bound, (1 - constant) * square * (1 + 1e-9));
      break;
    case CodecClass::unbiased:
      EXPECT_GT(constant, 0);
      EXPECT_LE(bound, constant * square * (1 + 1e-9));
      break;
    case CodecClass::absolute:
    case CodecClass::relative:
      EXPECT_EQ(constant, 0);
      // Does not grow with x: M² a coordinate at most, where M = 4 is the largest step among these codes.
      for (float& v : large) v *= 1000;
      EXPECT_LE(codec->variance_bound(large), 4 * 4 * static_cast<double>(p));
      break;
  }
}

TEST_P(EveryCodec, ZerosAreZeros) {
  for (const std::size_t p : {1u, 600u, 1024u}) {
    const AlignedVector<float> zeros(p, 0.0f);
    Encoded e;
    EXPECT_EQ(decoded(*codec, encoded(*codec, zeros, quantizer_key(1), &e), p), zeros) << p;
    EXPECT_EQ(e.overflows, 0u);
    EXPECT_GE(codec->constant(p), 0);
  }
}

// A number that is none, an infinity: counted wherever they are, and what is decoded is finite. exact alone passes
// them on as they are.
TEST_P(EveryCodec, WhatIsNoNumberIsCountedAndDecodedToOne) {
  if (GetParam() == "exact") return;
  const float bad[] = {std::nanf(""), -std::nanf(""), INFINITY, -INFINITY};
  for (const std::size_t p : {4u, 600u, 2000u})
    for (const std::size_t where : {std::size_t{0}, (p - 4) / 2, p - 4}) {
      auto x = random_vector(p, 0.9);
      std::copy(std::begin(bad), std::end(bad), x.begin() + static_cast<std::ptrdiff_t>(where));
      Encoded e;
      const auto z = decoded(*codec, encoded(*codec, x, quantizer_key(1), &e), p);
      EXPECT_EQ(e.overflows, 4u) << p << " " << where;
      for (std::size_t k = 0; k < p; ++k) ASSERT_TRUE(std::isfinite(z[k])) << p << " " << k;
      EXPECT_TRUE(std::isfinite(codec->constant(p)));
    }
}

// No code of the table is without these tests.
TEST(Codec, EveryRowOfTheTableIsTested) {
  for (const CodecRow& row : codec_table()) {
    const std::string syntax = row.syntax;
    const auto colon = syntax.find(':');
    EXPECT_TRUE(std::any_of(kEveryCodec.begin(), kEveryCodec.end(), [&](const std::string& text) {
      return colon == std::string::npos ? text == syntax : text.starts_with(syntax.substr(0, colon + 1));
    })) << syntax;
  }
}

TEST(Codec, ClassesAndConstants) {
  struct Row {
    const char* text;
    CodecClass kind;
    double constant;  // of 1000 coordinates
  };
  const double root = std::sqrt(1000.0);
  const Row rows[] = {
      {"exact", CodecClass::exact, 0},
      {"float16", CodecClass::unbiased, 0x1p-22},
      {"low-precision:1e-3", CodecClass::absolute, 0},
      {"rounding", CodecClass::absolute, 0},
      {"sparsifier:4", CodecClass::absolute, 0},
      {"modulo:1e-3,8", CodecClass::relative, 0},
      {"qsgd:1", CodecClass::unbiased, root},
      {"qsgd:100", CodecClass::unbiased, 1000.0 / 40000},
      {"qsgd-rescaled:1", CodecClass::contraction, 1 / (1 + root)},
      {"qsgd-rescaled:100", CodecClass::contraction, 1 / 1.1},
      {"top-k:0.1", CodecClass::contraction, 0.1},
      {"top-k:0.0001", CodecClass::contraction, 0.001},
      {"top-k:1", CodecClass::contraction, 1},
      {"random-k:0.25", CodecClass::contraction, 0.25},
      {"random-k-unbiased:0.25", CodecClass::unbiased, 3},
      {"sign", CodecClass::contraction, 0.001},
      {"sign:512", CodecClass::contraction, 1.0 / 512},
      {"sign:1024", CodecClass::contraction, 0.001},
  };
  for (const auto& [text, kind, constant] : rows) {
    const auto codec = make_codec(text);
    EXPECT_EQ(codec->kind(), kind) << text;
    EXPECT_DOUBLE_EQ(codec->constant(1000), constant) << text;
    EXPECT_TRUE(std::isfinite(codec->constant(0))) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryCodec, testing::ValuesIn(kEveryCodec), [](const auto& row) {
  std::string name = row.param;
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return name;
});

// The same bits with every compiler, instruction set and optimisation: contraction or reordering would show here.
TEST(Codec, MessagesAreGolden) {
  for (const auto& [text, hash] : kGoldenMessages) EXPECT_EQ(message_hash(text), hash) << text;
}

// Where products and sums are rounded once, as x86-64-v3, x86-64-v4 and AArch64 do.
#if defined(__FMA__) || defined(__aarch64__)
TEST(Codec, SumsAreGolden) {
  for (const auto& [text, hash] : kGoldenSums) EXPECT_EQ(sum_hash(text), hash) << text;
}
#endif

}  // namespace
}  // namespace quantimed

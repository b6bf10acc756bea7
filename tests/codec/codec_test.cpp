// What every code promises: sizes, determinism, slices, unbiasedness and variance.
#include "codec/codec.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "codec/codec_testing.hpp"

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
  if (GetParam() != "exact") {
    EXPECT_NE(encoded(*codec, x, quantizer_key(1)), encoded(*codec, x, quantizer_key(2)));
  }
}

// A last block's coordinates do not depend on what follows, so a shorter model is a prefix (but for qsgd's norm).
TEST_P(EveryCodec, EveryLengthDecodes) {
  if (GetParam().starts_with("qsgd")) return;
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

// Mean over many keys within 5 standard errors, coordinate by coordinate; total squared error within the bound.
TEST_P(EveryCodec, IsUnbiasedWithBoundedVariance) {
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
  double total = 0;
  for (std::size_t k = 0; k < p; ++k) {
    const double mean = error[k] / n, variance = squares[k] / n;
    total += variance;
    // A coordinate that is hardly ever rounded up shows too few events for its own standard error: at least the
    // average of all stands in for it. The grain of probability (2^−17 of a step) is far below.
    EXPECT_LE(std::abs(mean), 5 * std::sqrt(std::max(variance, 0.1 * bound / static_cast<double>(p)) / n) + 1e-7) << k;
  }
  // The total of 600 coordinates × 2000 keys has a standard error below 1 %.
  EXPECT_LE(total, 1.01 * bound + 1e-12);
}

INSTANTIATE_TEST_SUITE_P(All, EveryCodec, testing::ValuesIn(kEveryCodec), [](const auto& row) {
  std::string name = row.param;
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return name;
});

std::uint64_t fnv1a(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 0x100000001b3ull;
  return hash;
}

// The same bits with every compiler, instruction set and optimisation: contraction or reordering would show here.
TEST(Codec, MessagesAreGolden) {
  struct Golden {
    const char* codec;
    std::uint64_t hash;
  };
  const Golden golden[] = {
      {"exact", 0x3b93361d32670e85ull},
      {"float16", 0x4251ab01406b4f21ull},
      {"low-precision:1e-3", 0x07f749d39ecb1423ull},
      {"low-precision:1e-5", 0x8ab987fa869036d1ull},
      {"rounding", 0x02ae5764ed16525eull},
      {"sparsifier:4", 0xf91bb0355efa1005ull},
      {"qsgd:1000", 0x452805f9eb13a7d4ull},
  };
  const auto x = random_vector(39760, 2);
  for (const auto& [text, hash] : golden)
    EXPECT_EQ(fnv1a(encoded(*make_codec(text), x, quantizer_key(5))), hash) << text;
}

}  // namespace
}  // namespace quantimed

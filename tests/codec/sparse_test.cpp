// SPDX-License-Identifier: BSD-3-Clause
// top-k, random-k and sign: what they keep, what it costs, and their constants, each against a naive twin.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "codec/codec_testing.hpp"
#include "codec/sparse.hpp"

namespace quantimed {
namespace {

double square(std::span<const float> x) {
  return std::accumulate(x.begin(), x.end(), 0.0, [](double sum, double v) { return sum + v * v; });
}

double error(std::span<const float> z, std::span<const float> x) {
  double sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double e = static_cast<double>(z[k]) - x[k];
    sum += e * e;
  }
  return sum;
}

AlignedVector<float> sparse_coded(const std::string& text, std::span<const float> x, std::uint32_t iteration = 1,
                                  Encoded* result = nullptr) {
  const auto codec = make_codec(text);
  return decoded(*codec, encoded(*codec, x, quantizer_key(iteration), result), x.size());
}

// The indices that a message in memory keeps.
std::vector<std::size_t> kept_indices(std::span<const std::byte> message, std::size_t p) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < p; ++i) {
    const auto byte = message[sparse::bits_at(i / 512) + i % 512 / 8];
    if ((byte >> i % 8 & std::byte{1}) != std::byte{0}) indices.push_back(i);
  }
  return indices;
}

AlignedVector<float> sorted_twin(std::span<const float> x, std::size_t k) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return std::abs(x[a]) > std::abs(x[b]); });
  AlignedVector<float> z(x.size(), 0.0f);
  for (std::size_t i = 0; i < k; ++i) z[order[i]] = x[order[i]];
  return z;
}

TEST(TopK, MatchesASort) {
  for (const std::size_t p : {1u, 20u, 64u, 513u, 5000u})
    for (const double share : {1e-9, 0.01, 0.1, 0.5, 0.999, 1.0}) {
      const std::size_t k =
          std::min(p, std::max<std::size_t>(1, static_cast<std::size_t>(std::round(share * static_cast<double>(p)))));
      auto x = random_vector(p, 0.9, p);
      EXPECT_EQ(sparse_coded(fmt::format("top-k:{}", share), x), sorted_twin(x, k)) << p << " " << share;
      for (float& v : x) v = std::round(v * 3) * 0x1p-140f;  // ties, zeros of both signs, subnormal numbers
      EXPECT_EQ(sparse_coded(fmt::format("top-k:{}", share), x), sorted_twin(x, k)) << p << " " << share;
      for (std::size_t i = 0; i < p; ++i)
        x[i] = std::ldexp(x[i] < 0 ? -1.0f : 1.0f, static_cast<int>(i * 37 % 250) - 125);
      EXPECT_EQ(sparse_coded(fmt::format("top-k:{}", share), x), sorted_twin(x, k)) << p << " " << share;
    }
}

TEST(TopK, TakesMagnitudesAndOfTiesTheLowerIndex) {
  const AlignedVector<float> x = {3, -5, 1, 4, 2, 6, -4, 4, 5, 0};
  EXPECT_EQ(sparse_coded("top-k:0.4", x), (AlignedVector<float>{0, -5, 0, 4, 0, 6, 0, 0, 5, 0}));
  EXPECT_EQ(sparse_coded("top-k:0.2", x), (AlignedVector<float>{0, -5, 0, 0, 0, 6, 0, 0, 0, 0}));
  EXPECT_EQ(sparse_coded("top-k:1", x), x);
}

TEST(TopK, KeepsAnInfinityAsTheLargestFloatAndNoNaN) {
  const AlignedVector<float> x = {1, std::nanf(""), -INFINITY, 2, INFINITY, 0.5f};
  Encoded e;
  const auto z = sparse_coded("top-k:0.5", x, 1, &e);
  EXPECT_EQ(z, (AlignedVector<float>{0, 0, -3.4028234664e38f, 2, 3.4028234664e38f, 0}));
  EXPECT_EQ(e.overflows, 3u);
  // The NaN is left out, and still counted.
  sparse_coded("top-k:0.1", x, 1, &e);
  EXPECT_EQ(e.overflows, 3u);
}

TEST(TopK, ConstantIsReachedWhereAllMagnitudesAreEqual) {
  AlignedVector<float> x(1000, 0.5f);
  for (std::size_t k = 0; k < x.size(); k += 3) x[k] = -0.5f;
  for (const double share : {0.001, 0.01, 0.1, 0.9})
    EXPECT_NEAR(error(sparse_coded(fmt::format("top-k:{}", share), x), x), (1 - share) * square(x), 1e-9) << share;
  x[7] = 3;
  EXPECT_LT(error(sparse_coded("top-k:0.1", x), x), 0.9 * square(x));
}

// ---- the indices on a wire --------------------------------------------------------------------------
std::vector<bool> elias_fano(std::span<const std::size_t> indices, std::size_t p) {
  const std::size_t low =
      static_cast<std::size_t>(std::floor(std::log2(static_cast<double>(p) / static_cast<double>(indices.size()))));
  std::vector<bool> bits;
  for (const std::size_t i : indices)
    for (std::size_t b = 0; b < low; ++b) bits.push_back((i >> b & 1) != 0);
  std::size_t next = 0;
  for (std::size_t high = 0; high << low < p; ++high) {
    for (; next < indices.size() && indices[next] >> low == high; ++next) bits.push_back(true);
    bits.push_back(false);
  }
  return bits;
}

// The receiver knows p and k, and nothing else.
std::vector<std::size_t> from_elias_fano(const std::vector<bool>& bits, std::size_t p, std::size_t k) {
  const std::size_t low =
      static_cast<std::size_t>(std::floor(std::log2(static_cast<double>(p) / static_cast<double>(k))));
  std::vector<std::size_t> indices;
  std::size_t high = 0;
  for (std::size_t at = k * low; at < bits.size(); ++at) {
    if (!bits[at]) {
      ++high;
      continue;
    }
    std::size_t index = high << low;
    for (std::size_t b = 0; b < low; ++b) index |= std::size_t{bits[indices.size() * low + b]} << b;
    indices.push_back(index);
  }
  return indices;
}

std::vector<bool> bit_a_coordinate(std::span<const std::size_t> indices, std::size_t p) {
  std::vector<bool> bits(p, false);
  for (const std::size_t i : indices) bits[i] = true;
  return bits;
}

// What a message is charged for carries it: values and indices written bit by bit, and read back.
TEST(TopK, WireBytesAreThoseOfIndicesInEliasFano) {
  bool was_elias_fano = false, was_bitmap = false;
  for (const std::size_t p : {1u, 2u, 20u, 511u, 513u, 4096u, 39760u})
    for (const double share : {1e-4, 0.001, 0.01, 0.1, 0.24, 0.25, 0.4, 0.6, 1.0}) {
      const auto codec = make_codec(fmt::format("top-k:{}", share));
      const auto x = random_vector(p, 0.9, p + 1);
      const auto message = encoded(*codec, x, quantizer_key(1));
      const auto indices = kept_indices(message, p);
      const std::size_t k = indices.size();
      ASSERT_EQ(k, sparse::kept(share, p));
      const auto code = elias_fano(indices, p);
      ASSERT_EQ(from_elias_fano(code, p, k), indices) << p << " " << share;
      std::size_t index_bits = std::min(code.size(), bit_a_coordinate(indices, p).size());
      if (k == p) index_bits = 0;
      was_elias_fano |= index_bits == code.size();
      was_bitmap |= index_bits == p && p < code.size();
      EXPECT_EQ(sparse::index_bits(p, k), index_bits) << p << " " << share;
      EXPECT_EQ(codec->wire_bytes(message, p), (32 * k + index_bits + 7) / 8) << p << " " << share;
      // Values one after the other and these indices are the decoded vector.
      AlignedVector<float> z(p, 0.0f);
      const auto* value = reinterpret_cast<const float*>(message.data() + sparse::values_at(p));
      for (const std::size_t i : from_elias_fano(code, p, k)) z[i] = *value++;
      EXPECT_EQ(z, decoded(*codec, message, p)) << p << " " << share;
    }
  EXPECT_TRUE(was_elias_fano);
  EXPECT_TRUE(was_bitmap);
}

TEST(TopK, IndicesCostWhatIsPublished) {
  const auto bits = [](std::size_t k) { return static_cast<double>(sparse::index_bits(1'000'000, k)) / 1e6; };
  EXPECT_NEAR(bits(100'000), 0.525, 1e-5);
  EXPECT_NEAR(bits(10'000), 0.0856, 1e-4);
  EXPECT_NEAR(bits(1'000), 0.0120, 1e-4);
  EXPECT_EQ(bits(500'000), 1);
}

// ---- random-k ---------------------------------------------------------------------------------------
// A receiver draws the indices from the key: they depend on nothing else.
TEST(RandomK, IndicesComeFromTheKeyAlone) {
  const std::size_t p = 3000;
  const auto plain = make_codec("random-k:0.05"), unbiased = make_codec("random-k-unbiased:0.05");
  const auto indices = kept_indices(encoded(*plain, random_vector(p, 0.9), quantizer_key(6)), p);
  EXPECT_EQ(indices.size(), 150u);
  EXPECT_EQ(kept_indices(encoded(*plain, AlignedVector<float>(p, 0.0f), quantizer_key(6)), p), indices);
  EXPECT_EQ(kept_indices(encoded(*unbiased, random_vector(p, 70, 3), quantizer_key(6)), p), indices);
  EXPECT_NE(kept_indices(encoded(*plain, random_vector(p, 0.9), quantizer_key(7)), p), indices);
}

TEST(RandomK, KeepsExactlyKAsTheyAre) {
  for (const std::size_t p : {1u, 9u, 64u, 513u, 2000u})
    for (const double share : {1e-6, 0.1, 0.5, 0.51, 0.95, 1.0}) {
      const auto x = random_vector(p, 0.9, p);
      const auto codec = make_codec(fmt::format("random-k:{}", share));
      const auto message = encoded(*codec, x, quantizer_key(3));
      const auto indices = kept_indices(message, p);
      EXPECT_EQ(indices.size(), sparse::kept(share, p)) << p << " " << share;
      AlignedVector<float> z(p, 0.0f);
      for (const std::size_t i : indices) z[i] = x[i];
      EXPECT_EQ(decoded(*codec, message, p), z) << p << " " << share;
    }
}

// Each coordinate, and each pair of neighbours, as often as any other: within 5 standard errors.
TEST(RandomK, EverySetIsEquallyLikely) {
  const std::size_t p = 40;
  const std::uint32_t keys = 20000;
  for (const double share : {0.1, 0.8}) {
    const auto codec = make_codec(fmt::format("random-k:{}", share));
    const AlignedVector<float> ones(p, 1.0f);
    std::vector<double> single(p), pair(p);
    for (std::uint32_t key = 0; key < keys; ++key) {
      const auto z = decoded(*codec, encoded(*codec, ones, quantizer_key(key)), p);
      for (std::size_t k = 0; k < p; ++k) {
        single[k] += z[k];
        pair[k] += static_cast<double>(z[k]) * z[(k + 1) % p];
      }
    }
    const double k = share * p, one = k / p, two = one * (k - 1) / (p - 1);
    for (std::size_t i = 0; i < p; ++i) {
      EXPECT_NEAR(single[i] / keys, one, 5 * std::sqrt(one * (1 - one) / keys)) << share << " " << i;
      EXPECT_NEAR(pair[i] / keys, two, 5 * std::sqrt(two * (1 - two) / keys)) << share << " " << i;
    }
  }
}

TEST(RandomK, ConstantsAreExactOnAverage) {
  const std::size_t p = 600;
  const std::uint32_t keys = 4000;
  const auto x = random_vector(p, 0.9);
  for (const double share : {0.05, 0.3, 0.9}) {
    double plain = 0, unbiased = 0;
    for (std::uint32_t key = 0; key < keys; ++key) {
      plain += error(sparse_coded(fmt::format("random-k:{}", share), x, key), x);
      unbiased += error(sparse_coded(fmt::format("random-k-unbiased:{}", share), x, key), x);
    }
    EXPECT_NEAR(plain / keys / square(x), 1 - share, 0.01 * (1 - share)) << share;
    EXPECT_NEAR(unbiased / keys / square(x), 1 / share - 1, 0.02 * (1 / share - 1)) << share;
  }
}

TEST(RandomK, WhatItsFactorMakesTooLargeIsAnOverflow) {
  const AlignedVector<float> x(10, 1e38f);
  Encoded e;
  const auto z = sparse_coded("random-k-unbiased:0.2", x, 1, &e);  // 5e38
  EXPECT_EQ(e.overflows, 2u);
  EXPECT_EQ(*std::max_element(z.begin(), z.end()), 3.4028234664e38f);
  sparse_coded("random-k:0.2", x, 1, &e);
  EXPECT_EQ(e.overflows, 0u);
}

// ---- sign -------------------------------------------------------------------------------------------
TEST(Sign, IsTheMeanMagnitudeWithItsSigns) {
  const AlignedVector<float> x = {1, -2, 0, -0.0f, 5};
  EXPECT_EQ(sparse_coded("sign", x), (AlignedVector<float>{1.6f, -1.6f, 1.6f, 1.6f, 1.6f}));
  const AlignedVector<float> bad = {1, std::nanf(""), -INFINITY, -2};
  Encoded e;
  EXPECT_EQ(sparse_coded("sign", bad, 1, &e), (AlignedVector<float>{0.75f, 0.75f, -0.75f, -0.75f}));
  EXPECT_EQ(e.overflows, 2u);
}

// In blocks, a short last one among them, as whole vectors one after the other.
TEST(Sign, OfBlocksIsSignOfEachBlock) {
  for (const std::size_t length : {32u, 64u, 128u, 256u, 512u, 1024u, 4608u})
    for (const std::size_t p : {1u, 31u, 33u, 500u, 512u, 1100u, 9000u}) {
      const auto x = random_vector(p, 0.9, p);
      AlignedVector<float> twin;
      for (std::size_t at = 0; at < p; at += length)
        for (const float v : sparse_coded("sign", std::span(x).subspan(at, std::min(length, p - at))))
          twin.push_back(v);
      const auto codec = make_codec(fmt::format("sign:{}", length));
      const auto message = encoded(*codec, x, quantizer_key(1));
      EXPECT_EQ(decoded(*codec, message, p), twin) << length << " " << p;
      EXPECT_EQ(codec->wire_bytes(message, p), (p + 7) / 8 + 4 * ((p + length - 1) / length));
      EXPECT_EQ(codec->is_sliceable(), length <= 512);
    }
}

TEST(Sign, ConstantIsThatOfTheNorms) {
  const std::size_t p = 3000;
  const auto x = random_vector(p, 0.9);
  double magnitudes = 0;
  for (const float v : x) magnitudes += std::abs(static_cast<double>(v));
  const double delta = magnitudes * magnitudes / (static_cast<double>(p) * square(x));
  EXPECT_NEAR(error(sparse_coded("sign", x), x) / square(x), 1 - delta, 1e-6);
  EXPECT_NEAR(make_codec("sign")->variance_bound(x) / square(x), 1 - delta, 1e-6);
  EXPECT_LT(error(sparse_coded("sign:32", x), x), error(sparse_coded("sign", x), x));
  // The worst vector: one coordinate alone.
  AlignedVector<float> one(p, 0.0f);
  one[17] = 4;
  EXPECT_NEAR(error(sparse_coded("sign", one), one) / square(one), 1 - make_codec("sign")->constant(p), 1e-6);
  EXPECT_NEAR(error(sparse_coded("sign:512", one), one) / square(one), 1 - make_codec("sign:512")->constant(p), 1e-6);
}

// ---- qsgd-rescaled ----------------------------------------------------------------------------------
TEST(QsgdRescaled, IsQsgdDividedByTau) {
  const std::size_t p = 700;
  const auto x = random_vector(p, 0.9);
  for (const int levels : {1, 4, 100}) {
    const double s = levels, tau = 1 + std::min(700 / (s * s), std::sqrt(700.0) / s);
    const auto plain = sparse_coded(fmt::format("qsgd:{}", levels), x);
    const auto z = sparse_coded(fmt::format("qsgd-rescaled:{}", levels), x);
    for (std::size_t k = 0; k < p; ++k) ASSERT_NEAR(z[k], plain[k] / tau, 1e-6 * std::abs(plain[k])) << levels;
  }
}

TEST(QsgdRescaled, ContractsEveryVector) {
  const std::uint32_t keys = 500;
  for (const std::size_t p : {1u, 30u, 700u})
    for (const int levels : {1, 2, 16}) {
      const auto codec = make_codec(fmt::format("qsgd-rescaled:{}", levels));
      auto x = random_vector(p, 0.9, p);
      for (const bool is_spike : {false, true}) {
        if (is_spike) x[p / 2] = 100;
        double sum = 0;
        for (std::uint32_t key = 0; key < keys; ++key) sum += error(sparse_coded(codec->name(), x, key), x);
        EXPECT_LE(sum / keys, 1.03 * codec->variance_bound(x) + 1e-9) << p << " " << levels;
        EXPECT_LT(sum / keys, 1.001 * (1 - codec->constant(p)) * square(x)) << p << " " << levels;
      }
    }
}

}  // namespace
}  // namespace quantimed

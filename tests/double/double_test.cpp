// SPDX-License-Identifier: BSD-3-Clause
// What quantimed-double is made of: codes, elementwise functions and mixing with Real = double.
#include "codec/codec.hpp"
#include "node/mix_together.hpp"
#include "node/sweep.hpp"
#include "problem/elementwise.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace quantimed {
namespace {

static_assert(kIsDouble);

AlignedVector<Real> drawn(std::size_t p, std::uint32_t node) {
  AlignedVector<Real> x(p);
  Stream stream({.seed = p, .node = node, .purpose = Purpose::check});
  for (Real& each : x) each = stream.uniform(-1, 1) + 1e-9 * stream.uniform(-1, 1);
  return x;
}

struct Sent {
  Sent(const Codec& codec, std::span<const Real> x) : bytes(codec.capacity(x.size())) {
    const Encoded encoded = codec.encode(x, {.seed = 5, .purpose = Purpose::quantizer}, bytes);
    EXPECT_EQ(encoded.overflows, 0u) << codec.name();
    message = std::span<const std::byte>(bytes).first(encoded.bytes);
  }
  AlignedVector<std::byte> bytes;
  std::span<const std::byte> message;
};

TEST(Double, EveryCodeComesBackWithinItsErrorAndInAnySlices) {
  constexpr std::size_t p = 1700;
  const AlignedVector<Real> x = drawn(p, 0);
  for (const char* text :
       {"exact", "float16", "low-precision:1e-3", "rounding:0.01", "sparsifier:2", "qsgd:64", "qsgd-rescaled:8",
        "modulo:1e-3,7", "top-k:0.1", "random-k:0.3", "random-k-unbiased:0.3", "sign", "sign:64"}) {
    const auto codec = make_codec(text);
    const Sent sent(*codec, x);
    AlignedVector<Real> whole(p), parts(p);
    std::ranges::fill(whole, 0);
    std::ranges::fill(parts, 0);
    EXPECT_EQ(codec->accumulate(sent.message, 1, 0, x, whole), 0u) << text;
    for (std::size_t first = 0; first < p; first += Codec::kSlice) {
      const std::size_t count = std::min(Codec::kSlice, p - first);
      codec->accumulate(sent.message, 1, first, std::span(x).subspan(first, count),
                        std::span(parts).subspan(first, count));
    }
    EXPECT_EQ(whole, parts) << text;
    double error = 0, norm = 0;
    for (std::size_t k = 0; k < p; ++k) error += (whole[k] - x[k]) * (whole[k] - x[k]), norm += x[k] * x[k];
    // A draw is at most a step off where its variance is at most a quarter of its square; and what float32 rounds.
    EXPECT_LE(error, 4 * codec->variance_bound(x) + 0x1p-46 * norm) << text;
    if (codec->is_identity()) {
      EXPECT_EQ(whole, x);
    }
    // The code itself is float32's: as long as there, but for exact.
    EXPECT_EQ(codec->wire_bytes(sent.message, p) == 8 * p, codec->is_identity()) << text;
  }
}

TEST(Double, AnOverflowOfFloat32IsOneOfTheCodesToo) {
  AlignedVector<Real> x = drawn(600, 0);
  x[7] = 1e60;
  for (const char* text : {"float16", "low-precision:1e-3", "qsgd:64", "top-k:0.1", "sign"}) {
    const auto codec = make_codec(text);
    AlignedVector<std::byte> bytes(codec->capacity(x.size()));
    EXPECT_EQ(codec->encode(x, {.seed = 5, .purpose = Purpose::quantizer}, bytes).overflows, 1u) << text;
  }
}

// Thirds do not add up to 1 in binary, nor do these in any order.
TEST(Double, EqualModelsDoNotMove) {
  constexpr std::size_t p = 2500;
  const AlignedVector<Real> x = drawn(p, 1);
  const auto exact = make_codec("exact");
  const Sent sent(*exact, x);
  for (const std::size_t neighbours : {1u, 2u, 3u, 6u, 9u, 24u}) {
    const Real weight = Real{1} / static_cast<Real>(neighbours + 1);
    const std::vector<MixTerm> terms(neighbours, {sent.message, weight});
    AlignedVector<Real> fused(p);
    mix(x, fused, 0, p, {.self = weight, .neighbours = 1, .gradient = -0.1}, terms, *exact, {}, {});
    EXPECT_EQ(fused, x) << neighbours;
    // Q-DSGD's weights: (1 − ε + ε w_ii) x + ε Σ w_ij z_j
    mix(x, fused, 0, p, {.self = 1 - 0.3 + 0.3 * weight, .neighbours = 0.3, .gradient = -0.1}, terms, *exact, {}, {});
    EXPECT_EQ(fused, x) << neighbours;

    AlignedVector<Real> general = x;
    const std::array vectors{VectorView{.single = general, .wide = {}}};
    const std::array channels{
        Received{.codec = exact.get(), .own = sent.message, .own_weight = weight, .terms = terms}};
    const std::array statements{Statement{formula::x, formula::mixed(Channel{0})}};
    EXPECT_EQ(sweep({.vectors = vectors, .channels = channels, .gradient = {}, .penalised = {}}, statements), 0u);
    EXPECT_EQ(general, x) << neighbours;
  }
}

TEST(Double, MixingIsTheFormulaTogetherOrApart) {
  constexpr std::size_t p = 2048 + 512;
  const auto exact = make_codec("exact");
  const AlignedVector<Real> one = drawn(p, 2), other = drawn(p, 3), gradient = drawn(p, 4);
  const Sent first(*exact, one), second(*exact, other);
  const std::vector<MixTerm> terms = {{first.message, 0.25}, {second.message, 0.35}};
  const std::vector<CoordinateRange> penalised = {{100, 2000}};
  for (const Real self : {0.4, 0.3}) {  // an average, and none
    const Coefficients c{.self = self, .neighbours = 1, .gradient = -0.2};
    const GradientSum g{.sum = gradient, .batch = 7, .l2 = 0.5};
    AlignedVector<Real> x = drawn(p, 5), together = x, too = x;
    const AlignedVector<Real> start = x;
    mix(x, x, 0, p, c, terms, *exact, g, penalised);
    for (std::size_t k = 0; k < p; ++k) {
      const Real at = gradient[k] / 7 + (k >= 100 && k < 2000 ? 0.5 * start[k] : 0);
      ASSERT_NEAR(x[k], self * start[k] + 0.25 * one[k] + 0.35 * other[k] - 0.2 * at, 4e-16);
    }
    std::vector<MixJob> jobs;
    for (AlignedVector<Real>* model : {&together, &too})
      jobs.push_back({.x = *model, .coefficients = c, .gradient = g, .terms = terms, .penalised = penalised});
    MixTogether both(*exact);
    both.begin(jobs);
    for (std::size_t at = 0; at < p; at += 512) both.carry_out(at, at + 512);
    EXPECT_EQ(together, x);
    EXPECT_EQ(too, x);
  }
}

TEST(Double, ElementwiseFunctionsAreRightToTheirLastDigits) {
  const auto worst = [](Real low, Real high, auto fast, auto exact) {
    Real most = 0;
    for (int i = 0; i <= 200'000; ++i) {
      const Real t = i / 200'000.0, x = low + (high - low) * t, near_0 = high * std::pow(1e-12, t);
      for (const Real at : {x, near_0})
        if (const auto truth = exact(static_cast<long double>(at)); std::abs(truth) > 1e-300L)
          most = std::max(most, static_cast<Real>(std::abs((static_cast<long double>(fast(at)) - truth) / truth)));
    }
    return most;
  };
  using Long = long double;
  EXPECT_LT(worst(-708, 0, exp_nonpositive, [](Long x) { return std::exp(x); }), 5e-16);
  EXPECT_LT(worst(0, 1, log1p_unit, [](Long u) { return std::log1p(u); }), 1e-15);
  EXPECT_LT(worst(-700, 700, sigmoid, [](Long z) { return 1 / (1 + std::exp(-z)); }), 1e-15);
  EXPECT_LT(worst(-30, 30, tangent, [](Long z) { return std::tanh(z); }), 1e-15);
  EXPECT_LT(worst(-700, 700, softplus_tail, [](Long z) { return std::log1p(std::exp(-std::abs(z))); }), 1e-15);
  EXPECT_TRUE(std::isnan(sigmoid(std::numeric_limits<Real>::quiet_NaN())));
  EXPECT_EQ(sigmoid(std::numeric_limits<Real>::infinity()), 1);
}

}  // namespace
}  // namespace quantimed

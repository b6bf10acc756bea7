// SPDX-License-Identifier: BSD-3-Clause
#include "node/mix.hpp"
#include "node/mix_together.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace quantimed {
namespace {

struct Mixture {
  explicit Mixture(std::size_t p, const char* codec_text) : codec(make_codec(codec_text)), x(p), sum(p) {
    Stream stream({.seed = p, .purpose = Purpose::check});
    for (std::size_t k = 0; k < p; ++k) {
      x[k] = static_cast<float>(stream.uniform(-1, 1));
      sum[k] = static_cast<float>(stream.uniform(-20, 20));
    }
    for (std::uint32_t j = 0; j < 3; ++j) {
      AlignedVector<float> z(p);
      for (float& e : z) e = static_cast<float>(stream.uniform(-1, 1));
      messages.emplace_back(codec->capacity(p));
      const Encoded encoded = codec->encode(z, {.seed = 3, .node = j, .purpose = Purpose::quantizer}, messages.back());
      terms.push_back(
          {std::span<const std::byte>(messages.back()).first(encoded.bytes), 0.1f * static_cast<float>(j + 1)});
    }
  }
  // The formula, term by term in float64.
  std::vector<double> naive(const Coefficients& c, const GradientSum& g,
                            std::span<const CoordinateRange> penalised) const {
    std::vector<double> out(x.size());
    AlignedVector<float> neighbours(x.size());
    std::fill(neighbours.begin(), neighbours.end(), 0.0f);
    for (const MixTerm& term : terms) codec->accumulate(term.message, term.weight, 0, x, neighbours);
    for (std::size_t k = 0; k < x.size(); ++k) {
      bool is_penalised = false;
      for (const CoordinateRange& range : penalised) is_penalised |= k >= range.first && k < range.last;
      const double mean = g.batch == 0 ? 0 : static_cast<double>(g.sum[k]) / static_cast<double>(g.batch);
      const double gradient = mean + (is_penalised ? static_cast<double>(g.l2) * static_cast<double>(x[k]) : 0);
      out[k] = static_cast<double>(c.self) * static_cast<double>(x[k]) +
               static_cast<double>(c.neighbours) * static_cast<double>(neighbours[k]) +
               static_cast<double>(c.gradient) * gradient;
    }
    return out;
  }
  std::unique_ptr<Codec> codec;
  AlignedVector<float> x, sum;
  std::vector<AlignedVector<std::byte>> messages;
  std::vector<MixTerm> terms;
};

TEST(Mix, IsTheFormulaForAllCodecsSizesAndPenalties) {
  const Coefficients c{.self = 0.3f, .neighbours = 0.9f, .gradient = -0.2f};
  for (const char* codec : {"exact", "float16", "low-precision:1e-3", "sparsifier:2", "qsgd:64"})
    for (const std::size_t p : {1u, 511u, 2048u, 5000u}) {
      Mixture m(p, codec);
      const std::vector<CoordinateRange> penalised = {{0, p / 3}, {p / 2, p - p / 8}};
      const GradientSum g{.sum = m.sum, .batch = 7, .l2 = 0.5f};
      const std::vector<double> expected = m.naive(c, g, penalised);
      mix(m.x, m.x, 0, p, c, m.terms, *m.codec, g, penalised);
      for (std::size_t k = 0; k < p; ++k)
        ASSERT_NEAR(m.x[k], expected[k], 2e-6 * (1 + std::abs(expected[k]))) << codec << p;
    }
}

TEST(Mix, GivesTheSameBitsHoweverTheRangeIsCut) {
  const Coefficients c{.self = 0.3f, .neighbours = 0.9f, .gradient = -0.2f};
  Mixture whole(5000, "low-precision:1e-3"), parts(5000, "low-precision:1e-3");
  const std::vector<CoordinateRange> penalised = {{10, 4000}};
  mix(whole.x, whole.x, 0, 5000, c, whole.terms, *whole.codec, {.sum = whole.sum, .batch = 7, .l2 = 0.5f}, penalised);
  const GradientSum g{.sum = parts.sum, .batch = 7, .l2 = 0.5f};
  for (std::size_t first = 0; first < 5000; first += 1024)
    mix(parts.x, parts.x, first, std::min<std::size_t>(first + 1024, 5000), c, parts.terms, *parts.codec, g, penalised);
  EXPECT_EQ(whole.x, parts.x);
}

// Each of the jobs hears some of the same three messages; one has an empty batch, one hears nothing.
std::vector<MixJob> jobs_of(Mixture& m, std::vector<AlignedVector<float>>& models,
                            std::span<const CoordinateRange> penalised) {
  std::vector<MixJob> jobs;
  for (std::size_t k = 0; k < models.size(); ++k) {
    const std::size_t batch = k == 1 ? 0 : 7 + k;
    const auto size = static_cast<float>(k + 1);
    jobs.push_back({.x = models[k],
                    .coefficients = {.self = 0.3f / size, .neighbours = 0.9f * size, .gradient = -0.2f},
                    .gradient = {.sum = m.sum, .batch = batch, .l2 = batch == 0 ? 0 : 0.5f},
                    .terms = std::span<const MixTerm>(m.terms).subspan(k % 4, 3 - k % 4),
                    .penalised = penalised});
  }
  return jobs;
}

TEST(MixTogether, GivesEachNodeTheBitsThatItHasAlone) {
  for (const char* codec_text : {"exact", "float16", "low-precision:1e-3", "sparsifier:2", "qsgd:64", "modulo:1e-3,12"})
    for (const std::size_t p : {1u, 511u, 512u, 640u, 2048u, 5000u})
      for (const std::size_t count : {1u, 2u, 5u}) {
        Mixture m(p, codec_text);
        const std::vector<CoordinateRange> penalised = {{0, p / 3}, {p / 2, p - p / 8}};
        std::vector<AlignedVector<float>> together;
        for (std::size_t k = 0; k < count; ++k) {
          together.push_back(m.x);
          for (float& e : together.back()) e *= 1 - 1e-4f * static_cast<float>(k);
        }
        std::vector<AlignedVector<float>> alone = together;
        std::vector<MixJob> jobs = jobs_of(m, together, penalised), expected = jobs_of(m, alone, penalised);
        MixTogether mixer(*m.codec);
        mixer.begin(jobs);
        for (std::size_t first = 0; first < p; first += mixer.range())
          mixer.carry_out(first, std::min(p, first + mixer.range()));
        for (std::size_t k = 0; k < count; ++k) {
          const MixJob& job = expected[k];
          const std::uint64_t wrong =
              mix(job.x, job.x, 0, p, job.coefficients, job.terms, *m.codec, job.gradient, penalised);
          ASSERT_EQ(jobs[k].wrong, wrong) << codec_text << p;
          ASSERT_EQ(together[k], alone[k]) << codec_text << ' ' << p << ' ' << k;
        }
      }
}

TEST(Mix, AnEmptyBatchLeavesTheGradientOut) {
  Mixture m(600, "exact");
  const std::vector<CoordinateRange> penalised = {{0, 600}};
  const Coefficients c{.self = 0.4f, .neighbours = 1, .gradient = -5};
  const GradientSum none{.sum = {}, .batch = 0, .l2 = l2_coefficient({.lambda = 3}, 0, 100)};
  const std::vector<double> expected = m.naive(c, none, penalised);
  mix(m.x, m.x, 0, 600, c, m.terms, *m.codec, none, penalised);
  for (std::size_t k = 0; k < 600; ++k) ASSERT_NEAR(m.x[k], expected[k], 1e-6);
}

TEST(L2Coefficient, DividesByTheBatchOrByAllSamples) {
  EXPECT_FLOAT_EQ(l2_coefficient({.lambda = 2, .per = Penalty::Per::batch}, 50, 10000), 0.04f);
  EXPECT_FLOAT_EQ(l2_coefficient({.lambda = 2, .per = Penalty::Per::dataset}, 50, 10000), 2e-4f);
  EXPECT_EQ(l2_coefficient({.lambda = 2}, 0, 10000), 0);
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What asynchronous methods minimise where some nodes stay slow and data are heterogeneous: a node that steps more
// often counts more where two models become their mean; where every step mixes, it mixes more often, too, and does not.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/small_run.hpp"
#include "theory/problems.hpp"

namespace quantimed {
namespace {

constexpr std::uint32_t kNodesOfEach = 12;
constexpr double kFaster = 4;  // the second half of the nodes

// f_i(x) = ½ (a_i x − b_i)², a sample each: the slow half has its solutions near −1, the fast one near 2.
struct Lines {
  Lines() {
    std::vector<float> features, targets;
    for (std::uint32_t i = 0; i < kNodesOfEach; ++i) {
      const float a = 0.7f + 0.05f * static_cast<float>(i);
      features.push_back(a);
      targets.push_back(a * (i < kNodesOfEach / 2 ? -1.0f : 2.0f));
    }
    data = table(features, targets);
    solution = optimum(features, targets, 1);
    of_speeds = optimum(features, targets, kFaster);
  }
  static double optimum(std::span<const float> a, std::span<const float> b, double weight) {
    double up = 0, down = 0;
    for (std::uint32_t i = 0; i < kNodesOfEach; ++i) {
      const double w = i < kNodesOfEach / 2 ? 1 : weight;
      up += w * static_cast<double>(a[i]) * static_cast<double>(b[i]);
      down += w * static_cast<double>(a[i]) * static_cast<double>(a[i]);
    }
    return up / down;
  }
  Dataset data;
  double solution = 0, of_speeds = 0;
};

std::vector<double> models_of(const char* algorithm, const Lines& lines, float alpha) {
  const auto problem = make_problem({.model = "least-squares"}, lines.data);
  const Network network = make_network(parse_graph("complete"), parse_mixing("laplacian"), kNodesOfEach, 1);
  const Shards shards = equal_shards(lines.data, kNodesOfEach);
  const auto codec = make_codec("exact");
  const auto speed = make_speed_model("slow-nodes:6,4,40", 1);
  Run run{.algorithm = find_algorithm(algorithm),
          .options = {.alpha = alpha, .batch = 1, .local_steps = 2, .period = 1},
          .problem = *problem,
          .network = network,
          .shards = shards,
          .codec = *codec,
          .penalty = {.lambda = 0, .per = Penalty::Per::dataset},
          .speed = speed.get(),
          .link = parse_link("none"),
          .iterations = 4000,
          .evaluations = 1};
  KeepingWatcher watcher;
  watcher.dimension = problem->dimension();
  EXPECT_EQ(run_virtual(run, watcher).failure, "");
  std::vector<double> models;
  for (const auto& model : watcher.cuts.back().models) models.push_back(static_cast<double>(model[0]));
  return models;
}

double mean_model(const char* algorithm, const Lines& lines) {
  const std::vector<double> models = models_of(algorithm, lines, 0.003f);
  return std::accumulate(models.begin(), models.end(), 0.0) / kNodesOfEach;
}

TEST(Minimised, IsWeightedBySpeedsWhereTwoAverage) {
  const Lines lines;
  const double apart = std::abs(lines.of_speeds - lines.solution);
  ASSERT_GT(apart, 0.5);
  for (const char* algorithm : {"ad-psgd", "swarmsgd"})
    EXPECT_LT(std::abs(mean_model(algorithm, lines) - lines.of_speeds), 0.1 * apart) << algorithm;
}

TEST(Minimised, IsTheMeanLossWhereEveryStepMixes) {
  const Lines lines;
  const double apart = std::abs(lines.of_speeds - lines.solution);
  for (const char* algorithm : {"async-dsgd", "swift", "dsgd"})
    EXPECT_LT(std::abs(mean_model(algorithm, lines) - lines.solution), 0.1 * apart) << algorithm;
}

// Each node alone, not their mean only, and to float32's limit: with the same step async-dsgd's stay apart.
TEST(Minimised, IsReachedByTrackingWhateverTheSpeeds) {
  const Lines lines;
  for (const double model : models_of("r-fast", lines, 0.1f)) EXPECT_NEAR(model, lines.solution, 1e-5);
  double furthest = 0;
  for (const double model : models_of("async-dsgd", lines, 0.1f))
    furthest = std::max(furthest, std::abs(model - lines.solution));
  EXPECT_GT(furthest, 1e-2);
}

}  // namespace
}  // namespace quantimed

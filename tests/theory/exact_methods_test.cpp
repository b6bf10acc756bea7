// SPDX-License-Identifier: BSD-3-Clause
// Heterogeneous data and full gradients: the exact methods reach the solution as nearly as float32 allows, whatever
// code their messages go through; DSGD stops beside it.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/small_run.hpp"
#include "theory/problems.hpp"
#include "theory/reference.hpp"

namespace quantimed {
namespace {

constexpr std::uint32_t kNodes = 12;
constexpr std::size_t kFeatures = 3;

// One sample a node, so that any batch of one is the node's full gradient: f_i(x) = ½ (a_i x − b_i)².
Dataset lines() {
  Stream stream({.seed = 3, .purpose = Purpose::generated_data});
  std::vector<float> features, targets;
  for (std::uint32_t i = 0; i < kNodes; ++i) {
    for (std::size_t k = 0; k < kFeatures; ++k) features.push_back(static_cast<float>(stream.uniform(-1, 1)));
    targets.push_back(static_cast<float>(stream.uniform(-2, 2)));
  }
  return table(features, targets);
}

// The largest ‖x_i − x*‖ / ‖x*‖ over the nodes, after so many iterations.
double distance_to_solution(const char* algorithm, const char* code, Round iterations) {
  const AlgorithmRow& row = find_algorithm(algorithm);
  const Dataset data = lines();
  const auto problem = make_problem({.model = "least-squares"}, data);
  const Network network =
      make_network(parse_graph(row.graph.tree ? "chain" : "ring"), parse_mixing("laplacian"), kNodes, 1);
  const Shards shards = equal_shards(data, kNodes);
  const auto codec = make_codec(row.quantizes ? code : "exact");
  const ConvexProblem convex(data, shards, ConvexLoss::squared, 0);
  const Minimum minimum = minimise(convex);
  const auto speed = make_speed_model("uniform:10,90", 1);
  Run run{.algorithm = row,
          .options = {.alpha = 0.1f, .batch = 1, .gamma = 0.4f},
          .problem = *problem,
          .network = network,
          .shards = shards,
          .codec = *codec,
          .penalty = {.lambda = 0, .per = Penalty::Per::dataset},
          .deadline = {.fixed_s = 0.4},
          .speed = speed.get(),
          .link = parse_link("none"),
          .iterations = iterations,
          .evaluations = 1};
  KeepingWatcher watcher;
  watcher.dimension = problem->dimension();
  EXPECT_EQ(run_virtual(run, watcher).failure, "");
  double largest = 0, norm = 0;
  for (const double value : minimum.x) norm += value * value;
  for (const auto& model : watcher.cuts.back().models) {
    double squares = 0;
    for (std::size_t k = 0; k < model.size(); ++k)
      squares += (static_cast<double>(model[k]) - minimum.x[k]) * (static_cast<double>(model[k]) - minimum.x[k]);
    largest = std::max(largest, std::sqrt(squares / norm));
  }
  return largest;
}

constexpr Round kLong = 12'000;
constexpr double kFloat32 = 2e-5;

TEST(ExactMethod, ReachesTheSolutionOfHeterogeneousData) {
  for (const char* algorithm : {"d2", "exact-diffusion", "extra", "dsgt", "dsgt-atc", "aug-dgm", "relaysgd"})
    EXPECT_LT(distance_to_solution(algorithm, "exact", kLong), kFloat32) << algorithm;
}

TEST(ExactMethod, ReachesItThroughCodesThatLose) {
  EXPECT_LT(distance_to_solution("lead", "qsgd:16", kLong), kFloat32);
  EXPECT_LT(distance_to_solution("beer", "top-k:0.5", kLong), kFloat32);
  EXPECT_LT(distance_to_solution("motef", "top-k:0.5", kLong), kFloat32);
}

TEST(ExactMethod, IsWhatDsgdIsNot) {
  for (const char* algorithm : {"dsgd", "dsgd-atc", "choco-sgd"})
    EXPECT_GT(distance_to_solution(algorithm, "qsgd:16", kLong), 1e-2) << algorithm;
}

}  // namespace
}  // namespace quantimed

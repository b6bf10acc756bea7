// SPDX-License-Identifier: BSD-3-Clause
#include "theory/measurement.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/small_run.hpp"
#include "theory/problems.hpp"

namespace quantimed {
namespace {

// QuanTimed-DSGD on least squares, everything that it refers to.
struct QuadraticRun {
  QuadraticRun(Dataset given, std::uint32_t nodes, double lambda, const std::string& codec_text)
      : data(std::move(given)),
        problem(make_problem({.model = "least-squares"}, data)),
        network(make_network(parse_graph("ring"), parse_mixing("laplacian"), nodes, 1)),
        shards(equal_shards(data, nodes)),
        codec(make_codec(codec_text)),
        speed(make_speed_model("uniform:10,90", 1)),
        convex(std::make_shared<ConvexProblem>(data, shards, ConvexLoss::squared, lambda)),
        minimum(std::make_shared<Minimum>(minimise(*convex))),
        penalty{.lambda = lambda, .per = Penalty::Per::dataset} {}

  Run run(double alpha, double epsilon, Round iterations) const {
    return {.algorithm = find_algorithm("quantimed-dsgd"),
            .options = {.alpha = static_cast<float>(alpha), .epsilon = static_cast<float>(epsilon), .batch = 5},
            .problem = *problem,
            .network = network,
            .shards = shards,
            .codec = *codec,
            .penalty = penalty,
            .deadline = {.fixed_s = 0.1},
            .speed = speed.get(),
            .link = parse_link("paper:3"),
            .iterations = iterations,
            .evaluations = iterations};
  }
  Reference reference(double alpha) const {
    const auto exactly = static_cast<double>(static_cast<float>(alpha));
    return {.problem = convex,
            .minimum = minimum,
            .penalty = minimise_penalty(*convex, network, exactly, smoothness(*convex).mu, minimum->x)};
  }

  Dataset data;
  std::unique_ptr<Problem> problem;
  Network network;
  Shards shards;
  std::unique_ptr<Codec> codec;
  std::unique_ptr<SpeedModel> speed;
  std::shared_ptr<const ConvexProblem> convex;
  std::shared_ptr<const Minimum> minimum;
  Penalty penalty;
};

Measurement measured(const Run& run, const Reference& reference) {
  Measurement measurement(
      run, reference, [](double) {}, [] { return false; });
  const Outcome outcome = run_virtual(run, measurement);
  EXPECT_FALSE(outcome.interrupted);
  return measurement;
}

double at(const Quantities& values, Quantity q) { return values[static_cast<std::size_t>(q)]; }

// With a sample a node there is no gradient noise, with the exact codec no other: x_t → x*_α, whatever α.
TEST(Measurement, WithoutNoiseTheIteratesReachThePenaltyFunctionsMinimiser) {
  const QuadraticRun quadratic(centres({0.5f, -0.25f, 0.125f, 0.375f, -0.5f}), 5, 0, "exact");
  for (const double alpha : {0.3, 0.1, 0.03, 0.01}) {
    const quantimed::Run run = quadratic.run(alpha, 0.9, 6000);
    const Measurement measurement = measured(run, quadratic.reference(alpha));
    EXPECT_LT(std::sqrt(5 * at(measurement.last(), Quantity::penalty_distance)), 1e-6) << alpha;
    EXPECT_NEAR(at(measurement.last(), Quantity::distance), at(measurement.last(), Quantity::bias),
                1e-6 + 1e-3 * at(measurement.last(), Quantity::bias))
        << alpha;
  }
}

// Each quantity against its formula, written out over all iterations.
TEST(Measurement, QuantitiesAreTheirFormulas) {
  const DataSplit split = load_dataset({.name = "gaussian-linear:3"});
  Dataset few = split.train;
  few.samples = 24;
  few.values.resize(72);
  few.targets.resize(24);
  const QuadraticRun quadratic(few, 4, 2.4, "low-precision:0.05");
  constexpr Round kT = 57;
  const quantimed::Run run = quadratic.run(0.2, 0.5, kT);
  const Reference reference = quadratic.reference(0.2);
  const Measurement measurement = measured(run, reference);
  KeepingWatcher watcher;
  watcher.dimension = 3;
  run_virtual(run, watcher);
  ASSERT_EQ(watcher.cuts.size(), kT + 1u);

  const auto mean_of = [](const std::vector<std::vector<float>>& models) {
    std::vector<double> mean(3, 0.0);
    for (const auto& x : models)
      for (std::size_t k = 0; k < 3; ++k) mean[k] += static_cast<double>(x[k]) / 4;
    return mean;
  };
  const auto distance = [](const std::vector<std::vector<float>>& models, auto&& target) {
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t k = 0; k < 3; ++k) sum += std::pow(static_cast<double>(models[i][k]) - target(i, k), 2) / 4;
    return sum;
  };
  double gradients = 0, consensus = 0;
  std::vector<double> average(3, 0.0), late(3, 0.0), g(3);
  for (Round t = 0; t < kT; ++t) {
    const auto& models = watcher.cuts[t].models;
    const std::vector<double> mean = mean_of(models);
    quadratic.convex->gradient(mean, g);
    gradients += dot(g, g) / kT;
    consensus += distance(models, [&](std::size_t, std::size_t k) { return mean[k]; }) / kT;
    for (std::size_t k = 0; k < 3; ++k) average[k] += mean[k] / kT;
    if (t >= kT / 2)
      for (std::size_t k = 0; k < 3; ++k) late[k] += mean[k] / (kT - kT / 2);
  }
  const auto& models = watcher.cuts[kT].models;
  const std::vector<double> mean = mean_of(models);
  const std::vector<double>& best = quadratic.minimum->x;
  quadratic.convex->gradient(mean, g);
  const auto expect = [&](Quantity q, double value) {
    EXPECT_NEAR(at(measurement.last(), q), value, 1e-12 + 1e-9 * value) << row_of(q).name;
  };
  expect(Quantity::distance, distance(models, [&](std::size_t, std::size_t k) { return best[k]; }));
  expect(Quantity::penalty_distance,
         distance(models, [&](std::size_t i, std::size_t k) { return reference.penalty.x[3 * i + k]; }));
  double bias = 0;
  for (std::size_t k = 0; k < 12; ++k) bias += std::pow(reference.penalty.x[k] - best[k % 3], 2) / 4;
  expect(Quantity::bias, bias);
  expect(Quantity::gap, quadratic.convex->value(mean) - quadratic.minimum->value);
  expect(Quantity::average_gap, quadratic.convex->value(average) - quadratic.minimum->value);
  expect(Quantity::late_average_gap, quadratic.convex->value(late) - quadratic.minimum->value);
  expect(Quantity::gradient, dot(g, g));
  expect(Quantity::mean_gradient, gradients);
  expect(Quantity::consensus, distance(models, [&](std::size_t, std::size_t k) { return mean[k]; }));
  expect(Quantity::mean_consensus, consensus);
}

TEST(Measurement, ANetworkHasGradientsAndConsensusAlone) {
  const SmallRun small("quantimed-dsgd");
  quantimed::Run run = small.run();
  run.evaluations = run.iterations;
  const Measurement measurement = measured(run, {});
  for (const QuantityRow& row : quantity_table())
    EXPECT_EQ(std::isnan(at(measurement.last(), row.quantity)), row.needs_solution) << row.name;
  EXPECT_GT(at(measurement.last(), Quantity::mean_gradient), 0);
  EXPECT_EQ(measurement.curve().front().iteration, 0u);
  EXPECT_EQ(measurement.curve().back().iteration, run.iterations);
}

TEST(Measurement, ARunThatDivergesEnds) {
  const QuadraticRun quadratic(centres({5, -5, 100}), 3, 0, "exact");
  const quantimed::Run run = quadratic.run(100, 1, 10'000);
  const Measurement measurement = measured(run, quadratic.reference(100));
  EXPECT_TRUE(measurement.has_diverged());
  EXPECT_LT(measurement.curve().back().iteration, 10'000u);
}

}  // namespace
}  // namespace quantimed

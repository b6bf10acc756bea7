// SPDX-License-Identifier: BSD-3-Clause
#include "theory/convex_problem.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "dataset/gaussian.hpp"
#include "problem/problem.hpp"
#include "theory/problems.hpp"

namespace quantimed {
namespace {

struct Pair {
  const char* dataset;
  const char* model;
  ConvexLoss loss;
};

class SameFunction : public testing::TestWithParam<Pair> {};

// problem/ computes in float32 what theory/ does in float64: the same f, the same ∇f_i.
TEST_P(SameFunction, AsTheProblemThatRuns) {
  const DataSplit data = load_dataset({.name = GetParam().dataset});
  const Shards shards = make_shards(data.train, {}, 4, 25, 1);
  const double lambda = 3;
  const ConvexProblem convex(data.train, shards, GetParam().loss, lambda);
  const auto problem = make_problem({.model = GetParam().model}, data.train);
  ASSERT_EQ(convex.dimension(), problem->dimension());
  std::vector<float> x(problem->dimension()), sum(problem->dimension());
  problem->initialise(x, 3);
  const std::vector<double> point(x.begin(), x.end());
  Workspace work = problem->make_workspace();

  const LossSum loss = problem->loss_sum(x, data.train, shards.rows, work);
  const double penalty = lambda / 200 * penalised_norm_squared(*problem, x);
  EXPECT_NEAR(convex.value(point), loss.loss / 100 + penalty, 1e-5 * convex.value(point));
  std::vector<double> g(point.size());
  for (NodeId i = 0; i < 4; ++i) {
    problem->gradient_sum(x, shards.of(i), false, sum, work);
    convex.local_gradient(i, point, g);
    for (std::size_t k = 0; k < g.size(); ++k)
      EXPECT_NEAR(g[k], static_cast<double>(sum[k]) / 25 + lambda / 100 * point[k], 2e-6) << i << " " << k;
  }
}

TEST_P(SameFunction, GradientAndCurvatureAreTheDerivatives) {
  const DataSplit data = load_dataset({.name = GetParam().dataset});
  const Shards shards = make_shards(data.train, {}, 2, 30, 1);
  const ConvexProblem f(data.train, shards, GetParam().loss, 6);
  const std::size_t p = f.dimension();
  std::vector<double> x(p), direction(p), g(p), ahead(p), behind(p), hv(p), weights(30), far(p), near(p);
  for (std::size_t k = 0; k < p; ++k) {
    x[k] = 0.3 * std::sin(1.0 + static_cast<double>(k));
    direction[k] = std::cos(static_cast<double>(k));
    far[k] = x[k] + 1e-5 * direction[k];
    near[k] = x[k] - 1e-5 * direction[k];
  }
  f.gradient(x, g);
  EXPECT_NEAR(dot(g, direction), (f.value(far) - f.value(near)) / 2e-5, 1e-7);
  f.curvatures(1, x, weights);
  f.local_curvature(1, weights, direction, hv);
  f.local_gradient(1, far, ahead);
  f.local_gradient(1, near, behind);
  std::vector<double> h(p * p);
  f.hessian(30, weights, h);
  for (std::size_t k = 0; k < p; ++k) {
    EXPECT_NEAR(hv[k], (ahead[k] - behind[k]) / 2e-5, 1e-7);
    EXPECT_NEAR(hv[k], dot(std::span(h).subspan(k * p, p), direction), 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(Losses, SameFunction,
                         testing::Values(Pair{"gaussian-linear:7", "least-squares", ConvexLoss::squared},
                                         Pair{"gaussian-logistic:5", "logistic", ConvexLoss::logistic}),
                         [](const auto& tested) {
                           return tested.param.loss == ConvexLoss::squared ? "Squared" : "Logistic";
                         });

TEST(ConvexProblem, FeaturesTooManyForAMatrixAreRefused) {
  Dataset data{.name = "wide", .samples = 2, .features = 30'000, .classes = 2};
  data.sparse = {{0, 1, 2}, {5, 29'999}, {1, 1}};
  data.targets = {0, 1};
  EXPECT_THROW(ConvexProblem(data, equal_shards(data, 1), ConvexLoss::logistic, 1), InputError);
}

}  // namespace
}  // namespace quantimed

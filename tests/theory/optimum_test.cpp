// SPDX-License-Identifier: BSD-3-Clause
#include "theory/optimum.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "theory/problems.hpp"
#include "theory/reference.hpp"

namespace quantimed {
namespace {

TEST(Optimum, IsThatOfNewtonsMethodWithAMatrix) {
  for (const char* name : {"gaussian-linear:12,500", "gaussian-logistic:12,500"})
    for (const double lambda : {0.0, 1.0, 30.0}) {
      const Dataset data = load_dataset({.name = name}).train;
      const Shards shards = make_shards(data, {Partition::Kind::iid}, 5, 90, 1);
      const ConvexLoss loss = data.classes > 0 ? ConvexLoss::logistic : ConvexLoss::squared;
      const Minimum exact = minimise(ConvexProblem(data, shards, loss, lambda));
      const Optimum found = find_optimum(data, shards, loss, lambda);
      EXPECT_NEAR(found.value, exact.value, 1e-14 * (1 + exact.value)) << name << lambda;
      // ‖x − x*‖ ≤ ‖∇f(x)‖ / μ, and μ is above 0.02 here.
      const double apart = 50 * (found.gradient_norm + exact.gradient_norm);
      for (std::size_t c = 0; c < 12; ++c) EXPECT_NEAR(found.x[c], exact.x[c], apart) << name << lambda;
      EXPECT_LE(found.gradient_norm, 1e-10) << name << lambda << " " << exact.gradient_norm;
      EXPECT_EQ(std::isfinite(found.error), lambda > 0);
      if (lambda > 0) {
        EXPECT_LT(found.error, 1e-18);
      }
    }
}

// x* of f(x) = ½ (1/N) Σ (a_kᵀ x − y_k)² with a_k = e_k and a ridge: x_k = y_k / (1 + λ).
TEST(Optimum, OfAnIdentityIsTheClosedForm) {
  Dataset data{.name = "identity", .samples = 5, .features = 5};
  data.sparse = {{0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4}, {1, 1, 1, 1, 1}};
  data.targets = {1, -2, 3, 0.5f, 8};
  const Optimum found = find_optimum(data, equal_shards(data, 1), ConvexLoss::squared, 0.25);
  double value = 0;
  for (std::size_t k = 0; k < 5; ++k) {
    const double y = static_cast<double>(data.targets[k]), x = y / 1.25;
    EXPECT_NEAR(found.x[k], x, 1e-12);
    value += (x - y) * (x - y) / 10 + 0.25 / 10 * x * x;
  }
  EXPECT_NEAR(found.value, value, 1e-13);
}

TEST(Optimum, OfSparseRowsIsThatOfTheSameRowsHeldDensely) {
  const Dataset sparse = load_dataset({.name = "sparse-logistic:400,0.02,300"}).train;
  Dataset dense{.name = "dense", .samples = 300, .features = 400, .classes = 2};
  dense.values.resize(std::size_t{300} * 400);
  dense.targets = sparse.targets;
  const Shards shards = make_shards(sparse, {Partition::Kind::iid}, 3, 0, 1);
  std::vector<SampleId> rows(300);
  std::iota(rows.begin(), rows.end(), SampleId{0});
  sparse.gather(rows, dense.values.data());
  const Optimum a = find_optimum(sparse, shards, ConvexLoss::logistic, 1),
                b = find_optimum(dense, shards, ConvexLoss::logistic, 1);
  EXPECT_NEAR(a.value, b.value, 1e-15);
  EXPECT_LT(a.gradient_norm, 1e-11);
  // With more features than rows, and without the matrix: the same as with it.
  EXPECT_NEAR(a.value, minimise(ConvexProblem(dense, shards, ConvexLoss::logistic, 1)).value, 1e-14);
}

// A node that counts twice as much as another is one whose rows stand there twice.
TEST(Optimum, OfNodesThatDoNotCountAlikeIsThatOfRowsThatStandThereMoreOften) {
  const Dataset data = load_dataset({.name = "gaussian-logistic:6,40"}).train;
  Shards two{.rows = {}, .nodes = 2, .per_node = 20}, three{.rows = {}, .nodes = 3, .per_node = 20};
  for (SampleId row = 0; row < 40; ++row) two.rows.push_back(row);
  for (SampleId row = 0; row < 60; ++row) three.rows.push_back(row < 40 ? row : row - 40);  // the first node's again
  const std::vector<double> shares = {2.0 / 3, 1.0 / 3};
  for (const ConvexLoss loss : {ConvexLoss::logistic, ConvexLoss::squared}) {
    // λ/N is to be the same, and N is not.
    const Optimum weighted = find_optimum(data, two, loss, 4, shares), repeated = find_optimum(data, three, loss, 6);
    EXPECT_NEAR(weighted.value, repeated.value, 1e-14);
    for (std::size_t c = 0; c < 6; ++c) EXPECT_NEAR(weighted.x[c], repeated.x[c], 1e-8);
    EXPECT_NEAR(objective_value(data, two, loss, 4, shares, weighted.x), weighted.value, 1e-14);
    const Optimum plain = find_optimum(data, two, loss, 4);
    EXPECT_GT(objective_value(data, two, loss, 4, shares, plain.x), weighted.value + 1e-5) << "another function";
    const std::vector<double> alike = {0.5, 0.5};
    EXPECT_EQ(plain.value, find_optimum(data, two, loss, 4, alike).value);
  }
}

TEST(Optimum, OfARankThatIsShortIsTheSolutionOfLeastNorm) {
  // Both features are the same: x = (½, ½) y.
  const Dataset data = table({1, 1, 2, 2, 3, 3}, {1, 2, 3});
  const Optimum found = find_optimum(data, equal_shards(data, 1), ConvexLoss::squared, 0);
  EXPECT_NEAR(found.x[0], 0.5, 1e-12);
  EXPECT_NEAR(found.x[1], 0.5, 1e-12);
  EXPECT_NEAR(found.value, 0, 1e-20);
}

TEST(Optimum, ClassesThatAPlanePartsHaveNoneWithoutARidge) {
  const Dataset data = table({1, 2, -1, -3}, {1, 1, 0, 0}, 2);
  try {
    find_optimum(data, equal_shards(data, 1), ConvexLoss::logistic, 0);
    FAIL() << "found one";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::StartsWith("--l2 0: "));
  }
  EXPECT_GT(find_optimum(data, equal_shards(data, 1), ConvexLoss::logistic, 0.1).value, 0);
}

}  // namespace
}  // namespace quantimed

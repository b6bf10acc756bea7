// SPDX-License-Identifier: BSD-3-Clause
#include "trace/evaluate.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace quantimed {
namespace {

struct Evaluated {
  Dataset data = load_dataset({.name = "gaussian-logistic:6,600"}).train;
  Dataset test = load_dataset({.name = "gaussian-logistic:6,600"}).test.value();
  Shards shards = make_shards(data, {}, 4, 150, 1);
  std::unique_ptr<Problem> problem = make_problem({.model = "logistic"}, data);
  std::vector<float> x = std::vector<float>(6, 0.3f);

  Evaluation with(const Shards& rows, double lambda, std::uint32_t most) {
    Evaluator evaluator(*problem, rows, &test, {.lambda = lambda}, 1, most);
    const float* const models[] = {x.data()};
    return evaluator.evaluate(models);
  }
};

TEST(EvaluateSamples, OfAllIsTheWhole) {
  Evaluated e;
  for (const std::uint32_t most : {600u, 601u, 1'000'000u}) {
    const Evaluation whole = e.with(e.shards, 2, 0), all = e.with(e.shards, 2, most);
    EXPECT_EQ(whole.loss, all.loss);
    EXPECT_EQ(whole.test_loss, all.test_loss);
    EXPECT_EQ(whole.gradient_norm_squared, all.gradient_norm_squared);
  }
}

TEST(EvaluateSamples, AreEvenlySpacedOverTheNodesWithTheWholeSetsPenalty) {
  Evaluated e;
  // Every tenth row of each node.
  Shards some{{}, 4, 15};
  for (std::size_t k = 0; k < 600; k += 10) some.rows.push_back(e.shards.rows[k]);
  // λ/N of all is a tenth of λ over a tenth.
  const Evaluation of_some = e.with(some, 0.2, 0), found = e.with(e.shards, 2, 60);
  EXPECT_NEAR(found.loss, of_some.loss, 1e-12);
  EXPECT_EQ(found.accuracy, of_some.accuracy);
  EXPECT_NEAR(found.gradient_norm_squared, of_some.gradient_norm_squared, 1e-12);
  EXPECT_NE(found.test_loss, e.with(e.shards, 2, 0).test_loss) << "the test set is sampled, too";
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// --alpha as a schedule: every algorithm's text reads the step of its iteration, on every engine, after a stop as well.
#include "engine/small_run.hpp"
#include "node/local_gradient.hpp"

#include <gtest/gtest.h>

namespace quantimed {
namespace {

std::vector<KeepingWatcher::Kept> cuts_with(const SmallRun& small, const AlphaSchedule& steps) {
  auto run = small.run();
  run.steps = steps;
  KeepingWatcher watcher = small.watcher();
  EXPECT_EQ(run_virtual(run, watcher).failure, "");
  return watcher.cuts;
}

class EveryStep : public testing::TestWithParam<std::string> {};

TEST_P(EveryStep, IsReadInItsIteration) {
  const SmallRun small(GetParam());
  const auto usual = cuts_with(small, {}), same = cuts_with(small, {.pieces = {{7, 0.2f}, {~Round{0}, 0.2f}}}),
             changed = cuts_with(small, {.pieces = {{15, 0.2f}, {~Round{0}, 0.05f}}}),
             warm = cuts_with(small, {.pieces = {{~Round{0}, 0.2f}}, .warm_up = 20});
  ASSERT_EQ(usual.size(), same.size());
  ASSERT_EQ(usual.size(), changed.size());
  for (std::size_t k = 0; k < usual.size(); ++k) {
    EXPECT_EQ(usual[k].models, same[k].models) << "a schedule of one step is that step";
    // Cuts of asynchronous and pairwise runs are no iteration's: a node may be ahead of the mean.
    if (small.row.delivery == Delivery::round && usual[k].iteration <= 15) {
      EXPECT_EQ(usual[k].models, changed[k].models) << k;
    }
  }
  EXPECT_NE(usual.back().models, changed.back().models) << "the text reads its step once, before the loop";
  EXPECT_NE(usual.back().models, warm.back().models);
}

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const AlgorithmRow& row : algorithm_table()) names.emplace_back(row.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Algorithms, EveryStep, testing::ValuesIn(all_names()), [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

// x ← x − α_t g_t by itself, on two nodes that hold the same rows and never differ.
TEST(StepSchedule, IsTheStepOfTheIteration) {
  const SmallRun small("dsgd", 2, "complete");
  Shards shards = small.shards;
  std::copy_n(shards.rows.begin(), shards.per_node, shards.rows.begin() + shards.per_node);
  auto run = small.run();
  run.iterations = 12;
  run.penalty.lambda = 0;
  run.options.batch = 1;
  Shards one = shards;  // one row: each draw is the same
  one.rows = {3, 3};
  one.per_node = 1;
  const AlphaSchedule steps{.pieces = {{5, 0.5f}, {~Round{0}, 0.125f}}, .warm_up = 2};
  const quantimed::Run with{.algorithm = run.algorithm,
                            .options = run.options,
                            .steps = steps,
                            .problem = run.problem,
                            .network = run.network,
                            .shards = one,
                            .codec = run.codec,
                            .penalty = {.lambda = 0},
                            .speed = run.speed,
                            .link = run.link,
                            .iterations = 12,
                            .evaluations = 1};
  KeepingWatcher watcher = small.watcher();
  ASSERT_EQ(run_virtual(with, watcher).failure, "");
  const std::size_t p = small.problem->dimension();
  std::vector<float> x(p), g(p);
  small.problem->initialise(x, with.seed);
  Workspace work = small.problem->make_workspace();
  const std::vector<SampleId> row = {3};
  for (const float alpha : {0.25f, 0.5f, 0.5f, 0.5f, 0.5f, 0.125f, 0.125f, 0.125f, 0.125f, 0.125f, 0.125f, 0.125f}) {
    small.problem->gradient_sum(x, row, false, g, work);
    for (std::size_t k = 0; k < p; ++k) x[k] -= alpha * g[k];
  }
  for (std::size_t k = 0; k < p; ++k) ASSERT_NEAR(watcher.cuts.back().models[0][k], x[k], 1e-4) << k;
}

}  // namespace
}  // namespace quantimed

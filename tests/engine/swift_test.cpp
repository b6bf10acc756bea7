// SPDX-License-Identifier: BSD-3-Clause
// SWIFT where it is deterministic: nodes of one speed, whose models are on the link for a while, step together.
#include "engine/same_samples.hpp"
#include "engine/small_run.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace quantimed {
namespace {

// All nodes compute for 2 s and exchange for 3: everybody has sent before anybody reads.
struct Together {
  explicit Together(const char* algorithm) : small(algorithm, 6), one_speed(make_speed_model("constant:10", 1)) {}
  KeepingWatcher end(std::uint32_t period, Round iterations, Rounds* rounds = nullptr) const {
    auto run = small.run();
    run.speed = one_speed.get();
    run.options.period = period;
    run.iterations = iterations;
    KeepingWatcher watcher = small.watcher();
    Outcome outcome = run_virtual(run, watcher);
    EXPECT_EQ(outcome.failure, "");
    if (rounds) *rounds = outcome.rounds.all();
    return watcher;
  }
  SmallRun small;
  std::unique_ptr<SpeedModel> one_speed;
};

TEST(Swift, IsDsgdWhereAllStepTogetherAndMixInEveryStep) {
  const auto swift = Together("swift").end(1, 20), dsgd = Together("dsgd").end(1, 20);
  EXPECT_EQ(swift.cuts.back().models, dsgd.cuts.back().models);
}

// Async-dsgd sends after it has mixed: whoever updates a little later reads what the first has made of it already.
TEST(Swift, SendsItsModelBeforeItMixes) {
  Rounds swift, async;
  Together("swift").end(1, 5, &swift);
  Together("async-dsgd").end(1, 5, &async);
  for (const float staleness : swift.staleness) EXPECT_EQ(staleness, 0.0f);
  EXPECT_TRUE(std::ranges::any_of(async.staleness, [](float staleness) { return staleness < 0; }));
}

TEST(Swift, MixesInEveryCthStep) {
  constexpr std::uint32_t kPeriod = 3;
  constexpr Round kIterations = 8;
  const Together together("swift");
  Rounds rounds;
  const KeepingWatcher seen = together.end(kPeriod, kIterations, &rounds);
  const auto run = together.small.run();
  const SameSamples gradient{together.small, run, rounds};
  const twin::Matrix w = weights_of(together.small.network);
  twin::Matrix x;
  for (const auto& model : seen.cuts.front().models) x.emplace_back(model.begin(), model.end());
  for (Round t = 0; t < kIterations; ++t) {
    twin::Matrix next = x;
    for (NodeId i = 0; i < x.size(); ++i) {
      const twin::Vector g = gradient(i, t, 0, x[i]);
      for (std::size_t c = 0; c < g.size(); ++c) {
        double combined = x[i][c];
        if ((t + 1) % kPeriod == 0) {
          combined = 0;
          for (NodeId j = 0; j < x.size(); ++j) combined += w[i][j] * x[j][c];
        }
        next[i][c] = combined - static_cast<double>(run.options.alpha) * g[c];
      }
    }
    x = next;
  }
  for (NodeId i = 0; i < x.size(); ++i)
    EXPECT_LE(distance(seen.cuts.back().models[i], x[i]), 1e-5 * norm(x[i])) << "node " << i;
}

TEST(Swift, ANodeThatNeverMixesKnowsNothingOfItsNeighbours) {
  const SmallRun ring("swift", 6, "ring"), complete("swift", 6, "complete");
  KeepingWatcher one = ring.watcher(), other = complete.watcher();
  auto alone = ring.run(), among_all = complete.run();
  alone.options.period = among_all.options.period = 1000;
  run_virtual(alone, one);
  run_virtual(among_all, other);
  EXPECT_EQ(one.cuts.back().models, other.cuts.back().models);
}

}  // namespace
}  // namespace quantimed

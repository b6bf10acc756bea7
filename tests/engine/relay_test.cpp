// SPDX-License-Identifier: BSD-3-Clause
// Sums that are passed on along a tree: on other trees than the twins' chain, and where they are known.
#include "engine/same_samples.hpp"
#include "engine/small_run.hpp"

#include <gtest/gtest.h>

namespace quantimed {
namespace {

struct Ran {
  KeepingWatcher seen;
  Rounds rounds;
};
Ran ran(const SmallRun& small, const auto& run) {
  Ran it{.seen = small.watcher(), .rounds = {}};
  Outcome outcome = run_virtual(run, it.seen);
  EXPECT_EQ(outcome.failure, "");
  it.rounds = outcome.rounds.all();
  return it;
}

void expect_near(const KeepingWatcher::Kept& cut, const twin::Matrix& expected) {
  for (NodeId i = 0; i < expected.size(); ++i)
    EXPECT_LE(distance(cut.models[i], expected[i]), 1e-5 * norm(expected[i])) << "node " << i;
}

// In the middle of a star every message is another sum of five.
TEST(Relay, IsItsTwinOnAStar) {
  SmallRun small("relaysgd", 6);
  small.network = make_network(parse_graph("star"), parse_mixing("laplacian"), 6, 1);
  auto run = small.run();
  run.options.alpha = 0.05f;
  const Ran it = ran(small, run);
  twin::Matrix x0;
  for (const auto& model : it.seen.cuts.front().models) x0.emplace_back(model.begin(), model.end());
  const SameSamples samples{small, run, it.rounds};
  const twin::Setting setting{.w = weights_of(small.network),
                              .gradient = samples,
                              .batch = {},
                              .send = {},
                              .parameters = {.alpha = static_cast<double>(run.options.alpha)}};
  expect_near(it.seen.cuts.back(), twin::run("relaysgd", setting, x0, run.iterations));
}

TEST(Relay, OfTwoNodesIsTheMeanOfAll) {
  const SmallRun relay("relaysgd", 2), mean("allreduce-sgd", 2);
  const Ran one = ran(relay, relay.run()), other = ran(mean, mean.run());
  twin::Matrix expected;
  for (const auto& model : other.seen.cuts.back().models) expected.emplace_back(model.begin(), model.end());
  expect_near(one.seen.cuts.back(), expected);
}

// What has been heard last is in the checkpoint: the sums go on from there.
TEST(Relay, IsResumedOnThreadsToTheBit) {
  const SmallRun small("relaysgd", 4);
  auto run = small.run();
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  run.iterations = 2000;
  KeepingWatcher whole = small.watcher();
  run_threads(run, whole);
  KeepingWatcher stopped = small.watcher();
  stopped.stop = true;
  Outcome before = run_threads(run, stopped);
  if (!before.checkpoint) GTEST_SKIP() << "the run was over before it was stopped";
  Resume resume{"a.h5", *before.checkpoint, before.rounds.all()};
  run.resume = &resume;
  KeepingWatcher rest = small.watcher();
  run_threads(run, rest);
  EXPECT_EQ(rest.cuts.back().models, whole.cuts.back().models);
}

// A message to one neighbour is a vector and a number, whatever the others get.
TEST(Relay, CountsAMessageToANeighbourOnce) {
  const SmallRun small("relaysgd", 5);
  const Ran it = ran(small, small.run());
  for (const double bytes : it.rounds.bytes_sent)
    EXPECT_EQ(bytes, 4 * static_cast<double>(small.problem->dimension()) + 4);
}

}  // namespace
}  // namespace quantimed

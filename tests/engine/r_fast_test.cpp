// SPDX-License-Identifier: BSD-3-Clause
// R-FAST where it is deterministic: nodes of one speed, whose messages are on the link for a while, step together. On
// graphs with and without directions, against a twin that keeps what each node has handed to each other.
#include "engine/same_samples.hpp"
#include "engine/small_run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>

namespace quantimed {
namespace {

// A column sums to 1; rows of W are those of A, scaled.
struct Matrices {
  twin::Matrix w, a;
};
Matrices matrices_of(const Network& network) {
  Matrices m{.w = {}, .a = twin::Matrix(network.nodes, twin::Vector(network.nodes))};
  std::vector<Neighbour> room;
  for (NodeId i = 0; i < network.nodes; ++i) {
    m.a[i][i] = network.self_weight(i, 0);
    for (const Neighbour& j : network.sources(i, 0, room)) m.a[i][j.id] = static_cast<double>(j.weight);
  }
  m.w = m.a;
  for (twin::Vector& row : m.w) {
    double sum = 0;
    for (const double weight : row) sum += weight;
    for (double& weight : row) weight /= sum;
  }
  return m;
}

// Nodes hear one, two or three others, and are heard by as many others as chance has it.
std::string uneven_graph() {
  const std::string path = testing::TempDir() + "quantimed-r-fast-uneven";
  std::ofstream(path) << "0 1\n1 2\n2 3\n3 4\n4 5\n5 0\n0 2\n0 3\n4 2\n";
  return "directed-file:" + path;
}

class RFast : public testing::TestWithParam<const char*> {
 protected:
  SmallRun small{"r-fast", 6, std::string(GetParam()) == "uneven" ? uneven_graph() : GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Graphs, RFast, testing::Values("ring", "erdos-renyi:0.5", "directed-exponential", "uneven"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::ranges::replace_if(
                               name, [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

TEST_P(RFast, IsItsTwinWhereAllStepTogether) {
  const auto one_speed = make_speed_model("constant:10", 1);
  auto run = small.run();
  run.speed = one_speed.get();
  run.options.alpha = 0.05f;
  run.iterations = 50;
  run.evaluations = 1;
  KeepingWatcher seen = small.watcher();
  const Outcome outcome = run_virtual(run, seen);
  ASSERT_EQ(outcome.failure, "");
  const Rounds rounds = outcome.rounds.all();
  for (const float staleness : rounds.staleness) EXPECT_EQ(staleness, 0.0f);
  const Matrices m = matrices_of(small.network);
  const twin::Setting setting{.w = m.w,
                              .gradient = SameSamples{small, run, rounds},
                              .batch = {},
                              .send = {},
                              .parameters = {.alpha = static_cast<double>(run.options.alpha)}};
  twin::Matrix x0;
  for (const auto& model : seen.cuts.front().models) x0.emplace_back(model.begin(), model.end());
  const twin::Matrix expected = twin::r_fast_in_step(setting, m.a, x0, run.iterations);
  ASSERT_GT(distance(seen.cuts.front().models[0], expected[0]), 1e-2) << "nothing has happened";
  for (NodeId i = 0; i < expected.size(); ++i)
    EXPECT_LE(distance(seen.cuts.back().models[i], expected[i]), 1e-5 * norm(expected[i])) << "node " << i;
}

TEST_P(RFast, GoesOnAfterAStopToTheSameBits) {
  auto run = small.run();
  run.iterations = 40;
  KeepingWatcher whole = small.watcher();
  run_virtual(run, whole);
  KeepingWatcher first = small.watcher();
  first.stop_after = 90;
  Outcome before = run_virtual(run, first);
  ASSERT_TRUE(before.checkpoint);
  Resume resume{"a.h5", *before.checkpoint, before.rounds.all()};
  run.resume = &resume;
  run.threads = 2;
  KeepingWatcher rest = small.watcher();
  run_virtual(run, rest);
  EXPECT_EQ(rest.cuts.back().models, whole.cuts.back().models);
  EXPECT_EQ(rest.cuts.back().time, whole.cuts.back().time);
}

// A node hears those that send to it, and nobody else: on a directed ring of three, one.
TEST(RFast, CountsTheMessagesOfItsSourcesAlone) {
  const std::string path = testing::TempDir() + "quantimed-r-fast-ring";
  std::ofstream(path) << "0 1\n1 2\n2 0\n";
  const SmallRun small("r-fast", 3, "directed-file:" + path);
  const auto speeds = make_speed_model("slow-nodes:1,2,20", 1);  // node 0: 10 samples a second, the others 20
  auto run = small.run();
  run.speed = speeds.get();
  run.iterations = 40;
  KeepingWatcher seen = small.watcher();
  const Rounds r = run_virtual(run, seen).rounds.all();
  double overwritten[3] = {};
  for (std::size_t at = 3; at < r.batch.size(); ++at)  // a first reading may find the start already written over
    if (!std::isnan(r.batch[at])) overwritten[at % 3] += static_cast<double>(r.overwritten[at]);
  EXPECT_GT(overwritten[0], 0) << "node 0 hears node 2, which is faster";
  EXPECT_EQ(overwritten[1], 0) << "node 1 hears node 0 alone, which is slower";
}

}  // namespace
}  // namespace quantimed

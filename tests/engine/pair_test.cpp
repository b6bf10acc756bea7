// SPDX-License-Identifier: BSD-3-Clause
// Averages of two: against a twin that takes the run's own order of events, and that nothing is lost between threads.
#include "engine/agreement.hpp"
#include "engine/pairs.hpp"
#include "engine/remembering_codec.hpp"
#include "engine/same_samples.hpp"
#include "engine/small_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace quantimed {
namespace {

using namespace formula;

// An iteration that has ended, at this time of the clock.
using Ended = std::tuple<double, NodeId, Round>;

std::vector<Ended> in_order(const Rounds& r) {
  std::vector<Ended> all;
  for (std::size_t at = 0; at < r.batch.size(); ++at) {
    if (std::isnan(r.batch[at])) continue;
    const std::size_t next = at + r.nodes;
    const bool is_last = next >= r.batch.size() || std::isnan(r.batch[next]);
    const double end =
        r.start_time[at] + static_cast<double>(r.compute_time[at]) + static_cast<double>(r.exchange_time[at]);
    all.emplace_back(is_last ? end : r.start_time[next], static_cast<NodeId>(at % r.nodes),
                     static_cast<Round>(at / r.nodes));
  }
  std::ranges::sort(all);
  return all;
}

// x_i, x_j ← (x_i + x_j) / 2 and then x_i ← x_i + what H steps from base_i have moved it by; node i begins again there.
// `code`: where models are sent in one, what both nodes decode of the two messages.
twin::Matrix twin_of(const SmallRun& small, const auto& run, const Rounds& rounds, const twin::Matrix& start,
                     const Remembering* code = nullptr) {
  const SameSamples gradient{small, run, rounds};
  const auto steps = static_cast<unsigned>(run.algorithm.gradients(run.options));
  twin::Matrix x = start, base = start;
  for (const auto& [time, i, t] : in_order(rounds)) {
    twin::Vector y = base[i];
    for (unsigned k = 0; k < steps; ++k) {
      const twin::Vector g = gradient(i, t, k, y);
      for (std::size_t c = 0; c < y.size(); ++c) y[c] -= static_cast<double>(run.options.alpha) * g[c];
    }
    const NodeId j = partner_of(run, i, t);
    twin::Vector q_i = x[i], q_j = x[j];
    if (code) {
      EXPECT_LE(distance(code->exact.at({i, 0, t}), q_i), 1e-5 * (1 + norm(q_i))) << "node " << i << ", " << t;
      EXPECT_LE(distance(code->exact.at({i, 1, t}), q_j), 1e-5 * (1 + norm(q_j))) << "node " << j << ", " << t;
      q_i = code->sent.at({i, 0, t});
      q_j = code->sent.at({i, 1, t});
    }
    for (std::size_t c = 0; c < y.size(); ++c) {
      x[i][c] = x[j][c] = (q_i[c] + q_j[c]) / 2;
      x[i][c] += y[c] - base[i][c];
    }
    base[i] = x[i];
  }
  return x;
}

class Pairwise : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Rows, Pairwise, testing::Values("ad-psgd", "swarmsgd"), [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST_P(Pairwise, IsItsTwinInTheOrderOfTheEvents) {
  for (const char* link : {"paper:3", "alpha-beta:0.7,5000", "none"}) {
    SCOPED_TRACE(link);
    const SmallRun small(GetParam(), 6, "erdos-renyi:0.5");
    auto run = small.run();
    run.options.alpha = 0.05f;
    run.options.local_steps = 3;
    run.link = parse_link(link);
    run.iterations = 50;
    KeepingWatcher watcher = small.watcher();
    const Outcome outcome = run_virtual(run, watcher);
    ASSERT_EQ(outcome.failure, "");
    twin::Matrix start;
    for (const auto& model : watcher.cuts.front().models) start.emplace_back(model.begin(), model.end());
    const twin::Matrix expected = twin_of(small, run, outcome.rounds.all(), start);
    ASSERT_GT(distance(watcher.cuts.front().models[0], expected[0]), 1e-2) << "nothing has happened";
    for (NodeId i = 0; i < expected.size(); ++i)
      EXPECT_LE(distance(watcher.cuts.back().models[i], expected[i]), 1e-5 * norm(expected[i])) << "node " << i;
  }
}

// The same of models that are sent in a code: given what was decoded.
TEST(Pairs, QuantizedSwarmIsItsTwinGivenTheDecodedMessages) {
  for (const char* codec : {"low-precision:1e-3", "modulo:1e-3,14"}) {
    SCOPED_TRACE(codec);
    const SmallRun small("q-swarmsgd", 6, "erdos-renyi:0.5", codec);
    const Remembering code(*small.codec);
    auto run = small.run_with(small.row, code);
    run.options.alpha = 0.05f;
    run.options.local_steps = 3;
    run.iterations = 50;
    KeepingWatcher watcher = small.watcher();
    const Outcome outcome = run_virtual(run, watcher);
    ASSERT_EQ(outcome.failure, "");
    EXPECT_EQ(outcome.violations, 0u);
    twin::Matrix start;
    for (const auto& model : watcher.cuts.front().models) start.emplace_back(model.begin(), model.end());
    const twin::Matrix expected = twin_of(small, run, outcome.rounds.all(), start, &code);
    ASSERT_GT(distance(watcher.cuts.front().models[0], expected[0]), 1e-2) << "nothing has happened";
    for (NodeId i = 0; i < expected.size(); ++i)
      EXPECT_LE(distance(watcher.cuts.back().models[i], expected[i]), 1e-5 * norm(expected[i])) << "node " << i;
  }
}

TEST(Pairs, QuantizedSwarmWithExactMessagesIsSwarmBitForBit) {
  const SmallRun quantized("q-swarmsgd", 6, "ring", "exact"), exact("swarmsgd", 6);
  for (const char* link : {"paper:3", "alpha-beta:0.7,5000"}) {
    auto one = quantized.run(), two = exact.run();
    one.options.local_steps = two.options.local_steps = 3;
    one.link = two.link = parse_link(link);
    KeepingWatcher first = quantized.watcher(), second = exact.watcher();
    const Outcome a = run_virtual(one, first), b = run_virtual(two, second);
    EXPECT_EQ(first.cuts, second.cuts);
    expect_same_rounds(a.rounds.all(), b.rounds.all());
  }
}

// By the wire, of a code whose messages are all of one length: half as many bytes, half as long.
TEST(Pairs, QuantizedMessagesAreChargedAsTheyAreLong) {
  const SmallRun small("q-swarmsgd", 4, "ring", "float16");
  auto run = small.run();
  run.charge_wire_bits = true;
  KeepingWatcher watcher = small.watcher();
  const Rounds r = run_virtual(run, watcher).rounds.all();
  const auto bytes = static_cast<double>(small.codec->wire_bytes({}, small.problem->dimension()));
  EXPECT_LT(bytes, 2.1 * static_cast<double>(small.problem->dimension()));
  for (std::size_t at = 0; at < r.batch.size(); ++at)
    if (!std::isnan(r.batch[at])) {
      EXPECT_EQ(r.bytes_sent[at], 2 * bytes);
      EXPECT_NEAR(r.exchange_time[at], 6, 0.1);
    }
}

// Both of a pair take H steps and wait for each other: x_i, x_j ← (y_i + y_j)/2.
TEST(Pairs, BlockingSwarmIsLocalDsgdOnRandomMatchings) {
  const SmallRun small("local-dsgd", 6, "random-matching");
  auto run = small.run();
  run.options.alpha = 0.05f;
  run.options.local_steps = 3;
  run.evaluations = 1;
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = run_virtual(run, watcher);
  ASSERT_EQ(outcome.failure, "");
  const Rounds rounds = outcome.rounds.all();
  const SameSamples gradient{small, run, rounds};
  twin::Matrix x;
  for (const auto& model : watcher.cuts.front().models) x.emplace_back(model.begin(), model.end());
  std::vector<Neighbour> room;
  for (Round t = 0; t < run.iterations; ++t) {
    for (NodeId i = 0; i < x.size(); ++i)
      for (unsigned k = 0; k < 3; ++k) {
        const twin::Vector g = gradient(i, t, k, x[i]);
        for (std::size_t c = 0; c < g.size(); ++c) x[i][c] -= static_cast<double>(run.options.alpha) * g[c];
      }
    for (NodeId i = 0; i < x.size(); ++i) {
      const auto partners = small.network.sources(i, t, room);
      ASSERT_EQ(partners.size(), 1u);
      if (const NodeId j = partners[0].id; i < j)
        for (std::size_t c = 0; c < x[i].size(); ++c) x[i][c] = x[j][c] = (x[i][c] + x[j][c]) / 2;
    }
  }
  for (NodeId i = 0; i < x.size(); ++i)
    EXPECT_LE(distance(watcher.cuts.back().models[i], x[i]), 1e-5 * norm(x[i])) << "node " << i;
}

TEST(Pairs, BlockingSwarmOfTwoAndOneStepIsAllreduce) {
  const SmallRun swarm("local-dsgd", 2, "random-matching"), all("allreduce-sgd", 2);
  auto one = swarm.run();
  one.options.local_steps = 1;
  KeepingWatcher first = swarm.watcher(), second = all.watcher();
  run_virtual(one, first);
  run_virtual(all.run(), second);
  EXPECT_EQ(first.cuts.back().models, second.cuts.back().models);
  EXPECT_NE(first.cuts.front().models, first.cuts.back().models);
}

// Both messages cross the link, one after the other, and the node that averages pays for them: by either count of bits.
TEST_P(Pairwise, TwoMessagesAnIterationAreCharged) {
  const SmallRun small(GetParam());
  const double bytes = 4 * static_cast<double>(small.problem->dimension());
  for (const bool wire : {false, true}) {
    auto run = small.run();
    run.charge_wire_bits = wire;
    KeepingWatcher watcher = small.watcher();
    const Rounds r = run_virtual(run, watcher).rounds.all();
    for (std::size_t at = 0; at < r.batch.size(); ++at)
      if (!std::isnan(r.batch[at])) {
        EXPECT_EQ(r.bytes_sent[at], 2 * bytes);
        EXPECT_FLOAT_EQ(r.exchange_time[at], wire ? 12.0f : 6.0f);  // T_c = 3 s at 16 bits
      }
    EXPECT_EQ(watcher.cuts.back().time_wire_bits.has_value(), wire);
    EXPECT_EQ(watcher.cuts.back().time_paper_bits.has_value(), !wire);
  }
}

TEST(Pairs, SwarmOfOneStepIsAdPsgd) {
  const SmallRun swarm("swarmsgd", 6), ad("ad-psgd", 6);
  auto one_step = swarm.run();
  one_step.options.local_steps = 1;
  KeepingWatcher one = swarm.watcher(), other = ad.watcher();
  run_virtual(one_step, one);
  run_virtual(ad.run(), other);
  for (NodeId i = 0; i < 6; ++i) {
    const auto& model = other.cuts.back().models[i];
    EXPECT_LE(distance(one.cuts.back().models[i], model), 1e-5 * norm(twin::Vector(model.begin(), model.end())));
  }
}

TEST(Pairs, EveryNeighbourIsDrawnAsOftenAsTheOthers) {
  const SmallRun small("ad-psgd", 5, "star");
  const auto run = small.run();
  std::map<NodeId, int> drawn;
  constexpr Round kDraws = 4000;
  for (Round t = 0; t < kDraws; ++t) ++drawn[partner_of(run, 0, t)];
  EXPECT_EQ(drawn.size(), 4u);
  for (const auto& [node, count] : drawn) EXPECT_NEAR(count, kDraws / 4, 150) << node;  // 5.5 standard deviations
  EXPECT_EQ(partner_of(run, 3, 7), 0u);
  EXPECT_EQ(partner_of(SmallRun("ad-psgd", 1).run(), 0, 0), 0u);
}

// Steps that do not depend on anything: x_i ← x_i − α x_0. What the sum of all models is follows from their number, and
// one step or one half of an average that gets lost between two threads shows.
Task constant_steps(Node& node, const Options& o) {
  const Source read = vector(1), x_0 = vector(2);
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.pass({{read, x}});
    co_await node.gradient(o.batch, read);
    co_await node.average_with(node.partner(t));
    node.pass({{x, x - o.alpha * x_0}});
  }
}
constexpr StateRow kConstant[] = {{"read", StateRow::Start::model, StateRow::Kind::lasting},
                                  {"x_0", StateRow::Start::model, StateRow::Kind::lasting}};
constexpr float kStep = 0x1p-9f;

AlgorithmRow constant_row() {
  AlgorithmRow row = find_algorithm("ad-psgd");
  row.run = constant_steps;
  row.states = kConstant;
  return row;
}

// The largest error of a coordinate's sum, in steps.
double lost_steps(const KeepingWatcher& seen, const KeepingWatcher::Kept& cut) {
  const auto& x_0 = seen.cuts.front().models[0];
  const auto n = static_cast<double>(cut.models.size());
  double most = 0;
  for (std::size_t c = 0; c < x_0.size(); ++c) {
    const auto start = static_cast<double>(x_0[c]);
    if (std::abs(start) < 0.05) continue;
    double sum = 0;
    for (const auto& model : cut.models) sum += static_cast<double>(model[c]);
    const double step = static_cast<double>(kStep) * start;
    most = std::max(most, std::abs((n * start - sum) / step - n * cut.iteration));
  }
  return most;
}

TEST(Pairs, TheSumOfAllModelsMovesByTheStepsAloneInVirtualTime) {
  const SmallRun small("ad-psgd", 6, "complete");
  const AlgorithmRow row = constant_row();
  auto run = small.run_with(row, *small.codec);
  run.options.alpha = kStep;
  run.iterations = 300;
  KeepingWatcher watcher = small.watcher();
  run_virtual(run, watcher);
  for (const auto& cut : watcher.cuts) EXPECT_LT(lost_steps(watcher, cut), 0.25) << cut.time;
}

// The same at every point of the curve: no copy of two models falls into an average of them.
TEST(Pairs, TheSumOfAllModelsMovesByTheStepsAloneOnThreads) {
  for (const char* graph : {"complete", "star"}) {
    SCOPED_TRACE(graph);
    const SmallRun small("ad-psgd", 4, graph);
    const AlgorithmRow row = constant_row();
    auto run = small.run_with(row, *small.codec);
    run.options = {.alpha = kStep, .epsilon = 1, .batch = 1};
    run.speed = nullptr;
    run.link = {};
    run.oversubscribe = true;
    run.iterations = 500;  // more, and the rounding of float32 adds up to a step
    run.evaluations = 100;
    for (int repeat = 0; repeat < 10; ++repeat) {
      KeepingWatcher watcher = small.watcher();
      const Outcome outcome = run_threads(run, watcher);
      ASSERT_EQ(outcome.failure, "");
      EXPECT_GE(watcher.cuts.back().iteration, 500);
      for (const auto& cut : watcher.cuts) EXPECT_LT(lost_steps(watcher, cut), 0.25) << cut.time;
    }
  }
}

TEST_P(Pairwise, NobodyAveragesWithALostNode) {
  const SmallRun small(GetParam(), 4, "complete");
  auto run = small.run();
  run.faults = {{.node = 1, .time = 20}};
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = run_virtual(run, watcher);
  EXPECT_EQ(outcome.failure, "");
  ASSERT_EQ(outcome.lost.size(), 1u);
  EXPECT_EQ(watcher.cuts.back().models.size(), 3u);
  EXPECT_EQ(watcher.cuts.back().iteration, 30);
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  run.faults = {{.node = 1, .time = 0}};
  KeepingWatcher on_threads = small.watcher();
  const Outcome real = run_threads(run, on_threads);
  EXPECT_EQ(real.failure, "");
  ASSERT_EQ(on_threads.cuts.back().models.size(), 3u);
}

// Its model answers for it: in virtual time the others' clocks do not see that it stands still.
TEST(Pairs, OthersAverageWithANodeThatStandsStill) {
  const SmallRun small("ad-psgd", 2);
  auto run = small.run();
  run.faults = {{.node = 1, .time = 0, .lasts = 1000}};
  run.patience_s = 2000;
  run.max_time = 500;
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = run_virtual(run, watcher);
  EXPECT_EQ(outcome.failure, "");
  const auto& last = watcher.cuts.back().models;
  EXPECT_NE(last[1], watcher.cuts.front().models[1]);
  EXPECT_EQ(outcome.rounds.all().batch.size() % 2, 0u);
}

TEST_P(Pairwise, ModelsThatAreNoLongerFiniteEndARunOnThreads) {
  const SmallRun small(GetParam());
  auto run = small.run();
  run.options.alpha = 1e30f;
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  run.iterations = 1000000;
  run.max_time = 60;
  KeepingWatcher watcher = small.watcher();
  EXPECT_LT(run_threads(run, watcher).end_time, 30);
}

TEST(Pairs, ACheckpointThatDoesNotFitIsRefused) {
  const SmallRun small("swarmsgd");
  for (const auto spoil : {+[](Checkpoint& c) { c.awaits.clear(); }, +[](Checkpoint& c) { c.awaits[0] = 4; },
                           +[](Checkpoint& c) { c.event_time[1] = -1; }, +[](Checkpoint& c) { c.states.pop_back(); }}) {
    auto run = small.run();
    run.options.local_steps = 3;
    KeepingWatcher watcher = small.watcher();
    watcher.stop_after = 2;
    Outcome outcome = run_virtual(run, watcher);
    ASSERT_TRUE(outcome.checkpoint);
    spoil(*outcome.checkpoint);
    Resume resume{"a.h5", *outcome.checkpoint, outcome.rounds.all()};
    run.resume = &resume;
    KeepingWatcher rest = small.watcher();
    EXPECT_THROW(run_virtual(run, rest), InputError);
  }
}

}  // namespace
}  // namespace quantimed

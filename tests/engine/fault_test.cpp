// SPDX-License-Identifier: BSD-3-Clause
// Nodes that die or fall silent: who goes on, who waits, and what the others' numbers become.
#include "engine/forwarding_codec.hpp"
#include "engine/resumption.hpp"
#include "engine/small_run.hpp"

#include "algorithm/algorithms.hpp"
#include "base/error.hpp"
#include "trace/columns.hpp"
#include "trace/same.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;

constexpr Seconds kRound_s = 0.4;   // of quantimed-dsgd: its deadline
constexpr Seconds kPatience_s = 2;  // on threads: longer than the system lets a healthy one wait for a core

struct Shown {
  KeepingWatcher watcher;
  Outcome outcome;
};

Shown on(const std::string& engine, const SmallRun& small, const Run& run) {
  Shown shown{.watcher = small.watcher(), .outcome = {}};
  shown.outcome = engine == "virtual" ? run_virtual(run, shown.watcher) : run_threads(run, shown.watcher);
  return shown;
}

Run on_threads(Run run) {
  run.speed = nullptr;
  run.link = {};
  run.deadline.fixed_s = 2e-3;
  run.deadline.slack_s = 100;  // other tenants of the machine
  run.oversubscribe = true;
  return run;
}

TEST(Fault, TextIsUnderstoodOrRefusedWithTheOptionsName) {
  const auto faults = parse_faults("crash:3@10;stall:1@0.5,2e-1", 4);
  ASSERT_EQ(faults.size(), 2u);
  EXPECT_EQ(faults[0].node, 3u);
  EXPECT_EQ(faults[0].time, 10);
  EXPECT_EQ(faults[0].lasts, kForever);
  EXPECT_EQ(faults[1].node, 1u);
  EXPECT_EQ(faults[1].time, 0.5);
  EXPECT_EQ(faults[1].lasts, 0.2);
  EXPECT_TRUE(parse_faults("", 4).empty());
  for (const char* text : {"crash",
                           "crash:",
                           "crash:1",
                           "crash:1@",
                           "crash:1@-1",
                           "crash:-1@1",
                           "crash:1.5@1",
                           "crash:1@nan",
                           "crash:1@inf",
                           "crash:1@1e999",
                           "crash:1@1,2",
                           "crash:1@1;",
                           ";",
                           "stall:1@1",
                           "stall:1@1,0",
                           "stall:1@1,-2",
                           "stall:1@1,inf",
                           "fire:1@1",
                           "crash:4@1",
                           "crash:99999999999@1",
                           "crash:1@1;stall:1@2,3",
                           "crash:0@1;crash:1@1;crash:2@1;crash:3@1",
                           "crash: 1@1",
                           "crash:1@1 "}) {
    try {
      parse_faults(text, 4);
      ADD_FAILURE() << text;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("--fault"), HasSubstr("; "))) << text;
    }
  }
}

TEST(Fault, TextsForPeople) {
  const NodeId one[] = {4}, two[] = {1, 5};
  EXPECT_EQ(silence(3, 17, 60, two), "node 3 sent nothing of round 17 for 60 s; nodes 1, 5 wait for it");
  EXPECT_EQ(silence(3, 17, 0.5, one), "node 3 sent nothing of round 17 for 0.5 s; node 4 waits for it");
  EXPECT_EQ(to_text(std::vector<LostNode>{}), "none");
  EXPECT_EQ(to_text(std::vector<LostNode>{{3, 17}, {5, 20}}), "3@round 17, 5@round 20");
}

// Metropolis weights on four nodes are 1/4: sums of weights are exact, so the twin may add them in another order.
Network without(const Network& network, NodeId gone) {
  Network rest = network;
  rest.neighbour_list.clear();
  rest.offsets.assign(1, 0);
  for (NodeId i = 0; i < network.nodes; ++i) {
    for (const Neighbour& j : network.neighbours(i))
      if (i == gone || j.id == gone)
        rest.self_weights[i] += static_cast<double>(j.weight);
      else
        rest.neighbour_list.push_back(j);
    rest.offsets.push_back(rest.neighbour_list.size());
  }
  return rest;
}

TEST(VirtualFault, AfterACrashTheOthersDoWhatTheyWouldDoInANetworkWithoutTheNode) {
  SmallRun small("quantimed-dsgd", 4, "complete");
  small.network = make_network(parse_graph("complete"), parse_mixing("metropolis"), 4, 1);
  auto run = small.run();
  run.evaluations = run.iterations;
  run.link = {};
  run.faults = {{.node = 2, .time = 11.5 * kRound_s}};
  run.patience_s = 3;
  const Shown shown = on("virtual", small, run);
  const Round death = 12;
  ASSERT_EQ(shown.outcome.lost, (std::vector<LostNode>{{2, death}}));

  // The same run without the fault, stopped there; it goes on without the node's edges.
  auto healthy = run;
  healthy.faults.clear();
  KeepingWatcher before = small.watcher();
  before.stop_after = death;
  const Outcome stopped = run_virtual(healthy, before);
  ASSERT_TRUE(stopped.checkpoint);
  ASSERT_EQ(stopped.checkpoint->iteration[0], death);
  SmallRun other_network("quantimed-dsgd", 4, "complete");
  other_network.network = without(small.network, 2);
  auto twin = other_network.run();
  twin.evaluations = run.evaluations;
  twin.link = {};
  Resume resume{"twin", *stopped.checkpoint, stopped.rounds.all()};
  twin.resume = &resume;
  const Shown after = on("virtual", small, twin);

  ASSERT_EQ(shown.watcher.cuts.size(), run.iterations + 1);
  ASSERT_EQ(before.cuts.size() + after.watcher.cuts.size(), shown.watcher.cuts.size());
  for (std::size_t k = 0; k < shown.watcher.cuts.size(); ++k) {
    const auto& cut = shown.watcher.cuts[k];
    const auto& other = k < before.cuts.size() ? before.cuts[k] : after.watcher.cuts[k - before.cuts.size()];
    ASSERT_EQ(cut.iteration, other.iteration);
    ASSERT_EQ(cut.models.size(), cut.iteration < death ? 4u : 3u);
    for (std::size_t i = 0; i < cut.models.size(); ++i)
      EXPECT_EQ(cut.models[i], other.models[cut.models.size() == 3 && i == 2 ? 3 : i]) << "round " << cut.iteration;
  }
}

TEST(VirtualFault, TheClockChargesThePatienceOnceAndTheDeadRecordNothing) {
  for (const Sync sync : {Sync::barrier, Sync::neighbourhood}) {
    const SmallRun small("quantimed-dsgd", 6, "ring");
    auto run = small.run();
    run.link = {};
    run.sync = sync;
    run.faults = {{.node = 2, .time = 4.5 * kRound_s}};
    run.patience_s = 3;
    const Rounds rounds = on("virtual", small, run).outcome.rounds.all();
    EXPECT_EQ(rounds.iterations, run.iterations);
    for (NodeId i = 0; i < 6; ++i) {
      EXPECT_EQ(recorded(rounds, i), i == 2 ? 5 : run.iterations);
      if (i == 2) continue;
      float waited = 0;
      for (Round t = 0; t < run.iterations; ++t) waited += rounds.wait_time[t * 6 + i];
      EXPECT_NEAR(waited, 3, 1e-3) << i;  // directly, or for a neighbour that did
    }
    EXPECT_NEAR(rounds.wait_time[5 * 6 + 1], 3, 1e-5);
    EXPECT_NEAR(rounds.wait_time[5 * 6 + 5], sync == Sync::barrier ? 3 : 0, 1e-5);
  }
}

TEST(VirtualFault, AShortStallDelaysARoundAndChangesNoModel) {
  for (const char* algorithm : {"quantimed-dsgd", "dsgd", "q-dsgd"}) {
    const SmallRun small(algorithm, 5, "ring");
    auto run = small.run();
    const Shown healthy = on("virtual", small, run);
    run.faults = {{.node = 1, .time = 2, .lasts = 7}};
    const Shown stalled = on("virtual", small, run);
    EXPECT_TRUE(stalled.outcome.lost.empty());
    // A round's slowest node takes 2 s, which the stall may overlap.
    EXPECT_GE(stalled.outcome.end_time, healthy.outcome.end_time + 7 - 2) << algorithm;
    EXPECT_LE(stalled.outcome.end_time, healthy.outcome.end_time + 7 + 1e-9) << algorithm;
    ASSERT_EQ(stalled.watcher.cuts.size(), healthy.watcher.cuts.size());
    for (std::size_t k = 0; k < healthy.watcher.cuts.size(); ++k)
      EXPECT_EQ(stalled.watcher.cuts[k].models, healthy.watcher.cuts[k].models);
  }
}

TEST(VirtualFault, AStallAsLongAsThePatienceIsACrash) {
  const SmallRun small("quantimed-dsgd", 5, "ring");
  auto run = small.run();
  run.patience_s = 5;
  run.faults = {{.node = 1, .time = 2, .lasts = 5}};
  const Shown stalled = on("virtual", small, run);
  run.faults[0].lasts = kForever;
  const Shown crashed = on("virtual", small, run);
  EXPECT_FALSE(stalled.outcome.lost.empty());
  EXPECT_EQ(stalled.outcome.lost, crashed.outcome.lost);
  EXPECT_EQ(stalled.watcher.cuts, crashed.watcher.cuts);
}

TEST(VirtualFault, TheNumberOfWorkersChangesNoBit) {
  for (const char* algorithm : {"quantimed-dsgd", "async-dsgd"}) {
    const SmallRun small(algorithm, 8, "erdos-renyi:0.5");
    auto run = small.run();
    run.faults = {{.node = 0, .time = 3}, {.node = 5, .time = 8}, {.node = 3, .time = 5, .lasts = 2}};
    const Shown one = on("virtual", small, run);
    run.threads = 3;
    const Shown three = on("virtual", small, run);
    EXPECT_EQ(one.outcome.lost.size(), 2u);
    EXPECT_EQ(one.outcome.lost, three.outcome.lost);
    EXPECT_EQ(one.outcome.end_time, three.outcome.end_time);
    EXPECT_EQ(one.watcher.cuts, three.watcher.cuts);
    expect_same_columns(columns::kRounds, one.outcome.rounds.all(), three.outcome.rounds.all());
  }
}

// With no gradient step, and all models alike, an update whose weights sum to 1 leaves them as they are.
TEST(Fault, WeightsStillSumToOne) {
  for (const char* engine : {"virtual", "threads"}) {
    const SmallRun small("quantimed-dsgd", 4, "complete", "exact");
    auto run = engine == std::string("threads") ? on_threads(small.run()) : small.run();
    run.options.alpha = 0;
    run.patience_s = kPatience_s;
    run.faults = {{.node = 1, .time = 0}, {.node = 3, .time = 0}};
    const Shown shown = on(engine, small, run);
    EXPECT_EQ(shown.outcome.lost.size(), 2u);
    ASSERT_EQ(shown.outcome.failure, "");
    const auto &first = shown.watcher.cuts.front().models, &last = shown.watcher.cuts.back().models;
    ASSERT_EQ(last.size(), 2u);
    for (std::size_t k = 0; k < last[0].size(); ++k) EXPECT_NEAR(last[0][k], first[0][k], 1e-5);
  }
}

TEST(VirtualFault, TheSynchronousEndAndSayWhoIsMissing) {
  for (const char* algorithm : {"dsgd", "q-dsgd"}) {
    const SmallRun small(algorithm, 6, "ring");
    auto run = small.run();
    run.faults = {{.node = 3, .time = 5}};
    const Shown shown = on("virtual", small, run);
    ASSERT_EQ(shown.outcome.lost.size(), 1u);
    const auto [node, round] = shown.outcome.lost[0];
    EXPECT_EQ(node, 3u);
    const NodeId neighbours[] = {2, 4};
    EXPECT_EQ(shown.outcome.failure, silence(3, round, kUsualPatience_s, neighbours));
    EXPECT_EQ(shown.outcome.rounds.all().iterations, round);
    EXPECT_FALSE(shown.outcome.checkpoint);
    EXPECT_GT(shown.outcome.end_time, 5 + kUsualPatience_s);
  }
}

TEST(VirtualFault, AsynchronousNodesKeepTheLastModelAndDoTheDeadNodesShare) {
  const SmallRun small("async-dsgd", 5, "ring");
  auto run = small.run();
  const Outcome healthy = on("virtual", small, run).outcome;
  run.faults = {{.node = 1, .time = 20}, {.node = 3, .time = 10, .lasts = 15}};
  const Outcome outcome = on("virtual", small, run).outcome;
  EXPECT_TRUE(outcome.failure.empty());
  ASSERT_EQ(outcome.lost.size(), 1u);
  EXPECT_EQ(outcome.lost[0].node, 1u);
  std::size_t updates = 0;
  for (NodeId i = 0; i < 5; ++i) updates += recorded(outcome.rounds.all(), i);
  EXPECT_EQ(updates, std::size_t{run.iterations} * 5);
  EXPECT_EQ(recorded(outcome.rounds.all(), 1), outcome.lost[0].round);
  EXPECT_LT(outcome.lost[0].round, run.iterations);
  // Its last message grows old at its neighbours.
  const Round last = recorded(outcome.rounds.all(), 0) - 1;
  EXPECT_GT(outcome.rounds.all().message_age[last * 5 + 0], (outcome.end_time - 20) / 2 - 5);
  EXPECT_GT(outcome.end_time, healthy.end_time);
}

// Iterations last 1 s: the one that began at 1 s ends at 2 s, and no other begins.
TEST(VirtualFault, AnAsynchronousNodeEndsTheIterationThatAFaultFallsInto) {
  const SmallRun small("async-dsgd", 4, "ring");
  const auto speed = make_speed_model("constant:20", 1);
  auto run = small.run();
  run.speed = speed.get();
  run.link = {};
  run.faults = {{.node = 1, .time = 1.5}};
  const Outcome crashed = on("virtual", small, run).outcome;
  EXPECT_EQ(crashed.lost, (std::vector<LostNode>{{1, 2}}));
  EXPECT_EQ(recorded(crashed.rounds.all(), 1), 2u);
  run.faults[0].lasts = 10;
  const Rounds stalled = on("virtual", small, run).outcome.rounds.all();
  for (Round t = 0; t < 6; ++t) EXPECT_EQ(stalled.record_time[t * 4 + 1], t == 2 ? 10 : 0);
  EXPECT_EQ(stalled.start_time[3 * 4 + 1], 13);
  run.faults[0] = {.node = 1, .time = 0};
  EXPECT_EQ(on("virtual", small, run).outcome.lost, (std::vector<LostNode>{{1, 0}}));
}

// The same words on threads: what is recorded of a lost node began before the fault's time.
TEST(ThreadsFault, AnAsynchronousNodeEndsTheIterationThatAFaultFallsInto) {
  const SmallRun small("async-dsgd", 2);
  const auto speed = make_speed_model("constant:1000", 1);  // 20 ms an iteration, or longer on a busy machine
  auto run = on_threads(small.run());
  run.speed = speed.get();
  run.faults = {{.node = 1, .time = 0.05}};
  const Shown shown = on("threads", small, run);
  ASSERT_EQ(shown.outcome.lost.size(), 1u);
  const Rounds rounds = shown.outcome.rounds.all();
  const Round lost = shown.outcome.lost[0].round;
  EXPECT_EQ(recorded(rounds, 1), lost);
  for (Round t = 0; t < lost; ++t) EXPECT_LT(rounds.start_time[t * 2 + 1], 0.05);
}

// The message that a lost node has encoded does not exist, nor do its overflows.
TEST(VirtualFault, AMessageThatWasNeverSentCountsNoOverflows) {
  const SmallRun small("quantimed-dsgd", 4, "complete", "sparsifier:0.25");
  auto run = small.run();
  run.link = {};
  run.iterations = 6;
  run.options.alpha = 0;  // every message overflows alike: half of the start's coordinates
  run.options.epsilon = 0;
  const auto counted = [&](Round rounds, std::vector<Fault> faults) {
    run.iterations = rounds;
    run.faults = std::move(faults);
    return on("virtual", small, run).outcome.overflows;
  };
  const std::uint64_t each = counted(1, {}) / 4;
  ASSERT_GT(each, 0u);
  EXPECT_EQ(counted(6, {}), 24 * each);
  EXPECT_EQ(counted(6, {{.node = 2, .time = 2.5 * kRound_s}}), (24 - 3) * each);  // it sends in rounds 0, 1 and 2
}

TEST(ThreadsFault, QuantimedGoesOnWithoutACrashedNode) {
  const SmallRun small("quantimed-dsgd", 4, "ring");
  auto run = on_threads(small.run());
  run.patience_s = kPatience_s;
  run.faults = {{.node = 2, .time = 0.02}};
  const Shown shown = on("threads", small, run);
  EXPECT_EQ(shown.outcome.failure, "");
  ASSERT_EQ(shown.outcome.lost.size(), 1u);
  EXPECT_EQ(shown.outcome.lost[0].node, 2u);
  const Rounds rounds = shown.outcome.rounds.all();
  for (NodeId i = 0; i < 4; ++i) EXPECT_EQ(recorded(rounds, i), i == 2 ? shown.outcome.lost[0].round : run.iterations);
  EXPECT_EQ(shown.watcher.cuts.back().models.size(), 3u);
  EXPECT_GE(shown.outcome.end_time, kPatience_s);
}

// Two crashes on a ring leave two parts, which no message joins: both must end when time is up.
TEST(ThreadsFault, PartsThatAreCutOffEndInTime) {
  const SmallRun small("quantimed-dsgd", 6, "ring");
  auto run = on_threads(small.run());
  run.iterations = 1'000'000;
  run.max_time = 4 * kPatience_s;
  run.patience_s = kPatience_s;
  run.faults = {{.node = 0, .time = 0.05}, {.node = 3, .time = 0.1}};
  const Shown shown = on("threads", small, run);
  EXPECT_EQ(shown.outcome.failure, "");
  EXPECT_EQ(shown.outcome.lost.size(), 2u);
  EXPECT_EQ(shown.watcher.cuts.back().models.size(), 4u);
}

// Q-DSGD, whose numbers do not depend on time, but that goes on without lost nodes.
AlgorithmRow going_on(Task (*text)(Node&, const Options&)) {
  AlgorithmRow row = find_algorithm("q-dsgd");
  row.run = text;
  row.goes_on_without = true;
  return row;
}

Run run_of(const SmallRun& small, const AlgorithmRow& row) {
  Run run = small.run_with(row, *small.codec);
  run.link = {};
  run.iterations = 4;
  run.evaluations = 4;
  return run;
}

// Nodes 0 and 3 are lost, and the parts 1–2 and 4–5 know nothing of each other. When time is up they are in different
// rounds: no point of the curve is made of both.
class UnequalSpeeds final : public SpeedModel {
 public:
  double speed(NodeId node, Round) const override { return node < 3 ? 20 / 0.02 : 20 / 0.005; }
  double mean() const override { return 1000; }
};

TEST(ThreadsFault, PartsThatAreCutOffShareNoPointThatIsOfOneRoundOnly) {
  const SmallRun small("q-dsgd", 6, "ring");
  const AlgorithmRow row = going_on(kQDsgd.run);
  const UnequalSpeeds speeds;
  auto run = on_threads(run_of(small, row));
  run.speed = &speeds;
  run.iterations = 1'000'000;
  run.evaluations = 32;
  run.max_time = 1.5;
  run.patience_s = 0.2;
  run.faults = {{.node = 0, .time = 0}, {.node = 3, .time = 0}};
  const Shown shown = on("threads", small, run);
  ASSERT_EQ(shown.outcome.failure, "");
  const Rounds rounds = shown.outcome.rounds.all();
  const Round slow = recorded(rounds, 1), fast = recorded(rounds, 4);
  ASSERT_EQ(recorded(rounds, 2), slow);
  ASSERT_EQ(recorded(rounds, 5), fast);
  if (slow == fast) GTEST_SKIP() << "this machine was so busy that both parts came equally far";
  EXPECT_THAT(shown.outcome.verdict.why(), HasSubstr(fmt::format("after {} to {} rounds", slow, fast)));

  // The same rounds in virtual time, which holds all nodes at one.
  const auto& last = shown.watcher.cuts.back();
  EXPECT_LE(last.iteration, slow);
  EXPECT_EQ(last.iteration, std::floor(last.iteration));
  ASSERT_GT(last.iteration, 0);
  auto twin = run_of(small, row);
  twin.iterations = static_cast<Round>(last.iteration);
  twin.faults = run.faults;
  const Shown expected = on("virtual", small, twin);
  EXPECT_EQ(last.models, expected.watcher.cuts.back().models);
}

TEST(ThreadsFault, WhoWasAwayForTooLongLeaves) {
  const SmallRun small("quantimed-dsgd", 3, "complete");
  auto run = on_threads(small.run());
  run.iterations = 200;
  run.patience_s = kPatience_s;
  run.faults = {{.node = 1, .time = 0.01, .lasts = 3600}};
  const Shown shown = on("threads", small, run);
  ASSERT_EQ(shown.outcome.lost.size(), 1u);
  EXPECT_EQ(shown.outcome.lost[0].node, 1u);
  EXPECT_EQ(recorded(shown.outcome.rounds.all(), 0), run.iterations);
}

TEST(ThreadsFault, AShortStallIsWaitedFor) {
  for (const char* algorithm : {"quantimed-dsgd", "dsgd", "q-dsgd"}) {
    const SmallRun small(algorithm, 3, "complete");
    auto run = on_threads(small.run());
    run.patience_s = 100;
    run.faults = {{.node = 1, .time = 0, .lasts = 0.1}};
    const Shown shown = on("threads", small, run);
    EXPECT_EQ(shown.outcome.failure, "");
    EXPECT_TRUE(shown.outcome.lost.empty());
    EXPECT_GE(shown.outcome.rounds.all().record_time[1], 0.1f) << algorithm;
  }
}

// Whichever node comes first waits before its first round.
std::atomic<bool> somebody_is_late = false;

Task late_q_dsgd(Node& node, const Options& options) {
  if (!somebody_is_late.exchange(true)) std::this_thread::sleep_for(std::chrono::duration<Seconds>(3 * kPatience_s));
  return kQDsgd.run(node, options);
}

// All of its neighbours go on without it from round 0 on, or none does.
TEST(ThreadsFault, WhoIsLateForItsFirstRoundIsLostToAllOrToNone) {
  const SmallRun small("q-dsgd", 3, "complete");
  const AlgorithmRow late = going_on(late_q_dsgd), punctual = going_on(kQDsgd.run);
  auto run = on_threads(run_of(small, late));
  run.patience_s = kPatience_s;
  run.faults = {{.node = 0, .time = 3600}};  // strikes nobody: without any, nobody is given up
  somebody_is_late = false;
  const Shown shown = on("threads", small, run);
  ASSERT_EQ(shown.outcome.failure, "");

  auto twin = run_of(small, punctual);
  for (const LostNode& lost : shown.outcome.lost) twin.faults.push_back({.node = lost.node, .time = 0});
  const Shown expected = on("virtual", small, twin);
  EXPECT_EQ(shown.outcome.lost, expected.outcome.lost);
  ASSERT_EQ(shown.watcher.cuts.size(), expected.watcher.cuts.size());
  for (std::size_t k = 0; k < expected.watcher.cuts.size(); ++k)
    EXPECT_EQ(shown.watcher.cuts[k].models, expected.watcher.cuts[k].models) << "cut " << k;
}

TEST(ThreadsFault, TheWatchEndsARunThatWaitsForACrashedNode) {
  const SmallRun small("dsgd", 5, "ring");
  auto run = on_threads(small.run());
  run.iterations = 1'000'000;
  run.patience_s = 1.5;
  run.faults = {{.node = 3, .time = 0.05}};
  const Shown shown = on("threads", small, run);
  ASSERT_EQ(shown.outcome.lost.size(), 1u);
  EXPECT_THAT(shown.outcome.failure,
              testing::StartsWith(fmt::format("node 3 sent nothing of round {} for ", shown.outcome.lost[0].round)));
  EXPECT_THAT(shown.outcome.failure, HasSubstr("s; nodes 2, 4 wait for it; node "));  // and who waits for those two
  if (shown.outcome.lost[0].round > 0) {  // on a busy machine it may die before it has a model to show
    EXPECT_FALSE(shown.watcher.cuts.empty());
  }
  EXPECT_FALSE(shown.outcome.checkpoint);
}

TEST(ThreadsFault, AsynchronousNodesGoOn) {
  const SmallRun small("async-dsgd", 4, "ring");
  auto run = on_threads(small.run());
  run.iterations = 300;
  run.faults = {{.node = 2, .time = 0}};
  const Shown shown = on("threads", small, run);
  EXPECT_EQ(shown.outcome.failure, "");
  EXPECT_EQ(shown.outcome.lost, (std::vector<LostNode>{{2, 0}}));
  std::size_t updates = 0;
  for (NodeId i = 0; i < 4; ++i) updates += recorded(shown.outcome.rounds.all(), i);
  EXPECT_GE(updates, std::size_t{run.iterations} * 4);
  EXPECT_EQ(recorded(shown.outcome.rounds.all(), 2), 0u);
}

// A model of speeds that fails in the middle of a run: whatever a node's thread throws takes this way.
class FailingSpeeds final : public SpeedModel {
 public:
  explicit FailingSpeeds(double speed) : speed_(speed) {}
  double speed(NodeId node, Round round) const override {
    if (node == 1 && round == 7) throw std::runtime_error("no speed");
    return speed_;
  }
  double mean() const override { return speed_; }

 private:
  double speed_;
};

TEST(ThreadsFault, ANodeThatThrowsEndsTheRunAndTheTraceSaysSo) {
  for (const char* algorithm : {"quantimed-dsgd", "dsgd", "async-dsgd"}) {
    const SmallRun small(algorithm, 3, "complete");
    const FailingSpeeds speeds(1e9);
    auto run = on_threads(small.run());
    run.speed = &speeds;
    run.iterations = 100'000'000;
    const Shown shown = on("threads", small, run);
    EXPECT_EQ(shown.outcome.failure, "node 1 failed in round 7: no speed") << algorithm;
    EXPECT_EQ(recorded(shown.outcome.rounds.all(), 1), 7u);
    EXPECT_FALSE(shown.watcher.cuts.empty());
  }
}

TEST(VirtualFault, ANodeThatThrowsEndsTheRunOfOneAndOfTwoWorkers) {
  for (const char* algorithm : {"quantimed-dsgd", "dsgd", "async-dsgd"})
    for (const std::uint32_t threads : {1u, 2u}) {
      const SmallRun small(algorithm, 3, "complete");
      const FailingSpeeds speeds(50);
      auto run = small.run();
      run.speed = &speeds;
      run.threads = threads;
      run.iterations = 1000;
      const Shown shown = on("virtual", small, run);
      EXPECT_EQ(shown.outcome.failure, "node 1 failed in round 7: no speed") << algorithm;
      const auto rounds = shown.outcome.rounds.all();
      EXPECT_LE(recorded(rounds, 1), 7u);
      for (NodeId i = 0; i < rounds.nodes; ++i)  // of nodes that ran ahead only what the clock has passed
        for (Round k = 1; k < recorded(rounds, i); ++k)
          EXPECT_GT(rounds.start_time[k * rounds.nodes + i], rounds.start_time[(k - 1) * rounds.nodes + i])
              << algorithm << ", node " << i << ", iteration " << k;
      EXPECT_FALSE(shown.watcher.cuts.empty());
      EXPECT_FALSE(shown.outcome.checkpoint);
    }
}

// A code that cannot be read any more after some messages.
class FailingCodec final : public ForwardingCodec {
 public:
  using ForwardingCodec::ForwardingCodec;
  std::uint64_t accumulate(std::span<const std::byte> message, float weight, std::size_t first,
                           std::span<const float> own, std::span<float> acc) const override {
    if (++read_ > 50) throw std::runtime_error("no message");
    return ForwardingCodec::accumulate(message, weight, first, own, acc);
  }

 private:
  mutable std::atomic<int> read_ = 0;
};

// An exception that left a parallel region would end the program.
TEST(VirtualFault, WhatOneOfTwoWorkersThrowsEndsTheRunAndNotTheProgram) {
  for (const char* algorithm : {"quantimed-dsgd", "async-dsgd"})
    for (const std::uint32_t threads : {1u, 2u}) {
      const SmallRun small(algorithm, 3, "complete");
      const FailingCodec codec(*small.codec);
      auto run = small.run_with(small.row, codec);
      run.iterations = 1000;
      run.evaluations = 2;
      run.threads = threads;
      KeepingWatcher watcher = small.watcher();
      std::string said;
      try {
        said = run_virtual(run, watcher).failure;
      } catch (const std::runtime_error& error) {  // thrown by what several nodes' work was put together in
        said = error.what();
      }
      EXPECT_THAT(said, HasSubstr("no message")) << algorithm;
    }
}

}  // namespace
}  // namespace quantimed

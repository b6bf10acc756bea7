// SPDX-License-Identifier: BSD-3-Clause
// A run in real time, whatever its clock decided, is recomputed to the bit from its log; and a log that is not the
// run's is found out.
#include "engine/small_run.hpp"

#include "base/error.hpp"
#include "engine/replay/log_reader.hpp"
#include "engine/replay/replay.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <ostream>
#include <random>
#include <utility>
#include <vector>

namespace quantimed {
namespace {

// A run on threads, with what it leaves.
struct Recorded {
  std::vector<KeepingWatcher::Kept> cuts;
  Outcome outcome;
  Rounds rounds;
};

Run on_threads(const SmallRun& small, Round iterations) {
  auto run = small.run();
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  run.iterations = iterations;
  run.deadline = {.fixed_s = 3e-4, .slack_s = 1};
  return run;
}

Recorded record(const SmallRun& small, const Run& run) {
  KeepingWatcher watcher = small.watcher();
  Recorded recorded{.cuts = {}, .outcome = run_threads(run, watcher), .rounds = {}};
  recorded.cuts = std::move(watcher.cuts);
  recorded.rounds = recorded.outcome.rounds.all();
  EXPECT_EQ(recorded.outcome.failure, "");
  EXPECT_TRUE(recorded.outcome.recording.has_value());
  return recorded;
}

Replayed replay_of(const SmallRun& small, Run run, const Recording& recording, const Rounds& rounds,
                   std::uint32_t workers, KeepingWatcher* watcher = nullptr, std::span<const ReplayPoint> points = {}) {
  run.resume = nullptr;
  KeepingWatcher own = small.watcher();
  return replay(run, {.recording = recording, .rounds = rounds, .points = points, .workers = workers},
                watcher ? *watcher : own);
}

void expect_bit_exact(const SmallRun& small, const Run& run, const Recorded& recorded) {
  const Recording& recording = *recorded.outcome.recording;
  for (const std::uint32_t workers : {1u, 2u}) {
    const Replayed replayed = replay_of(small, run, recording, recorded.rounds, workers);
    if (replayed.difference)
      FAIL() << workers << " workers: node " << replayed.difference->node << ", iteration "
             << replayed.difference->iteration << ": " << replayed.difference->what;
    EXPECT_GT(replayed.models, run.network.nodes);  // of points and of the end
    EXPECT_EQ(replayed.models, recording.model_node.size());
    std::uint64_t iterations = 0;
    for (const Round each : recording.iterations) iterations += each;
    EXPECT_EQ(replayed.iterations, iterations);
  }
}

class EveryAlgorithmsRun : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Table, EveryAlgorithmsRun, testing::ValuesIn(all_algorithms()), kAlgorithmAsName);

TEST_P(EveryAlgorithmsRun, IsReplayedToTheBit) {
  const SmallRun small(GetParam());
  auto run = on_threads(small, 150);
  run.options.momentum = 0.5f;
  run.options.gamma = 0.5f;
  run.options.period = 3;
  expect_bit_exact(small, run, record(small, run));
  if (choose_other_form(small.row, run.options)) expect_bit_exact(small, run, record(small, run));
}

struct RealCase {
  const char* name;
  const char *algorithm, *codec;
  std::function<void(Run&)> change;
};
void PrintTo(const RealCase& c, std::ostream* out) { *out << c.name; }

class WhateverTheClockDecides : public testing::TestWithParam<RealCase> {};

TEST_P(WhateverTheClockDecides, IsReplayedToTheBit) {
  const auto& [name, algorithm, codec, change] = GetParam();
  const SmallRun small(algorithm, 4, "complete", codec);
  const auto slow = make_speed_model("uniform:20000,90000", 1);
  auto run = on_threads(small, 400);
  run.speed = slow.get();
  change(run);
  expect_bit_exact(small, run, record(small, run));
}

INSTANTIATE_TEST_SUITE_P(
    Replay, WhateverTheClockDecides,
    testing::Values(
        RealCase{"Stragglers", "async-dsgd", "exact", [](Run&) {}},
        RealCase{"Machine", "async-dsgd", "exact", [](Run& run) { run.speed = nullptr; }},
        RealCase{"Interference", "async-dsgd", "exact",
                 [](Run& run) { run.interference = parse_interference("1,0.3,0.002", 4); }},
        RealCase{"DelayedLink", "async-dsgd", "exact", [](Run& run) { run.link = parse_link("alpha-beta:0.002,1e9"); }},
        RealCase{"DroppedMessages", "async-dsgd", "exact",
                 [](Run& run) {
                   run.link = parse_link("alpha-beta:0.05,1e9");
                   run.options.batch = 1;
                   run.iterations = 1500;
                 }},
        RealCase{"AsyncDeadline", "async-dsgd", "exact",
                 [](Run& run) {
                   run.gradient_until_deadline = true;
                   run.deadline.adapts = true;
                   run.deadline.batch = 8;
                 }},
        RealCase{"Crash", "async-dsgd", "exact", [](Run& run) { run.faults = parse_faults("crash:2@0.02", 4); }},
        RealCase{"Stall", "async-dsgd", "exact", [](Run& run) { run.faults = parse_faults("stall:1@0.01,0.02", 4); }},
        RealCase{"Deadline", "quantimed-dsgd", "low-precision:1e-3", [](Run&) {}},
        RealCase{"MeasuredDeadline", "quantimed-dsgd", "low-precision:1e-3",
                 [](Run& run) {
                   run.deadline.fixed_s = 0;
                   run.deadline.batch = 8;
                   run.speed = nullptr;
                 }},
        RealCase{"AdaptedDeadline", "quantimed-dsgd", "qsgd:8",
                 [](Run& run) {
                   run.deadline.adapts = true;
                   run.deadline.batch = 8;
                 }},
        RealCase{"DeadlineFloat16", "quantimed-dsgd", "float16", [](Run& run) { run.speed = nullptr; }},
        RealCase{"DeadlineModulo", "quantimed-dsgd", "modulo:1e-3,14", [](Run&) {}},
        RealCase{"DeadlineCrash", "quantimed-dsgd", "low-precision:1e-3",
                 [](Run& run) {
                   run.faults = parse_faults("crash:3@0.03", 4);
                   run.patience_s = 0.05;
                 }},
        RealCase{"DsgdDeadline", "dsgd", "exact", [](Run& run) { run.gradient_until_deadline = true; }},
        RealCase{"ChocoTopK", "choco-sgd", "top-k:0.1", [](Run& run) { run.gradient_until_deadline = true; }},
        RealCase{"AnytimeMinibatch", "amb", "exact", [](Run&) {}},
        RealCase{"AsynchronousTracking", "r-fast", "exact", [](Run&) {}},
        RealCase{"AnytimeMinibatchWithADelay", "amb-dg", "exact", [](Run&) {}},
        RealCase{"PairsOfStragglers", "ad-psgd", "exact", [](Run&) {}},
        RealCase{"PairsOfInterference", "swarmsgd", "exact",
                 [](Run& run) { run.interference = parse_interference("1,0.3,0.002", 4); }},
        RealCase{"PairsOverALink", "ad-psgd", "exact", [](Run& run) { run.link = parse_link("alpha-beta:0.001,1e9"); }},
        RealCase{"PairsCrash", "ad-psgd", "exact", [](Run& run) { run.faults = parse_faults("crash:2@0.02", 4); }},
        RealCase{"PairsStall", "swarmsgd", "exact",
                 [](Run& run) { run.faults = parse_faults("stall:1@0.01,0.02", 4); }},
        RealCase{"PairsTimeLimit", "ad-psgd", "exact",
                 [](Run& run) {
                   run.iterations = 1'000'000;
                   run.max_time = 0.2;
                 }},
        RealCase{"TimeLimit", "async-dsgd", "exact",
                 [](Run& run) {
                   run.iterations = 1'000'000;
                   run.max_time = 0.2;
                 }}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Replay, OfASparseGraphAndALongRunKeepsFewMessages) {
  const SmallRun small("async-dsgd", 6, "ring");
  const auto run = on_threads(small, 2000);
  const Recorded recorded = record(small, run);
  const Replayed replayed = replay_of(small, run, *recorded.outcome.recording, recorded.rounds, 2);
  EXPECT_FALSE(replayed.difference.has_value());
  // Nodes that share cores run in turns of many iterations, so that is the machine's to say; but most are let go.
  EXPECT_LT(replayed.most_messages, replayed.iterations / 2);
}

// What the run's clock says that must be kept: a message with a reader, from the iteration that it was made in until
// its sender and its readers have sent their next ones. [messages] from when, until when.
std::vector<std::pair<Seconds, Seconds>> kept_by_the_clock(const Run& run, const Recorded& recorded) {
  const Recording& recording = *recorded.outcome.recording;
  const auto logs = logs_of(recording);
  const auto begins = [&](NodeId i, Round t) {
    return t < recording.iterations[i] ? recorded.rounds.start_time[std::size_t{t} * recorded.rounds.nodes + i]
                                       : kForever;
  };
  std::map<std::pair<NodeId, Round>, Seconds> last;  // of a message that is read: when it is let go of
  for (NodeId i = 0; i < logs.size(); ++i) {
    LogReader log(run, i, logs[i]);
    for (Round t = 0; t < recording.iterations[i]; ++t) {
      log.skip();
      for (std::size_t k = 0; k < log.last_reads().size(); ++k) {
        const NodeId j = run.network.neighbours(i)[k].id;
        const auto number = static_cast<Round>(log.last_reads()[k]);
        Seconds& until = last.try_emplace({j, number}, begins(j, number + 2)).first->second;
        until = std::max(until, begins(i, t + 2));
      }
    }
  }
  std::vector<std::pair<Seconds, Seconds>> kept;
  for (const auto& [message, until] : last)
    kept.emplace_back(message.second > 0 ? begins(message.first, message.second - 1) : 0, until);
  return kept;
}

// With one worker a node begins no iteration before all others have ended those that had ended when it began.
TEST(Replay, KeepsNoMessageThatIsNotStillToBeRead) {
  struct Case {
    const char *algorithm, *link;
  };
  for (const auto& [algorithm, link] : {Case{"async-dsgd", "none"}, Case{"async-dsgd", "alpha-beta:0.002,1e9"},
                                        Case{"swift", "alpha-beta:0.002,1e9"}}) {
    SCOPED_TRACE(fmt::format("{}, link {}", algorithm, link));
    const SmallRun small(algorithm, 4, "ring");
    auto run = on_threads(small, 6000);
    run.link = parse_link(link);
    const Recorded recorded = record(small, run);
    const auto kept = kept_by_the_clock(run, recorded);
    std::size_t most = 0;
    for (const auto& [from, until] : kept) {
      const auto is_kept = [at = from](const auto& other) { return other.first <= at && at <= other.second; };
      most = std::max(most, static_cast<std::size_t>(std::ranges::count_if(kept, is_kept)));
    }
    const Replayed replayed = replay_of(small, run, *recorded.outcome.recording, recorded.rounds, 1);
    EXPECT_FALSE(replayed.difference.has_value());
    EXPECT_GT(replayed.most_messages, 0u);
    EXPECT_LE(replayed.most_messages, most);
    EXPECT_LT(most, kept.size());  // so that there is something to let go of
  }
}

// With rounds nobody is further ahead than its neighbours' messages let it: of each channel three at most, and the one
// that is being sent.
TEST(Replay, KeepsFourMessagesOfAChannelWithRounds) {
  for (const char* algorithm : {"dsgd", "dsgt", "aug-dgm", "choco-sgd"}) {
    SCOPED_TRACE(algorithm);
    const SmallRun small(algorithm, 4, "ring");
    const auto run = on_threads(small, 300);
    const Recorded recorded = record(small, run);
    for (const std::uint32_t workers : {1u, 2u, 4u}) {
      const Replayed replayed = replay_of(small, run, *recorded.outcome.recording, recorded.rounds, workers);
      EXPECT_FALSE(replayed.difference.has_value());
      EXPECT_LE(replayed.most_messages, 4u * 4u * small.row.channels) << workers << " workers";
    }
  }
}

// A node that waits is run by another worker as soon as its message is there, while the one before still leaves it.
TEST(Replay, IsTheSameHoweverOftenAndWithMoreWorkersThanCores) {
  for (const char* algorithm : {"async-dsgd", "ad-psgd"}) {
    const SmallRun small(algorithm, 4, "complete");
    const auto run = on_threads(small, 500);
    const Recorded recorded = record(small, run);
    for (int repeat = 0; repeat < 40; ++repeat)
      ASSERT_FALSE(replay_of(small, run, *recorded.outcome.recording, recorded.rounds, 4).difference) << repeat;
  }
}

TEST(Replay, OfAScheduleIsBitExact) {
  for (const char* graph : {"one-peer-exponential", "random-matching", "directed-exponential"}) {
    SCOPED_TRACE(graph);
    const SmallRun small("sgp", 4, graph);
    const auto run = on_threads(small, 100);
    expect_bit_exact(small, run, record(small, run));
  }
}

// The points of a run's own curve are those that a replay shows for the same iterations.
TEST(Replay, ShowsTheModelsThatTheRunHad) {
  const SmallRun small("dsgd");
  const auto run = on_threads(small, 100);
  const Recorded recorded = record(small, run);
  const auto points = points_of(run, *recorded.outcome.recording, recorded.rounds, recorded.outcome.end_time, 10);
  ASSERT_EQ(points.size(), 11u);
  KeepingWatcher watcher = small.watcher();
  EXPECT_FALSE(replay_of(small, run, *recorded.outcome.recording, recorded.rounds, 2, &watcher, points).difference);
  ASSERT_EQ(watcher.cuts.size(), recorded.cuts.size());
  for (std::size_t k = 0; k < points.size(); ++k) {
    EXPECT_EQ(watcher.cuts[k].iteration, recorded.cuts[k].iteration);
    EXPECT_EQ(watcher.cuts[k].models, recorded.cuts[k].models);
  }
}

class Replays : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(WithoutRounds, Replays, testing::Values("async-dsgd", "swarmsgd"),
                         [](const auto& test) { return std::string(test.param).substr(0, 5); });

TEST_P(Replays, DrawAFinerCurve) {
  const SmallRun small(GetParam());
  auto run = on_threads(small, 500);
  const Recorded recorded = record(small, run);
  const auto points = points_of(run, *recorded.outcome.recording, recorded.rounds, recorded.outcome.end_time, 100);
  KeepingWatcher watcher = small.watcher();
  EXPECT_FALSE(replay_of(small, run, *recorded.outcome.recording, recorded.rounds, 2, &watcher, points).difference);
  ASSERT_EQ(watcher.cuts.size(), 101u);
  EXPECT_EQ(watcher.cuts.front().models, recorded.cuts.front().models);
  EXPECT_EQ(watcher.cuts.back().models, recorded.cuts.back().models);
  EXPECT_TRUE(std::ranges::is_sorted(watcher.cuts, {}, &KeepingWatcher::Kept::time));
}

// ---- curves of runs that copied no models ----------------------------------------------------------------

std::int64_t copies_of(const Outcome& outcome) {
  return static_cast<std::int64_t>(number(outcome.measured, "model_copies", -1));
}

struct Drawn {
  std::vector<KeepingWatcher::Kept> cuts;
  Outcome outcome;
  std::string why;
};

Drawn draw(const SmallRun& small, Run run, std::size_t most_cuts = ~std::size_t{0}) {
  run.copies_models = false;
  run.threads = 2;
  KeepingWatcher watcher = small.watcher();
  watcher.most_cuts = most_cuts;
  Drawn drawn{.cuts = {}, .outcome = run_threads(run, watcher), .why = {}};
  EXPECT_TRUE(watcher.cuts.empty());
  EXPECT_EQ(copies_of(drawn.outcome), 0);
  drawn.why = draw_by_replay(run, drawn.outcome, watcher);
  drawn.cuts = std::move(watcher.cuts);
  return drawn;
}

// Iterations and models; the clock's readings are each run's own.
void expect_same_curve(const std::vector<KeepingWatcher::Kept>& cuts, const std::vector<KeepingWatcher::Kept>& others) {
  ASSERT_EQ(cuts.size(), others.size());
  for (std::size_t k = 0; k < cuts.size(); ++k) {
    EXPECT_EQ(cuts[k].iteration, others[k].iteration);
    EXPECT_EQ(cuts[k].models, others[k].models) << "point " << k;
  }
}

TEST_P(EveryAlgorithmsRun, HasTheSameCurveWithoutCopiesOfItsModels) {
  const SmallRun small(GetParam());
  if (small.row.delivery != Delivery::round || small.row.uses_deadline) GTEST_SKIP() << "its bits are the clock's";
  const auto run = on_threads(small, 30);
  const Drawn drawn = draw(small, run);
  EXPECT_EQ(drawn.why, "");
  const Recorded live = record(small, run);
  EXPECT_EQ(copies_of(live.outcome), 4 * 11);  // of four nodes at 0, 3, …, 30
  expect_same_curve(drawn.cuts, live.cuts);
  auto modelled = run;
  modelled.speed = small.speed.get();
  modelled.link = parse_link("paper:3");
  KeepingWatcher in_virtual = small.watcher();
  run_virtual(modelled, in_virtual);
  expect_same_curve(drawn.cuts, in_virtual.cuts);
}

TEST(DrawnByReplay, ARunWithoutRoundsHasThePointsOfAReplay) {
  for (const char* algorithm : {"async-dsgd", "r-fast", "ad-psgd"}) {
    SCOPED_TRACE(algorithm);
    const SmallRun small(algorithm);
    auto run = on_threads(small, 400);
    const Drawn drawn = draw(small, run);
    EXPECT_EQ(drawn.why, "");
    const Rounds rounds = drawn.outcome.rounds.all();
    const auto points = points_of(run, *drawn.outcome.recording, rounds, drawn.outcome.end_time, run.evaluations);
    KeepingWatcher watcher = small.watcher();
    run.copies_models = false;
    EXPECT_FALSE(replay_of(small, run, *drawn.outcome.recording, rounds, 1, &watcher, points).difference);
    EXPECT_EQ(drawn.cuts, watcher.cuts);
    EXPECT_EQ(drawn.cuts.size(), run.evaluations + 1);
  }
}

// As it is when a run has diverged.
TEST(DrawnByReplay, EndsWhenTheWatcherHasSeenEnough) {
  for (const char* algorithm : {"dsgd", "async-dsgd", "ad-psgd"}) {
    SCOPED_TRACE(algorithm);
    const SmallRun small(algorithm);
    for (int repeat = 0; repeat < 10; ++repeat) {
      const Drawn drawn = draw(small, on_threads(small, 60), 3);
      EXPECT_EQ(drawn.why, "");
      EXPECT_EQ(drawn.cuts.size(), 3u);
    }
  }
}

// The signal that stopped the run does not stop its curve, of which the whole run's is a continuation.
TEST(DrawnByReplay, OfAStoppedRunGoesToItsCut) {
  for (const char* algorithm : {"dsgt", "async-dsgd", "swarmsgd"}) {
    SCOPED_TRACE(algorithm);
    const SmallRun small(algorithm);
    auto run = on_threads(small, 1'000'000);
    run.evaluations = 10'000;
    run.copies_models = false;
    run.threads = 2;
    KeepingWatcher watcher = small.watcher();
    watcher.stop_after = 2;
    Outcome first = run_threads(run, watcher);
    ASSERT_TRUE(first.interrupted && first.checkpoint && first.recording);
    ASSERT_EQ(draw_by_replay(run, first, watcher), "");
    ASSERT_GE(watcher.cuts.size(), 2u);
    EXPECT_EQ(watcher.cuts.front().iteration, 0);
    EXPECT_EQ(watcher.cuts.back().time, first.end_time);
    const bool has_rounds = small.row.delivery == Delivery::round;
    const std::size_t before_cut = watcher.cuts.size() - 1;
    for (std::size_t k = 0; has_rounds && k < before_cut; ++k)
      EXPECT_EQ(watcher.cuts[k].iteration, 100.0 * static_cast<double>(k));
    // It goes on, to an end that the resumed part has.
    Round done = 0;
    for (const Round each : first.recording->iterations) done = std::max(done, each);
    run.iterations = 100 * (done / 100 + 4);
    run.evaluations = run.iterations / 100;
    Resume resume{"a.h5", *first.checkpoint, first.rounds.all(), *first.recording};
    run.resume = &resume;
    KeepingWatcher again = small.watcher();
    const Outcome second = run_threads(run, again);
    EXPECT_EQ(copies_of(second), 0);
    ASSERT_EQ(draw_by_replay(run, second, again), "");
    EXPECT_EQ(again.cuts.front().models, watcher.cuts.front().models);
    for (std::size_t k = 0; has_rounds && k < before_cut; ++k) EXPECT_EQ(again.cuts[k].models, watcher.cuts[k].models);
    EXPECT_EQ(again.cuts.back().time, second.end_time);
  }
}

// Nodes of a run that broke off were in the middle of iterations, which depend on each other.
TEST(DrawnByReplay, OfARunThatBrokeOffGoesAsFarAsItsNodesCanBeReplayed) {
  for (const char* algorithm : {"dsgd", "async-dsgd", "ad-psgd"}) {
    SCOPED_TRACE(algorithm);
    const SmallRun small(algorithm);
    Drawn drawn = draw(small, on_threads(small, 200));
    drawn.outcome.failure = "somebody failed";
    for (NodeId i = 0; i < 4; ++i) {
      Round& iterations = drawn.outcome.recording->iterations[i];
      iterations -= std::min<Round>(i, iterations);
    }
    KeepingWatcher watcher = small.watcher();
    auto run = on_threads(small, 200);
    run.copies_models = false;
    EXPECT_EQ(draw_by_replay(run, drawn.outcome, watcher), "");
    ASSERT_FALSE(watcher.cuts.empty());
    EXPECT_EQ(watcher.cuts.front().models, drawn.cuts.front().models);
    if (small.row.delivery == Delivery::pairwise) {
      EXPECT_EQ(watcher.cuts.size(), 1u);
    }
    EXPECT_LT(watcher.cuts.back().time, drawn.outcome.end_time);
  }
}

TEST(DrawnByReplay, ALogOfOtherBitsIsToldAtItsPlace) {
  const SmallRun small("dsgt");
  Drawn drawn = draw(small, on_threads(small, 30));
  drawn.outcome.recording->log.back() ^= 0x55;  // of the state that the last node's last iteration came to
  KeepingWatcher watcher = small.watcher();
  auto run = on_threads(small, 30);
  run.copies_models = false;
  EXPECT_EQ(draw_by_replay(run, drawn.outcome, watcher), "differs first at node 3, iteration 29: its model");
}

// ---- logs that are not the run's ----------------------------------------------------------------------

// Where each iteration of a node begins, in the whole log.
std::vector<std::size_t> starts_of(const Run& run, const Recording& recording, NodeId node) {
  std::size_t first = 0;
  for (NodeId i = 0; i < node; ++i) first += static_cast<std::size_t>(recording.log_bytes[i]);
  LogReader log(run, node, logs_of(recording)[node]);
  std::vector<std::size_t> starts;
  for (Round t = 0; t < recording.iterations[node]; ++t) {
    starts.push_back(first + log.bytes_read());
    log.skip();
  }
  return starts;
}

// The place that is named: of a difference, or in the text of an error.
std::string place_of(const SmallRun& small, const Run& run, const Recording& recording, const Rounds& rounds) {
  try {
    const Replayed replayed = replay_of(small, run, recording, rounds, 2);
    if (!replayed.difference) return "none";
    return fmt::format("node {}, iteration {}:", replayed.difference->node, replayed.difference->iteration);
  } catch (const InputError& error) {
    const std::string text = error.what();
    const std::size_t at = text.find("node ");
    return at == std::string::npos ? text : text.substr(at, text.find(':', at) + 1 - at);
  }
}

// An entry is replaced by another one that the format allows: a message one iteration earlier or later, a chunk of
// another size, another check.
TEST(Replay, FindsAChangedEntryAtItsNodeAndIteration) {
  for (const char* algorithm : {"async-dsgd", "quantimed-dsgd"}) {
    SCOPED_TRACE(algorithm);
    const SmallRun small(algorithm, 4, "complete", "exact");
    const bool is_newest = small.row.delivery == Delivery::newest;
    const auto paced = make_speed_model("constant:20000", 1);
    auto run = on_threads(small, 100);
    run.speed = paced.get();
    const Recorded recorded = record(small, run);
    std::mt19937 random(7);
    std::size_t changed = 0;
    for (int mutation = 0; mutation < 100; ++mutation) {
      Recording recording = *recorded.outcome.recording;
      const auto node = static_cast<NodeId>(random() % 4);
      const auto starts = starts_of(run, recording, node);
      if (starts.size() < 2) continue;  // it had hardly a turn
      const auto t = static_cast<Round>(random() % (starts.size() - 1));
      std::uint8_t& entry = recording.log[starts[t]];  // a read, or a chunk
      if (is_newest ? entry >= 0x80 - 2 : entry == 0) continue;
      entry = static_cast<std::uint8_t>(is_newest ? entry + 2 : entry == 1 ? 2 : entry - 1);
      ++changed;
      const std::string place = place_of(small, run, recording, recorded.rounds);
      EXPECT_EQ(place, fmt::format("node {}, iteration {}:", node, t));
    }
    EXPECT_GT(changed, 50u);
  }
}

// A turn that is another's, or nobody's.
TEST(Replay, FindsAChangedTurn) {
  const SmallRun small("ad-psgd", 4, "complete");
  const auto run = on_threads(small, 400);
  const Recorded recorded = record(small, run);
  std::mt19937 random(7);
  std::size_t changed = 0;
  for (int mutation = 0; mutation < 100; ++mutation) {
    Recording recording = *recorded.outcome.recording;
    const auto node = static_cast<NodeId>(random() % 4);
    const auto starts = starts_of(run, recording, node);
    if (starts.empty()) continue;  // it had no turn
    ++changed;
    std::uint8_t& entry = recording.log[starts[random() % starts.size()]];  // of the first pass
    entry = static_cast<std::uint8_t>(entry < 4 || random() % 2 ? (entry + 4) & 0x7f : entry - 4);
    EXPECT_NE(place_of(small, run, recording, recorded.rounds), "none");
  }
  EXPECT_GT(changed, 0u);
}

TEST_P(Replays, RefuseALogThatIsCutOrForged) {
  const SmallRun small(GetParam(), 4, "ring");
  const auto run = on_threads(small, 60);
  const Recorded recorded = record(small, run);
  const Recording& whole = *recorded.outcome.recording;
  std::mt19937 random(3);
  std::size_t refused = 0;
  for (int repeat = 0; repeat < 100; ++repeat) {
    Recording recording = whole;
    if (repeat % 2 == 0) {  // the last log ends early; a node that had no turn has none
      std::int64_t& last = *std::ranges::find_if(recording.log_bytes.rbegin(), recording.log_bytes.rend(),
                                                 [](std::int64_t bytes) { return bytes > 0; });
      const auto cut = static_cast<std::int64_t>(1 + random() % static_cast<std::size_t>(last));
      last -= cut;
      recording.log.resize(recording.log.size() - static_cast<std::size_t>(cut));
    } else {  // anything
      for (std::uint8_t& byte : recording.log) byte = static_cast<std::uint8_t>(random());
    }
    refused += place_of(small, run, recording, recorded.rounds) != "none";
  }
  EXPECT_EQ(refused, 100u);
}

TEST(Replay, OfNodesThatWaitForEachOtherIsRefused) {
  const SmallRun small("async-dsgd", 2, "complete");
  const auto run = on_threads(small, 3);
  Recorded recorded = record(small, run);
  Recording& recording = *recorded.outcome.recording;
  ASSERT_EQ(recording.iterations.size(), 2u);
  for (std::uint32_t& iterations : recording.iterations) iterations = 2;
  recording = {.log = {2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0},  // both read of iteration 1 in iteration 0
               .log_bytes = {6, 6},
               .iterations = {2, 2},
               .model_node = {},
               .model_iteration = {},
               .model_turn = {},
               .model_fingerprint = {}};
  EXPECT_THAT([&] { replay_of(small, run, recording, recorded.rounds, 2); },
              testing::ThrowsMessage<InputError>(testing::AllOf(testing::ContainsRegex("node [01], iteration 0"),
                                                                testing::HasSubstr("waits for it in turn"))));
}

// ---- runs that go on ----------------------------------------------------------------------------------

TEST(Replay, GoesOverTheCutOfAStoppedRun) {
  for (const char* algorithm : {"async-dsgd", "swift", "r-fast", "quantimed-dsgd", "amb-dg", "dsgt", "ad-psgd"}) {
    SCOPED_TRACE(algorithm);
    const SmallRun small(algorithm);
    auto run = on_threads(small, 100'000);
    KeepingWatcher watcher = small.watcher();
    watcher.stop_after = 2;
    Outcome first = run_threads(run, watcher);
    ASSERT_TRUE(first.checkpoint && first.recording);
    const auto mean = [](const std::vector<Round>& counts) {
      std::uint64_t sum = 0;
      for (const Round each : counts) sum += each;
      return static_cast<Round>(sum / counts.size());
    };
    run.iterations = mean(first.recording->iterations) + 200;
    Resume resume{"a.h5", *first.checkpoint, first.rounds.all(), *first.recording};
    run.resume = &resume;
    const Recorded second = record(small, run);
    ASSERT_GT(mean(second.outcome.recording->iterations), mean(first.recording->iterations));
    expect_bit_exact(small, run, second);
  }
}

// What a killed run has written: logs that were taken one after the other.
TEST(Replay, EndsWhereAllNodesHaveSentWhatWasRead) {
  const SmallRun small("async-dsgd", 4, "complete");
  const auto run = on_threads(small, 300);
  const Recorded recorded = record(small, run);
  std::mt19937 random(11);
  for (int repeat = 0; repeat < 50; ++repeat) {
    Recording left = *recorded.outcome.recording;
    for (std::uint32_t& iterations : left.iterations) iterations = static_cast<Round>(random() % (iterations + 1));
    const std::vector<Round> cut = latest_cut(run, left);
    for (std::size_t i = 0; i < cut.size(); ++i) EXPECT_LE(cut[i], left.iterations[i]);
    const Recording whole = cut_at(run, *recorded.outcome.recording, cut);
    EXPECT_FALSE(replay_of(small, run, whole, recorded.rounds, 1).difference.has_value());
  }
}

TEST(Replay, IsStoppedWhenTheWatcherAsks) {
  const SmallRun small("dsgd");
  const auto run = on_threads(small, 2000);
  const Recorded recorded = record(small, run);
  KeepingWatcher watcher = small.watcher();
  watcher.stop = true;
  const Replayed replayed = replay_of(small, run, *recorded.outcome.recording, recorded.rounds, 1, &watcher);
  EXPECT_TRUE(replayed.interrupted || replayed.iterations == 4u * 2000u);
}

TEST(Replay, NoRecordKeepsNoLog) {
  const SmallRun small("dsgd");
  auto run = on_threads(small, 20);
  run.keeps_log = false;
  KeepingWatcher watcher = small.watcher();
  EXPECT_FALSE(run_threads(run, watcher).recording.has_value());
}

}  // namespace
}  // namespace quantimed

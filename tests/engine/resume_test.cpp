// SPDX-License-Identifier: BSD-3-Clause
// A virtual run that is stopped, at whatever moment and however often, and goes on, gives the bits of one that is not.
#include "engine/small_run.hpp"

#include "base/error.hpp"
#include "engine/resumption.hpp"
#include "trace/columns.hpp"
#include "trace/same.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <random>

namespace quantimed {
namespace {

// What a whole run shows and leaves, over all its parts.
struct Whole {
  std::vector<KeepingWatcher::Kept> cuts;
  Outcome outcome;
  std::size_t stops = 0;
};

Whole unstopped(const SmallRun& small, const Run& run) {
  KeepingWatcher watcher = small.watcher();
  Whole whole{.cuts = {}, .outcome = run_virtual(run, watcher)};
  whole.cuts = std::move(watcher.cuts);
  return whole;
}

// Stops after each of these numbers of questions in turn, then never again.
Whole stopped(const SmallRun& small, Run run, const std::vector<std::size_t>& moments) {
  Whole whole;
  for (std::size_t part = 0;; ++part) {
    KeepingWatcher watcher = small.watcher();
    if (part < moments.size()) watcher.stop_after = moments[part];
    run.threads = 1 + part % 2;  // the number of workers changes no bit
    const Outcome before = std::move(whole.outcome);
    std::optional<Resume> resume;
    if (before.checkpoint) resume.emplace(Resume{"a.h5", *before.checkpoint, before.rounds.all()});
    run.resume = resume ? &*resume : nullptr;
    whole.outcome = run_virtual(run, watcher);
    whole.cuts.insert(whole.cuts.end(), watcher.cuts.begin(), watcher.cuts.end());
    EXPECT_EQ(whole.outcome.checkpoint.has_value(), whole.outcome.interrupted);
    if (!whole.outcome.interrupted) return whole;
    ++whole.stops;
  }
}

void expect_same_whole(const Whole& a, const Whole& b) {
  ASSERT_EQ(a.cuts.size(), b.cuts.size());
  for (std::size_t k = 0; k < a.cuts.size(); ++k) {
    EXPECT_EQ(a.cuts[k].iteration, b.cuts[k].iteration) << k;
    EXPECT_EQ(a.cuts[k].time, b.cuts[k].time) << k;
    EXPECT_EQ(a.cuts[k].time_paper_bits, b.cuts[k].time_paper_bits) << k;
    EXPECT_EQ(a.cuts[k].time_wire_bits, b.cuts[k].time_wire_bits) << k;
    EXPECT_EQ(a.cuts[k].models, b.cuts[k].models) << k;
  }
  EXPECT_EQ(a.outcome.end_time, b.outcome.end_time);
  EXPECT_EQ(a.outcome.end_time_paper_bits, b.outcome.end_time_paper_bits);
  EXPECT_EQ(a.outcome.end_time_wire_bits, b.outcome.end_time_wire_bits);
  EXPECT_EQ(a.outcome.overflows, b.outcome.overflows);
  EXPECT_EQ(a.outcome.violations, b.outcome.violations);
  EXPECT_EQ(a.outcome.rounds.all().iterations, b.outcome.rounds.all().iterations);
  expect_same_columns(columns::kRounds, a.outcome.rounds.all(), b.outcome.rounds.all());
}

struct Case {
  const char* name;
  const char *algorithm, *codec;
  std::function<void(Run&)> change;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

void expect_resumable(const SmallRun& small, const Run& run, int repeats) {
  const Whole whole = unstopped(small, run);
  ASSERT_GT(whole.outcome.rounds.all().iterations, 0u);
  std::mt19937 random(5);
  std::size_t stops = 0;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    // Questions are asked every few rounds, or at every update.
    const std::size_t most = run.algorithm.delivery == Delivery::round ? 8 : 100;
    std::vector<std::size_t> moments;
    for (int k = 0; k <= repeat % 4; ++k) moments.push_back(random() % (k == 0 ? most : most / 2));
    SCOPED_TRACE(testing::PrintToString(moments));
    const Whole parts = stopped(small, run, moments);
    stops += parts.stops;
    expect_same_whole(whole, parts);
  }
  EXPECT_GE(stops, static_cast<std::size_t>(repeats));
}

class Resumed : public testing::TestWithParam<Case> {};

TEST_P(Resumed, GivesTheBitsOfARunThatWasNeverStopped) {
  const auto& [name, algorithm, codec, change] = GetParam();
  const SmallRun small(algorithm, 6, "erdos-renyi:0.5", codec);
  auto run = small.run();
  run.iterations = 23;
  run.evaluations = 7;
  change(run);
  expect_resumable(small, run, 8);
}

// Whatever it keeps beside its model: vectors, wide sums, numbers, counts of messages.
TEST(Resume, GivesTheSameBitsForEveryAlgorithm) {
  for (const AlgorithmRow& row : algorithm_table()) {
    SCOPED_TRACE(row.name);
    const SmallRun small(row.name, 6, "erdos-renyi:0.5", "low-precision:1e-3");
    auto run = small.run();
    run.options.momentum = 0.5f;
    run.options.gamma = 0.5f;
    run.options.period = 3;
    run.iterations = 23;
    run.evaluations = 7;
    expect_resumable(small, run, 4);
    if (choose_other_form(row, run.options)) expect_resumable(small, run, 4);
  }
}

const auto kNothing = [](Run&) {};
INSTANTIATE_TEST_SUITE_P(
    All, Resumed,
    testing::Values(
        Case{"quantimed", "quantimed-dsgd", "low-precision:1e-3", kNothing}, Case{"dsgd", "dsgd", "exact", kNothing},
        Case{"async", "async-dsgd", "exact", kNothing}, Case{"q_dsgd", "q-dsgd", "low-precision:1e-3", kNothing},
        Case{"qsgd", "q-dsgd", "qsgd:16", kNothing}, Case{"modulo", "quantimed-dsgd", "modulo:1e-3,9", kNothing},
        Case{"wrong_codes", "q-dsgd", "modulo:1e-3,3", kNothing},       // violations are counted once
        Case{"clamped", "quantimed-dsgd", "sparsifier:0.5", kNothing},  // and so are overflows
        Case{"neighbourhood", "dsgd", "exact", [](auto& run) { run.sync = Sync::neighbourhood; }},
        Case{"wire_bits", "q-dsgd", "low-precision:1e-3", [](auto& run) { run.charge_wire_bits = true; }},
        Case{"wire_bits_delayed", "q-dsgd", "low-precision:1e-3",
             [](auto& run) {
               run.charge_wire_bits = true;
               run.link = parse_link("alpha-beta:0.7,50");
             }},
        Case{"async_wire_bits", "async-dsgd", "exact", [](auto& run) { run.charge_wire_bits = true; }},
        Case{"adaptive", "quantimed-dsgd", "low-precision:1e-3",
             [](auto& run) { run.deadline = {.fixed_s = 0.4, .batch = 20, .quantile = 0.7, .adapts = true}; }},
        Case{"adaptive_mean", "quantimed-dsgd", "exact",
             [](auto& run) {
               run.deadline = {.fixed_s = 0.4, .batch = 20, .adapts = true};
               run.iterations = 60;  // the rings of speeds are full
             }},
        Case{"delayed", "dsgd", "exact", [](auto& run) { run.link = parse_link("alpha-beta:0.7,5000"); }},
        Case{"async_delayed", "async-dsgd", "exact",
             [](auto& run) { run.link = parse_link("alpha-beta:1.7,5000"); }},  // several messages on their way
        Case{"async_free_link", "async-dsgd", "exact", [](auto& run) { run.link = parse_link("none"); }},
        Case{"max_time", "dsgd", "exact", [](auto& run) { run.max_time = 40; }},
        Case{"async_max_time", "async-dsgd", "exact", [](auto& run) { run.max_time = 80; }}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Resume, APeriodicCheckpointServesAsWell) {
  for (const char* algorithm : {"quantimed-dsgd", "async-dsgd"}) {
    const SmallRun small(algorithm, 5, "ring");
    auto run = small.run();
    const Whole whole = unstopped(small, run);
    KeepingWatcher killed = small.watcher();
    killed.checkpoint_always = true;
    killed.most_cuts = 6;
    run_virtual(run, killed);
    ASSERT_TRUE(killed.last_state);
    Resume resume{"a.h5.partial", *killed.last_state, killed.checkpoints.back()};
    run.resume = &resume;
    KeepingWatcher rest = small.watcher();
    Whole parts{.cuts = {killed.cuts.begin(), killed.cuts.begin() + killed.cuts_at_last},
                .outcome = run_virtual(run, rest)};
    parts.cuts.insert(parts.cuts.end(), rest.cuts.begin(), rest.cuts.end());
    expect_same_whole(whole, parts);
  }
}

// As version 0.1.0 wrote them: they keep one clock. The run goes on with that one.
TEST(Resume, ACheckpointWithOneClockGoesOnWithOne) {
  const SmallRun small("q-dsgd");
  auto run = small.run();
  KeepingWatcher watcher = small.watcher();
  watcher.stop_after = 2;
  Outcome before = run_virtual(run, watcher);
  ASSERT_TRUE(before.checkpoint);
  EXPECT_EQ(before.checkpoint->start_time_other_bits.size(), 4u);
  before.checkpoint->start_time_other_bits.clear();
  const Whole whole = unstopped(small, run);
  Resume resume{"a.h5", *before.checkpoint, before.rounds.all()};
  run.resume = &resume;
  KeepingWatcher rest = small.watcher();
  const Outcome after = run_virtual(run, rest);
  EXPECT_EQ(after.end_time, whole.outcome.end_time);
  EXPECT_EQ(after.end_time_paper_bits, whole.outcome.end_time);
  EXPECT_FALSE(after.end_time_wire_bits);
  for (const auto& cut : rest.cuts) {
    EXPECT_EQ(cut.time_paper_bits, cut.time);
    EXPECT_FALSE(cut.time_wire_bits);
  }
}

TEST(Resume, ACheckpointThatDoesNotFitIsRefused) {
  const struct {
    const char *name, *algorithm;
    void (*spoil)(Checkpoint&);
  } cases[] = {
      {"models", "dsgd", [](Checkpoint& c) { c.models.pop_back(); }},
      {"iteration", "dsgd", [](Checkpoint& c) { c.iteration[2] += 1; }},
      {"rounds", "dsgd", [](Checkpoint& c) { std::ranges::fill(c.iteration, 7u); }},
      {"start", "dsgd", [](Checkpoint& c) { c.start_time[0] = std::nan(""); }},
      {"speed", "quantimed-dsgd", [](Checkpoint& c) { c.speed.clear(); }},
      {"speeds", "quantimed-dsgd", [](Checkpoint& c) { c.seen_speeds.pop_back(); }},
      {"events", "async-dsgd", [](Checkpoint& c) { c.event_time.clear(); }},
      {"event", "async-dsgd", [](Checkpoint& c) { c.event_time[1] = -1; }},
      {"unseen", "async-dsgd", [](Checkpoint& c) { c.next_unseen.pop_back(); }},
      {"silent", "async-dsgd", [](Checkpoint& c) { std::ranges::fill(c.message_node, 0u); }},
      {"short", "async-dsgd", [](Checkpoint& c) { c.message_bytes[0] -= 4; }},
  };
  for (const auto& c : cases) {
    const SmallRun small(c.algorithm);
    auto run = small.run();
    run.deadline.adapts = true;
    run.deadline.batch = 20;
    KeepingWatcher watcher = small.watcher();
    watcher.stop_after = 2;
    Outcome outcome = run_virtual(run, watcher);
    ASSERT_TRUE(outcome.checkpoint);
    c.spoil(*outcome.checkpoint);
    Resume resume{"a.h5", *outcome.checkpoint, outcome.rounds.all()};
    run.resume = &resume;
    KeepingWatcher rest = small.watcher();
    EXPECT_THROW(run_virtual(run, rest), InputError) << c.name;
  }
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What algorithms have in common, and what they promise: special cases that are other algorithms bit for bit, and
// states that sum to zero over the nodes.
#include "engine/small_run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace quantimed {
namespace {

using Change = std::function<void(Options&)>;

struct Same {
  const char* name;
  const char* algorithm;
  Change change;
  const char* other;
  const char* graph = "ring";
};
void PrintTo(const Same& same, std::ostream* out) { *out << same.name; }

std::vector<KeepingWatcher::Kept> cuts_of(const char* algorithm, const Change& change, const char* graph) {
  const SmallRun small(algorithm, 6, graph);
  auto run = small.run();
  change(run.options);
  KeepingWatcher watcher = small.watcher();
  EXPECT_EQ(run_virtual(run, watcher).failure, "");
  return watcher.cuts;
}

class SpecialCase : public testing::TestWithParam<Same> {};

TEST_P(SpecialCase, IsTheOtherAlgorithmBitForBit) {
  const auto& [name, algorithm, change, other, graph] = GetParam();
  const auto one = cuts_of(algorithm, change, graph);
  const auto two = cuts_of(other, change, graph);
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t k = 0; k < one.size(); ++k) EXPECT_EQ(one[k].models, two[k].models) << k;
  EXPECT_NE(one.front().models, one.back().models);
}

INSTANTIATE_TEST_SUITE_P(
    Field, SpecialCase,
    testing::Values(Same{"quasi_global_without_momentum", "qg-dsgdm", [](Options& o) { o.momentum = 0; }, "dsgd-atc"},
                    Same{"one_local_step", "local-dsgd", [](Options& o) { o.local_steps = 1; }, "dsgd-atc"},
                    Same{"nesterov_without_momentum", "dsgd-atc", [](Options& o) { o.nesterov = true; }, "dsgd-atc"},
                    Same{"nesterov_quasi_global_without_momentum", "qg-dsgdm",
                         [](Options& o) {
                           o.momentum = 0;
                           o.nesterov = true;
                         },
                         "dsgd-atc"},
                    Same{"no_period_ends", "gossip-pga", [](Options& o) { o.period = 1000; }, "dsgd-atc"},
                    Same{"every_period_is_one", "gossip-pga", [](Options& o) { o.period = 1; }, "allreduce-sgd"},
                    Same{"one_local_step_each", "local-sgd", [](Options& o) { o.local_steps = 1; }, "allreduce-sgd"},
                    Same{"motef_without_momentum", "motef", [](Options& o) { o.momentum = 0; }, "beer"}),
    [](const auto& test) { return std::string(test.param.name); });

// Whether a gradient ends at a deadline is orthogonal to what is sent.
TEST(GradientRule, QDsgdUntilADeadlineIsQuanTimedDsgd) {
  const SmallRun q("q-dsgd", 6), timed("quantimed-dsgd", 6);
  auto with_deadline = q.run();
  with_deadline.gradient_until_deadline = true;
  KeepingWatcher one = q.watcher(), two = timed.watcher();
  const Outcome first = run_virtual(with_deadline, one), second = run_virtual(timed.run(), two);
  EXPECT_EQ(one.cuts, two.cuts);
  EXPECT_EQ(first.rounds.all().batch, second.rounds.all().batch);
  EXPECT_EQ(first.rounds.all().deadline, second.rounds.all().deadline);
}

TEST(GradientRule, EveryAlgorithmWithOneGradientCanStopAtADeadline) {
  for (const AlgorithmRow& row : algorithm_table()) {
    if (row.delivery != Delivery::round || row.gradients({}) > 1) continue;
    SCOPED_TRACE(row.name);
    const SmallRun small(row.name, 5);
    auto run = small.run();
    run.gradient_until_deadline = true;
    KeepingWatcher watcher = small.watcher();
    const Outcome outcome = run_virtual(run, watcher);
    ASSERT_EQ(outcome.failure, "");
    for (const float deadline : outcome.rounds.all().deadline) EXPECT_FLOAT_EQ(deadline, 0.4f);
  }
}

// Σ over the nodes of each state of this name, against the state's own size.
double sum_against_size(const AlgorithmRow& row, const Checkpoint& c, std::size_t nodes, std::size_t p,
                        std::string_view name) {
  std::size_t floats = 0, doubles = 0, at = 0;
  bool is_wide = false;
  for (const StateRow& state : row.states) {
    if (state.kind == StateRow::Kind::scratch) continue;
    std::size_t& count = state.kind == StateRow::Kind::wide ? doubles : floats;
    if (state.name == name) at = count, is_wide = state.kind == StateRow::Kind::wide;
    ++count;
  }
  double sums = 0, size = 0;
  for (std::size_t k = 0; k < p; ++k) {
    double sum = 0;
    for (std::size_t i = 0; i < nodes; ++i) {
      const double value = is_wide ? c.wide_states[(i * doubles + at) * p + k]
                                   : static_cast<double>(c.states[(i * floats + at) * p + k]);
      sum += value;
      size += value * value;
    }
    sums += sum * sum;
  }
  return std::sqrt(sums / size);
}

struct ZeroSum {
  const char *algorithm, *state;
};
TEST(Invariant, StatesThatSumToZeroDoSoHoweverLongTheRun) {
  for (const auto& [algorithm, state] :
       {ZeroSum{"d2", "r"}, ZeroSum{"exact-diffusion", "r"}, ZeroSum{"extra", "u"}, ZeroSum{"dsgt", "c"},
        ZeroSum{"dsgt-atc", "c"}, ZeroSum{"choco-sgd", "d"}, ZeroSum{"lead", "r"}, ZeroSum{"lead", "d"},
        ZeroSum{"beer", "dh"}, ZeroSum{"beer", "dk"}, ZeroSum{"beer", "c"}, ZeroSum{"motef", "c"}}) {
    SCOPED_TRACE(std::string(algorithm) + " " + state);
    const SmallRun small(algorithm, 6);
    auto run = small.run();
    run.options.alpha = 0.02f;
    run.options.gamma = 0.5f;
    run.iterations = 3000;
    run.evaluations = 100;
    KeepingWatcher watcher = small.watcher();
    watcher.stop_after = 90;
    const Outcome outcome = run_virtual(run, watcher);
    ASSERT_TRUE(outcome.checkpoint.has_value());
    EXPECT_LT(sum_against_size(small.row, *outcome.checkpoint, 6, small.problem->dimension(), state), 1e-4);
  }
}

// Every point of the curve tells how far the sums are off; nothing where nothing is promised.
TEST(Invariant, SumsAreLookedAtWhereverTheCurveIs) {
  for (const AlgorithmRow& row : algorithm_table()) {
    SCOPED_TRACE(row.name);
    const bool keeps = row.weights == Weights::push || std::ranges::any_of(row.states, &StateRow::sums_to_zero);
    const SmallRun small(row.name, 6);
    auto run = small.run();
    run.options.alpha = 0.02f;
    run.options.gamma = 0.5f;
    run.iterations = 40;
    run.evaluations = 8;
    KeepingWatcher watcher = small.watcher();
    const Outcome outcome = run_virtual(run, watcher);
    ASSERT_EQ(outcome.failure, "");
    ASSERT_GE(watcher.sum_errors.size(), 8u);
    for (const std::optional<double>& error : watcher.sum_errors) {
      ASSERT_EQ(error.has_value(), keeps);
      if (error) {
        EXPECT_LT(*error, 1e-5);
      }
    }
  }
}

}  // namespace
}  // namespace quantimed

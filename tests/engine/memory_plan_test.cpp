// SPDX-License-Identifier: BSD-3-Clause
// The memory that a run asks for is what it takes.
#include "engine/memory_plan.hpp"

#include "base/error.hpp"
#include "engine/model_arena.hpp"
#include "engine/small_run.hpp"
#include "machine/allocation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>

namespace quantimed {
namespace {

using testing::HasSubstr;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCountsMalloc = false;
#else
constexpr bool kCountsMalloc = true;
#endif

double allocated() {
  const auto info = ::mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
}

// Looks at the allocator while the engine has all that it needs.
class MemoryWatcher final : public Watcher {
 public:
  bool observe(const Cut&) override {
    most = std::max(most, allocated());
    return true;
  }
  bool wants_to_stop() override { return false; }
  void progress(double) override {}
  void checkpoint(const RoundsSource&, std::optional<Checkpoint> state) override {
    if (state) most = std::max(most, allocated());
  }
  bool checkpoint_due() override { return true; }
  double most = 0;
};

// A model that is large beside everything else.
struct LargeRun : SmallRun {
  explicit LargeRun(const std::string& algorithm, const std::string& codec_text = "exact")
      : SmallRun(algorithm, 6, "complete", codec_text) {
    problem =
        make_problem({.model = "mlp:6000", .activation = "sigmoid", .loss = "", .initial_half_widths = {0.1}}, data);
  }
  Run run() const {
    Run run = run_with(row, *codec);
    run.iterations = 4;
    run.evaluations = 2;
    run.options.batch = 1;
    run.options.alpha = 1e-6f;
    run.threads = 1;
    return run;
  }
};

double taken(const Run& run) {
  MemoryWatcher watcher;
  const double before = allocated();
  run_virtual(run, watcher);
  // The arena is not malloc's.
  return watcher.most - before + static_cast<double>(ModelArena::bytes_of(run.network.nodes, run.problem.dimension()));
}

void expect_planned(const Run& run, double models_each) {
  const double planned = plan_virtual(run).total(), is = taken(run);
  const double model = 4.0 * static_cast<double>(run.problem.dimension());
  EXPECT_LE(is, planned * 1.01) << "takes more than it asks for";
  EXPECT_GE(is, planned * 0.85) << "asks for more than it takes";
  EXPECT_GE(planned, models_each * run.network.nodes * model);
}

TEST(MemoryPlan, IsWhatARoundRunTakes) {
  if (!kCountsMalloc) GTEST_SKIP() << "the sanitizer's allocator does not count";
  const LargeRun exact("dsgd"), coded("q-dsgd", "qsgd:16");
  expect_planned(exact.run(), 4);  // a model, two slots of its outbox, and the checkpoint's copy
  expect_planned(coded.run(), 2);
}

TEST(MemoryPlan, IsWhatAnAsynchronousRunTakes) {
  if (!kCountsMalloc) GTEST_SKIP() << "the sanitizer's allocator does not count";
  const LargeRun large("async-dsgd");
  auto run = large.run();
  expect_planned(run, 5);
  const auto speed = make_speed_model("constant:1", 1);
  run.speed = speed.get();
  run.charge_wire_bits = true;
  run.link = parse_link("alpha-beta:5.5,1e12");  // five to six messages under way
  run.iterations = 15;
  expect_planned(run, 16);
}

TEST(MemoryPlan, KnowsHowManyMessagesCanBeUnderWay) {
  const SmallRun small("async-dsgd");
  auto run = small.run();
  EXPECT_EQ(most_messages(run), 2u);
  run.link = parse_link("alpha-beta:1,1e12");
  run.options.batch = 90;  // at most 90 samples a second
  EXPECT_EQ(most_messages(run), 1u + 2);
  run.options.batch = 9;
  EXPECT_EQ(most_messages(run), 1u + 11);
  run.link = parse_link("alpha-beta:1000,1e9");
  EXPECT_EQ(most_messages(run), 1 + LinkModel::kMostInFlight);
}

// A sender that outruns its link drops beyond as many messages as the threads engine has buffers for, and says so.
TEST(MemoryPlan, OutboxesDoNotGrowWithoutEnd) {
  const SmallRun small("async-dsgd", 3, "complete");
  const auto speed = make_speed_model("constant:20", 1);  // an iteration takes 1 s
  auto run = small.run();
  run.speed = speed.get();
  run.iterations = 200;
  run.link = parse_link("alpha-beta:1000,1e9");
  KeepingWatcher watcher = small.watcher();
  const Outcome dropped = run_virtual(run, watcher);
  // Nothing arrives in 200 s: 64 are under way, and all later ones find the link full.
  EXPECT_EQ(number(dropped.measured, "dropped_messages", 0), 3 * (200 - 64));
  EXPECT_THAT(dropped.verdict.text(), HasSubstr("INVALID: 408 messages found the link full and were dropped"));
  run.link = parse_link("alpha-beta:63.5,1e9");
  const Outcome none = run_virtual(run, watcher);
  EXPECT_EQ(number(none.measured, "dropped_messages", -1), 0);
  EXPECT_TRUE(none.verdict.is_valid()) << none.verdict.text();
}

TEST(MemoryPlan, WhatIsNotThereIsRefusedBeforeItIsTaken) {
  const LargeRun large("dsgd");
  const auto run = large.run();
  try {
    require_memory(run, {.models = 1e18});
    ADD_FAILURE();
  } catch (const MachineRefused& refused) {
    EXPECT_THAT(refused.what(),
                HasSubstr("--nodes 6: needs 931322574.6 GiB (models 931322574.6 GiB, messages 0.0 MiB, "));
  }
  EXPECT_THROW(require_memory(run, plan_virtual(run), usable_memory_bytes()), MachineRefused);
  EXPECT_NO_THROW(require_memory(run, plan_virtual(run)));
  EXPECT_GT(resident_memory_bytes(), 1e6);
}

// Only where messages are sent as they are and have readers enough; never more gradients than 32 MiB of a worker.
TEST(MemoryPlan, NodesAreUpdatedTogetherWhereMessagesHaveManyReaders) {
  const SmallRun dense("dsgd", 6, "complete"), sparse("dsgd", 6, "ring"), packed("q-dsgd", 6, "complete", "qsgd:16");
  EXPECT_EQ(most_together(dense.run_with(dense.row, *dense.codec)), 6u);
  EXPECT_EQ(most_together(sparse.run_with(sparse.row, *sparse.codec)), 1u);
  EXPECT_EQ(most_together(packed.run_with(packed.row, *packed.codec)), 1u);
  const LargeRun large("dsgd");
  const double gradients = plan_virtual(large.run()).gradients,
               one = 4.0 * static_cast<double>(large.problem->dimension());
  EXPECT_LE(gradients, large.run().threads * std::max(one, 33554432.0));
  EXPECT_EQ(gradients, large.run().threads * one * most_together(large.run()));
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Nodes on threads learn what samples cost before the clock starts: for as long as that is worth, however large a
// model.
#include "engine/small_run.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace quantimed {
namespace {

// Of a model whose every sample takes 5 ms.
class SlowProblem final : public Problem {
 public:
  explicit SlowProblem(const Problem& other) : Problem(other.data()), other_(other) {}
  std::size_t dimension() const override { return other_.dimension(); }
  std::string description() const override { return other_.description(); }
  bool is_classification() const override { return other_.is_classification(); }
  void initialise(std::span<float> x, std::uint64_t seed) const override { other_.initialise(x, seed); }
  void gradient_sum(std::span<const float> x, Batch batch, bool accumulate, std::span<float> sum,
                    Workspace& work) const override {
    std::this_thread::sleep_for(std::chrono::milliseconds(5) * batch.size());
    other_.gradient_sum(x, batch, accumulate, sum, work);
  }
  LossSum loss_sum(std::span<const float> x, const Dataset& data, std::span<const SampleId> rows, Workspace& work,
                   std::span<std::uint64_t> hits) const override {
    return other_.loss_sum(x, data, rows, work, hits);
  }
  Workspace make_workspace() const override { return other_.make_workspace(); }
  std::vector<CoordinateRange> penalised() const override { return other_.penalised(); }
  double gradient_flops() const override { return other_.gradient_flops(); }

 private:
  const Problem& other_;
};

// All chunks twenty times over would be 20,460 samples, and so more than 100 s a node.
TEST(WarmUp, TakesSecondsHoweverSlowASampleIs) {
  const SmallRun small("dsgd", 2, "complete");
  const SlowProblem slow(*small.problem);
  const auto start = std::chrono::steady_clock::now();
  const quantimed::Run run{.algorithm = small.row,
                           .options = {.alpha = 0.1f, .epsilon = 1, .batch = 2},
                           .problem = slow,
                           .network = small.network,
                           .shards = small.shards,
                           .codec = *small.codec,
                           .penalty = {},
                           .link = parse_link("none"),
                           .iterations = 2,
                           .evaluations = 1,
                           .oversubscribe = true};
  KeepingWatcher watcher = small.watcher();
  EXPECT_EQ(run_threads(run, watcher).failure, "");
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 60);
}

}  // namespace
}  // namespace quantimed

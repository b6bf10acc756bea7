// SPDX-License-Identifier: BSD-3-Clause
// All-reduce SGD and local SGD, the centralized yardsticks: Stich, "Local SGD converges fast and communicates little",
// ICLR 2019. τ steps of one's own, then the mean of all nodes; all-reduce SGD is τ = 1.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kAll{0};

Task local_sgd(Node& node, const Options& o) {
  const Source y = vector(1);  // scratch: the model while it takes its local steps
  for (Round t = node.first_round(); node.begins(t); ++t) {
    for (std::uint32_t k = 0; k < o.local_steps; ++k) {
      const Source at = k == 0 ? x : y;
      co_await node.gradient(o.batch, at);
      if (k + 1 < o.local_steps) node.pass({{y, at - o.alpha * g}});
    }
    co_await node.average(kAll, (o.local_steps == 1 ? x : y) - o.alpha * g);
    node.pass({{x, mean(kAll)}});  // x_i ← (1/n) Σ_j y_j
  }
}

Task allreduce_sgd(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    co_await node.average(kAll, x - o.alpha * g);
    node.pass({{x, mean(kAll)}});  // x_i ← (1/n) Σ_j (x_j − α g_j)
  }
}

constexpr StateRow kStates[] = {{"y", StateRow::Start::model, StateRow::Kind::scratch}};
constexpr ParameterUse kParameters[] = {{Parameter::local_steps, 4}};
}  // namespace

constinit const AlgorithmRow kAllreduceSgd{.name = "allreduce-sgd",
                                           .help = "centralized: the mean of all nodes in every iteration",
                                           .run = allreduce_sgd,
                                           .delivery = Delivery::round,
                                           .quantizes = false,
                                           .uses_epsilon = false,
                                           .uses_deadline = false,
                                           .goes_on_without = false,
                                           .alpha = "0.2",
                                           .epsilon = "1",
                                           .paper = "the centralized yardstick: synchronous SGD with a ring all-reduce",
                                           .exchanges = collective,
                                           .graph = kAnyGraph};

constinit const AlgorithmRow kLocalSgd{.name = "local-sgd",
                                       .help = "centralized: several steps of its own, then the mean of all nodes",
                                       .run = local_sgd,
                                       .delivery = Delivery::round,
                                       .quantizes = false,
                                       .uses_epsilon = false,
                                       .uses_deadline = false,
                                       .goes_on_without = false,
                                       .alpha = "0.2",
                                       .epsilon = "1",
                                       .paper = "Stich: Local SGD converges fast and communicates little, ICLR 2019",
                                       .states = kStates,
                                       .parameters = kParameters,
                                       .exchanges = collective,
                                       .graph = kAnyGraph};

}  // namespace quantimed

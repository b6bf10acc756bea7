// SPDX-License-Identifier: BSD-3-Clause
// All-reduce SGD and local SGD, the centralized yardsticks: Stich, "Local SGD converges fast and communicates little",
// ICLR 2019. τ steps of one's own, then the mean of all nodes; all-reduce SGD is τ = 1.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kAll{0};
}  // namespace

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

Exchanges collective(const Options&, Round) { return {.is_collective = true}; }

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// DiLoCo: Douillard et al., "DiLoCo: distributed low-communication training of language models", 2023. What τ local
// steps have moved the common model by is the gradient of an outer step with Nesterov momentum. The inner steps are
// SGD's.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kAll{0};

Task diloco(Node& node, const Options& o) {
  const Source m = vector(1), y = vector(2);  // outer momentum, from 0; scratch: the model in its local steps
  const Real eta = o.outer_step, mu = o.momentum;
  for (Round t = node.first_round(); node.begins(t); ++t) {
    for (std::uint32_t k = 0; k < o.local_steps; ++k) {
      const Source at = k == 0 ? x : y;
      co_await node.gradient(o.batch, at);
      node.pass({{y, at - o.alpha * g}});
    }
    co_await node.average(kAll, x - y);
    // m ← μ m + Δ     x ← x − η (Δ + μ m),     Δ = (1/n) Σ_j (x_j − y_j)
    node.pass({{m, mu * m + mean(kAll)}, {x, x - eta * mean(kAll) - eta * mu * m}});
  }
}

constexpr StateRow kStates[] = {{"m", StateRow::Start::zero, StateRow::Kind::lasting},
                                {"y", StateRow::Start::model, StateRow::Kind::scratch}};
constexpr ParameterUse kParameters[] = {
    {Parameter::outer_step, 0.7}, {Parameter::momentum, 0.9}, {Parameter::local_steps, 16}};
}  // namespace

constinit const AlgorithmRow kDiloco{
    .name = "diloco",
    .help = "centralized: local steps, and an outer step with Nesterov momentum",
    .run = diloco,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Douillard et al.: DiLoCo: distributed low-communication training of language models, 2023",
    .states = kStates,
    .parameters = kParameters,
    .exchanges = collective,
    .graph = kAnyGraph};

}  // namespace quantimed

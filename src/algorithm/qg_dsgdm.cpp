// SPDX-License-Identifier: BSD-3-Clause
// Quasi-global momentum: Lin, Karimireddy, Stich, Jaggi, "Quasi-global momentum: accelerating decentralized deep
// learning on heterogeneous data", ICML 2021. The momentum follows what a node's model has moved by, mixing included; μ
// = β.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kSteps{0};

Task qg_dsgdm(Node& node, const Options& o) {
  const Source m = vector(1);  // from 0
  const Real beta = o.momentum, of_m = o.nesterov ? beta * beta : beta, of_g = o.nesterov ? 1 + beta : 1;
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    // h_i = x_i − α (β m_i + g_i); Nesterov: h_i = x_i − α (g_i + β (β m_i + g_i))
    node.publish(kSteps, beta == 0 ? x - o.alpha * g : x - o.alpha * of_m * m - o.alpha * of_g * g);
    co_await node.neighbours(kSteps);
    const Real moved = (1 - beta) / o.alpha;
    // m_i ← β m_i + (1 − β) (x_i − Σ_j w_ij h_j)/α     x_i ← Σ_j w_ij h_j
    node.pass({{m, beta * m + moved * x - moved * mixed(kSteps)}, {x, mixed(kSteps)}});
  }
}

constexpr StateRow kStates[] = {{"m", StateRow::Start::zero, StateRow::Kind::lasting}};
constexpr ParameterUse kParameters[] = {{Parameter::momentum, 0.9}, {Parameter::nesterov, 0}};
}  // namespace

constinit const AlgorithmRow kQgDsgdm{
    .name = "qg-dsgdm",
    .help = "DSGD with quasi-global momentum: follows what the model has moved by",
    .run = qg_dsgdm,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = true,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Lin, Karimireddy, Stich, Jaggi: Quasi-global momentum: accelerating decentralized deep "
        "learning on heterogeneous data, ICML 2021",
    .states = kStates,
    .parameters = kParameters,
    .exchanges = sent_late,
    .graph = kAnyGraph};

}  // namespace quantimed

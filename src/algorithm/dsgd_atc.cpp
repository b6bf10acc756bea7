// SPDX-License-Identifier: BSD-3-Clause
// DSGD, adapt then combine: Chen, Sayed, "Diffusion adaptation strategies for distributed optimization and learning
// over networks", IEEE TSP 2012; with momentum also called DSGDm. The other order, combine while adapting, is dsgd.
//
// Momentum β, heavy-ball or Nesterov's, multiplies the bias of heterogeneous data by 1/(1 − β).
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kSteps{0};

Task dsgd_atc(Node& node, const Options& o) {
  const Source m = vector(1);  // momentum, from 0
  const Real beta = o.momentum, of_m = o.nesterov ? beta * beta : beta, of_g = o.nesterov ? 1 + beta : 1;
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    // h_i = x_i − α (β m_i + g_i); Nesterov: h_i = x_i − α (g_i + β (β m_i + g_i))
    node.publish(kSteps, beta == 0 ? x - o.alpha * g : x - o.alpha * of_m * m - o.alpha * of_g * g);
    co_await node.neighbours(kSteps);
    node.pass({{m, beta * m + g}, {x, mixed(kSteps)}});  // m_i ← β m_i + g_i     x_i ← Σ_j w_ij h_j
  }
}

constexpr StateRow kStates[] = {{"m", StateRow::Start::zero, StateRow::Kind::lasting}};
constexpr ParameterUse kParameters[] = {{Parameter::momentum, 0}, {Parameter::nesterov, 0}};
}  // namespace

constinit const AlgorithmRow kDsgdAtc{
    .name = "dsgd-atc",
    .help = "DSGD in the other order: adapts, then combines; with momentum",
    .run = dsgd_atc,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = true,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Chen, Sayed: Diffusion adaptation strategies for distributed optimization and learning over "
        "networks, IEEE TSP 2012",
    .states = kStates,
    .parameters = kParameters,
    .exchanges = sent_late,
    .graph = kAnyGraph};

}  // namespace quantimed

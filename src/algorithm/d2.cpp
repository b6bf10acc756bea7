// SPDX-License-Identifier: BSD-3-Clause
// D²: Tang, Lian, Yan, Zhang, Liu, "D²: decentralized training over decentralized data", ICML 2018; and exact
// diffusion: Yuan, Ying, Zhao, Sayed, "Exact diffusion for distributed optimization and learning", IEEE TSP 2019, which
// is D² with (I + W)/2 and so needs no bound on W's smallest eigenvalue.
//
// Published as x_t+1 = W (2 x_t − x_t−1 − α (g_t − g_t−1)); here as DSGD with a correction r that sums to zero over the
// nodes, which needs no old model, no old gradient and no special first iteration.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kSteps{0};

// share: 1, or 1/2 for (I + W)/2 in place of W.
Task corrected(Node& node, const Options& o, Real share) {
  const Source r = vector(1);  // from 0
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kSteps, x + r - o.alpha * g);  // ψ_i
    co_await node.neighbours(kSteps);
    // r_i ← r_i + share Σ_j w_ij (ψ_j − ψ_i)     x_i ← ψ_i + share Σ_j w_ij (ψ_j − ψ_i)
    node.pass({{r, r + share * apart(kSteps)}, {x, own(kSteps) + share * apart(kSteps)}});
  }
}

Task d2(Node& node, const Options& o) { return corrected(node, o, 1); }

Task exact_diffusion(Node& node, const Options& o) { return corrected(node, o, 0.5f); }

constexpr StateRow kStates[] = {{"r", StateRow::Start::zero, StateRow::Kind::lasting, true}};
}  // namespace

constinit const AlgorithmRow kD2{
    .name = "d2",
    .help = "exact for heterogeneous data; needs a W without small eigenvalues",
    .run = d2,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Tang, Lian, Yan, Zhang, Liu: D2: decentralized training over decentralized data, ICML 2018",
    .states = kStates,
    .exchanges = sent_late,
    .least_eigenvalue = -1.0 / 3};

constinit const AlgorithmRow kExactDiffusion{
    .name = "exact-diffusion",
    .help = "exact for heterogeneous data, on any W",
    .run = exact_diffusion,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Yuan, Ying, Zhao, Sayed: Exact diffusion for distributed optimization and learning, IEEE TSP 2019",
    .states = kStates,
    .exchanges = sent_late};

}  // namespace quantimed

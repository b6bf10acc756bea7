// SPDX-License-Identifier: BSD-3-Clause
// LEAD: Liu, Li, Wang, Tang, Yan, "Linear convergent decentralized optimization with compression", ICLR 2021. A
// primal-dual method that reaches the solution of heterogeneous data with unbiased codes; a: how fast the reference h
// follows.
//
// r is −η times the paper's dual variable; r and d sum to zero over the nodes.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kDeltas{0};

Task lead(Node& node, const Options& o) {
  const Source h = vector(1), r = vector(2), d = vector(3);  // from x_0, 0, 0
  const Real half = o.gamma / 2, a = o.averaging;
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kDeltas, x - o.alpha * g + r - h);  // q_i = C(x_i − η g_i + r_i − h_i)
    co_await node.neighbours(kDeltas);
    // r_i ← r_i + γ/2 (d_i + Σ_j w_ij (q_j − q_i))     x_i ← x_i − η g_i + r_i     h_i ← h_i + a q_i     d_i likewise
    node.pass({{r, r + half * d + half * apart(kDeltas)},
               {x, x - o.alpha * g + r},
               {h, h + a * own(kDeltas)},
               {d, d + a * apart(kDeltas)}});
  }
}

constexpr StateRow kStates[] = {{"h", StateRow::Start::model, StateRow::Kind::lasting},
                                {"r", StateRow::Start::zero, StateRow::Kind::wide, true},
                                {"d", StateRow::Start::zero, StateRow::Kind::wide, true}};
constexpr ParameterUse kParameters[] = {{Parameter::gamma, 1}, {Parameter::averaging, 0.5}};
}  // namespace

constinit const AlgorithmRow kLead{
    .name = "lead",
    .help = "exact for heterogeneous data with unbiased codes",
    .run = lead,
    .delivery = Delivery::round,
    .quantizes = true,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Liu, Li, Wang, Tang, Yan: Linear convergent decentralized optimization with compression, ICLR 2021",
    .states = kStates,
    .parameters = kParameters,
    .exchanges = sent_late,
    .codec = CodecNeed::unbiased};

}  // namespace quantimed

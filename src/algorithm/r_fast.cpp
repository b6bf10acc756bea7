// SPDX-License-Identifier: BSD-3-Clause
// R-FAST: Zhu, Tian, Huang, Xu, He, "R-FAST: robust fully-asynchronous stochastic gradient tracking over general
// topology", IEEE TSIPN 2024. Gradient tracking of nodes that wait for nobody: what a node hands on of its tracker z_i
// is sent as a running sum, so a message that is late or lost is made up for by the next, and the mean of the trackers
// stays that of the gradients. It goes to the optimum of Σ f_i whatever the speeds.
//
// All that node i hands on is one vector, R_i = Σ_t z_i: who hears it takes w_ji of it, and columns of W sum to 1. What
// i has received less what it has given is then s_i = Σ_j w_ij R_j − R_i, and z_i = g_i + s_i. The paper's second
// matrix, for models, is W with its rows scaled to sum to 1: W itself, but on directed graphs where nodes hear more, or
// fewer, than hear them. A node that leaves takes its share of Σ z_i away: a bias that stays.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kModels{0}, kSums{1};

Task r_fast(Node& node, const Options& o) {
  const Source r = vector(1), s = vector(2);  // both from 0
  const Real excess = node.excess_weight();
  node.publish(kModels, x);  // x_i,0 and 0, which everybody knows
  node.publish(kSums, r);
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    // z_i = g_i + s_i is handed on, but for w_ii of it; in the first iteration all of it stays.
    const Real step = o.alpha * (t == 0 ? 1 : node.self_weight());
    node.publish(kModels, x - step * g - step * s);  // v_i = x_i − α z_i
    node.publish(kSums, t == 0 ? Linear(r) : r + g + s);
    co_await node.newest(kModels);
    co_await node.newest(kSums);
    // x_i ← Σ_j w_ij v_j     R_i ← R_i + z_i     s_i ← Σ_j w_ij R_j − R_i
    node.pass(
        {{x, mixed(kModels)}, {r, own(kSums)}, {s, excess == 0 ? apart(kSums) : apart(kSums) + excess * own(kSums)}});
  }
}

constexpr StateRow kStates[] = {{"r", StateRow::Start::zero, StateRow::Kind::lasting},
                                {"s", StateRow::Start::zero, StateRow::Kind::lasting}};
}  // namespace

constinit const AlgorithmRow kRFast{
    .name = "r-fast",
    .help = "asynchronous gradient tracking: exact for heterogeneous data at any speeds",
    .run = r_fast,
    .delivery = Delivery::newest,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = true,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Zhu, Tian, Huang, Xu, He: R-FAST: robust fully-asynchronous stochastic gradient tracking "
        "over general topology, IEEE TSIPN 2024",
    .states = kStates,
    .exchanges = two_vectors,
    .channels = 2,
    .graph = {.symmetric = false},
    .loses = "its share of the tracked gradients"};

}  // namespace quantimed

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
}  // namespace

Task lead(Node& node, const Options& o) {
  const Source h = vector(1), r = vector(2), d = vector(3);  // from x_0, 0, 0
  const float half = o.gamma / 2, a = o.averaging;
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

}  // namespace quantimed

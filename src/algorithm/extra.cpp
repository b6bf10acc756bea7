// SPDX-License-Identifier: BSD-3-Clause
// EXTRA: Shi, Ling, Wu, Yin, "EXTRA: an exact first-order algorithm for decentralized consensus optimization", SIAM J.
// Optim. 2015.
//
// Published as x_t+1 = x_t + W x_t − (I + W)/2 x_t−1 − α (g_t − g_t−1); here with a correction u that sums to zero.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kModels{0};

Task extra(Node& node, const Options& o) {
  const Source u = vector(1);  // from 0
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);
    co_await node.gradient(o.batch);
    co_await node.neighbours(kModels);
    // x_i ← x_i + Σ_j w_ij (x_j − x_i) + u_i − α g_i     u_i ← u_i + ½ Σ_j w_ij (x_j − x_i)
    node.pass({{x, x + apart(kModels) + u - o.alpha * g}, {u, u + 0.5f * apart(kModels)}});
  }
}

constexpr StateRow kStates[] = {{"u", StateRow::Start::zero, StateRow::Kind::lasting, true}};
}  // namespace

constinit const AlgorithmRow kExtra{
    .name = "extra",
    .help = "exact for heterogeneous data: combines while it adapts",
    .run = extra,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Shi, Ling, Wu, Yin: EXTRA: an exact first-order algorithm for decentralized consensus "
        "optimization, SIAM J. Optim. 2015",
    .states = kStates,
    .exchanges = sent_early};

}  // namespace quantimed

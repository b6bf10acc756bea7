// SPDX-License-Identifier: BSD-3-Clause
// DSGD, synchronous: Yuan, Ling, Yin, "On the convergence of decentralized gradient descent", SIAM J. Optim. 2016,
// with stochastic gradients.
//
// Exact messages, a fixed batch; each round waits for its slowest node.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kModels{0};

Task dsgd(Node& node, const Options& options) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);  // x_i,t
    co_await node.gradient(options.batch);
    co_await node.neighbours(kModels);
    // x_i,t+1 = Σ_j w_ij x_j,t − α g_i,t        (self included)
    node.pass({{x, mixed(kModels) - options.alpha * g}});
  }
}

}  // namespace

constinit const AlgorithmRow kDsgd{
    .name = "dsgd",
    .help = "synchronous: fixed batch, exact models, waits for the slowest",
    .run = dsgd,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Yuan, Ling, Yin: On the convergence of decentralized gradient descent, SIAM J. Optim. 2016",
    .graph = kAnyGraph,
    .sends_its_model = true,
    .is_compared = true};

}  // namespace quantimed

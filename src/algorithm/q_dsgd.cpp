// SPDX-License-Identifier: BSD-3-Clause
// Q-DSGD, the quantized-only baseline: Reisizadeh, Mokhtari, Hassani, Pedarsani, "An exact quantized decentralized
// gradient descent algorithm", IEEE TSP 2019, with stochastic gradients as in the experiments of QuanTimed-DSGD.
//
// The same update as QuanTimed-DSGD over a fixed batch: cheap messages, but each round waits for its slowest node.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kModels{0};

Task q_dsgd(Node& node, const Options& options) {
  const Real epsilon = options.epsilon;
  const Real w_ii = node.self_weight();
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);  // z_i,t = Q(x_i,t)
    co_await node.gradient(options.batch);
    co_await node.neighbours(kModels);
    // x_i,t+1 = (1 − ε + ε w_ii) x_i,t + ε Σ_{j∈N_i} w_ij z_j,t − α ε g_i,t
    node.pass({{x, (1 - epsilon + epsilon * w_ii) * x + epsilon * others(kModels) - options.alpha * epsilon * g}});
  }
}

}  // namespace

constinit const AlgorithmRow kQDsgd{
    .name = "q-dsgd",
    .help = "quantized only: fixed batch, quantized models, waits for the slowest",
    .run = q_dsgd,
    .delivery = Delivery::round,
    .quantizes = true,
    .uses_epsilon = true,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.3*T^(-1/6)",
    .epsilon = "15*T^(-1/2)",
    .paper =
        "Reisizadeh, Mokhtari, Hassani, Pedarsani: An exact quantized decentralized gradient descent "
        "algorithm, IEEE TSP 2019",
    .sends_its_model = true,
    .is_compared = true};

}  // namespace quantimed

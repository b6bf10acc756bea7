// SPDX-License-Identifier: BSD-3-Clause
// QuanTimed-DSGD: Reisizadeh, Taheri, Mokhtari, Hassani, Pedarsani, "Robust and Communication-Efficient
// Collaborative Learning", NeurIPS 2019, Algorithm 1.
//
// Every node computes for exactly T_d and uses whatever batch it finished, so that no one waits for a straggler;
// what it sends is quantized. Departures from the paper: none.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kModels{0};

Task quantimed_dsgd(Node& node, const Options& options) {
  const Real epsilon = options.epsilon;
  const Real w_ii = node.self_weight();
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);                       // z_i,t = Q(x_i,t)
    co_await node.gradient_until(node.deadline());  // over S_i,t, as large as T_d allows
    co_await node.neighbours(kModels);
    // x_i,t+1 = (1 − ε + ε w_ii) x_i,t + ε Σ_{j∈N_i} w_ij z_j,t − α ε g_i,t
    node.pass({{x, (1 - epsilon + epsilon * w_ii) * x + epsilon * others(kModels) - options.alpha * epsilon * g}});
  }
}

}  // namespace

constinit const AlgorithmRow kQuantimedDsgd{
    .name = "quantimed-dsgd",
    .help = "computes until a deadline, sends quantized models",
    .run = quantimed_dsgd,
    .delivery = Delivery::round,
    .quantizes = true,
    .uses_epsilon = true,
    .uses_deadline = true,
    .goes_on_without = true,
    .alpha = "0.3*T^(-1/6)",
    .epsilon = "15*T^(-1/2)",
    .paper =
        "Reisizadeh, Taheri, Mokhtari, Hassani, Pedarsani: Robust and communication-efficient "
        "collaborative learning, NeurIPS 2019",
    .sends_its_model = true,
    .is_compared = true};

}  // namespace quantimed

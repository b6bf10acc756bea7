// SPDX-License-Identifier: BSD-3-Clause
// Asynchronous DSGD: Lian, Zhang, Zhang, Liu, "Asynchronous decentralized parallel stochastic gradient descent",
// ICML 2018, in the form that QuanTimed-DSGD is compared with: a node averages with the newest models of all of its
// neighbours, as soon as its own gradient is there. Nobody waits, and nobody else changes a node's model.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kModels{0};

Task async_dsgd(Node& node, const Options& options) {
  node.publish(kModels, x);  // x_i,0: what the first iteration starts from
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(options.batch);
    co_await node.newest(kModels);
    // x_i ← Σ_k w_ik x_k − α g_i        (self included, the others as they are now)
    node.pass({{x, mixed(kModels) - options.alpha * g}});
    node.publish(kModels, x);
  }
}

}  // namespace

constinit const AlgorithmRow kAsyncDsgd{
    .name = "async-dsgd",
    .help = "asynchronous: fixed batch, newest exact models, waits for nobody",
    .run = async_dsgd,
    .delivery = Delivery::newest,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = true,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Lian, Zhang, Zhang, Liu: Asynchronous decentralized parallel stochastic gradient descent, ICML 2018",
    .sends_its_model = true,
    .is_compared = true};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// SWIFT: Bornstein, Rabbani, Wang, Bedi, Huang, "SWIFT: rapid decentralized federated learning via wait-free model
// communication", ICLR 2023. A node sends its model once its gradient is there, and mixes with the newest models of its
// neighbours in every C-th step. Nobody waits. Against async-dsgd what neighbours read is one gradient older.
//
// As in the authors' program models are sent in every step, and W is symmetric: all nodes have the same influence.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kModels{0};

Task swift(Node& node, const Options& o) {
  node.publish(kModels, x);  // x_i,0, which everybody knows
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kModels, x);
    co_await node.newest(kModels);
    // x_i ← Σ_j w_ij x_j − α g_i in every C-th step, else x_i ← x_i − α g_i
    const Linear combined = (t + 1) % o.period == 0 ? Linear(mixed(kModels)) : Linear(x);
    node.pass({{x, combined - o.alpha * g}});
  }
}

constexpr ParameterUse kParameters[] = {{Parameter::period, 1}};
}  // namespace

constinit const AlgorithmRow kSwift{
    .name = "swift",
    .help = "asynchronous: sends its model before it mixes, mixes in every C-th step",
    .run = swift,
    .delivery = Delivery::newest,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = true,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Bornstein, Rabbani, Wang, Bedi, Huang: SWIFT: rapid decentralized federated learning via "
        "wait-free model communication, ICLR 2023",
    .parameters = kParameters,
    .exchanges = sent_late,
    .sends_its_model = true};

}  // namespace quantimed

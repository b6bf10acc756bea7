// SPDX-License-Identifier: BSD-3-Clause
// RelaySGD: Vogels, He, Koloskova, Karimireddy, Lin, Stich, Jaggi, "RelaySum for decentralized deep learning on
// heterogeneous data", NeurIPS 2021. On a tree every node sends each neighbour the sum of all models that lie behind it
// there, and how many: each is the older the farther it has come.
//
// The sum is divided by the number of models that it holds. The authors' program fills up with x_0 what has not come
// yet, which is the same once all nodes have been heard.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kSums{0};

Task relay_sgd(Node& node, const Options& o) {
  const Source m = vector(1);  // momentum, from 0
  const Real beta = o.momentum, of_m = o.nesterov ? beta * beta : beta, of_g = o.nesterov ? 1 + beta : 1;
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    // To node j: s_i→j = h_i + Σ_{k≠j} s_k→i and c_i→j = 1 + Σ_{k≠j} c_k→i, where h_i = x_i − α (β m_i + g_i), and of
    // Nesterov x_i − α (g_i + β (β m_i + g_i))
    const Linear h = x - o.alpha * of_m * m - o.alpha * of_g * g;
    node.publish(kSums, h + rest(kSums), 1);
    const Real share = 1 / (co_await node.neighbours(kSums)).scalar;  // 1 + Σ_j c_j→i
    // x_i ← (h_i + Σ_j s_j→i) / (1 + Σ_j c_j→i), of the m_i after m_i ← β m_i + g_i
    const Real of_new_m = o.nesterov ? beta : 1;
    const Linear moved = share * x - share * o.alpha * of_new_m * m;
    node.pass({{m, beta * m + g}, {x, (o.nesterov ? moved - share * o.alpha * g : moved) + share * others(kSums)}});
  }
}

constexpr StateRow kStates[] = {{"m", StateRow::Start::zero, StateRow::Kind::lasting}};
constexpr ParameterUse kParameters[] = {{Parameter::momentum, 0}, {Parameter::nesterov, 0}};
}  // namespace

constinit const AlgorithmRow kRelaySgd{
    .name = "relaysgd",
    .help = "on a tree: sums of all nodes' models are passed on, each neighbour gets its own",
    .run = relay_sgd,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Vogels, He, Koloskova, Karimireddy, Lin, Stich, Jaggi: RelaySum for decentralized deep "
        "learning on heterogeneous data, NeurIPS 2021",
    .states = kStates,
    .parameters = kParameters,
    .exchanges = sent_late,
    .message_scalars = 1,
    .weights = Weights::ones,
    .graph = {.tree = true},
    .sends_each_its_own = true};

}  // namespace quantimed

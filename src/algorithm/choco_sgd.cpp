// SPDX-License-Identifier: BSD-3-Clause
// CHOCO-SGD: Koloskova, Stich, Jaggi, "Decentralized stochastic optimization and gossip algorithms with compressed
// communication", ICML 2019. Messages are compressed differences to a reference that all neighbours keep in common;
// their mixing is damped by γ.
//
// --overlap: the order of Koloskova, Lin, Stich, Jaggi, "Decentralized deep learning with arbitrary communication
// compression", ICLR 2020. x_i moves by −α g_i + γ d_i and only then is compressed, so what is mixed is what was sent
// before, and the message travels during the next gradient. Here an iteration begins with that message; the first holds
// nothing. With exact messages and γ = 1 it is dsgd, where the other order is dsgd-atc.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kDeltas{0};

Task choco_sgd(Node& node, const Options& o) {
  const Source x_hat = vector(1), d = vector(2);  // x̂_i, from x_0; Σ_j w_ij (x̂_j − x̂_i), from 0
  for (Round t = node.first_round(); node.begins(t); ++t) {
    if (o.overlap) node.publish(kDeltas, x - x_hat);  // q_i = C(x_i − x̂_i)
    co_await node.gradient(o.batch);
    if (!o.overlap) node.publish(kDeltas, x - o.alpha * g - x_hat);  // q_i = C(h_i − x̂_i),     h_i = x_i − α g_i
    co_await node.neighbours(kDeltas);
    // x̂_i ← x̂_i + q_i     d_i ← d_i + Σ_j w_ij (q_j − q_i)     x_i ← h_i + γ d_i
    node.pass({{x_hat, x_hat + own(kDeltas)}, {d, d + apart(kDeltas)}, {x, x - o.alpha * g + o.gamma * d}});
  }
}

Exchanges choco_exchanges(const Options& o, Round) { return {.is_sent_early = o.overlap}; }

constexpr StateRow kStates[] = {{"x_hat", StateRow::Start::model, StateRow::Kind::lasting},
                                {"d", StateRow::Start::zero, StateRow::Kind::wide, true}};
constexpr ParameterUse kParameters[] = {{Parameter::gamma, 0.1}, {Parameter::overlap, 0}};
}  // namespace

constinit const AlgorithmRow kChocoSgd{
    .name = "choco-sgd",
    .help = "compressed differences, damped mixing",
    .run = choco_sgd,
    .delivery = Delivery::round,
    .quantizes = true,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Koloskova, Stich, Jaggi: Decentralized stochastic optimization and gossip algorithms with "
        "compressed communication, ICML 2019",
    .states = kStates,
    .parameters = kParameters,
    .exchanges = choco_exchanges,
    .codec = CodecNeed::contraction,
    .graph = {.symmetric = false}};

}  // namespace quantimed

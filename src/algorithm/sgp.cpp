// SPDX-License-Identifier: BSD-3-Clause
// SGP, stochastic gradient push: Assran, Loizou, Ballas, Rabbat, "Stochastic gradient push for distributed deep
// learning", ICML 2019. A message's weight is its sender's choice (columns of P sum to 1), and a number ω that travels
// with it tells how much weight a node has gathered. The model kept is z_i = x_i/ω_i.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kPushed{0};

Task sgp(Node& node, const Options& o) {
  Real& omega = node.scalar();  // from 1
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);                        // at z_i
    node.publish(kPushed, omega * x - o.alpha * g, omega);  // h_i = ω_i z_i − α g_i
    omega = (co_await node.neighbours(kPushed)).scalar;     // ω_i ← Σ_j p_ij ω_j
    node.pass({{x, 1 / omega * mixed(kPushed)}});           // z_i ← Σ_j p_ij h_j / ω_i
  }
}

}  // namespace

constinit const AlgorithmRow kSgp{
    .name = "sgp",
    .help = "stochastic gradient push: push-sum weights instead of a doubly stochastic W",
    .run = sgp,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Assran, Loizou, Ballas, Rabbat: Stochastic gradient push for distributed deep learning, ICML 2019",
    .exchanges = sent_late,
    .message_scalars = 1,
    .weights = Weights::push,
    .graph = kAnyGraph};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Moniqua: Lu, De Sa, "Moniqua: modulo quantized communication in decentralized SGD", ICML 2020. Messages are models
// modulo a range (--codec modulo), taken nearest to the receiver's own; the own message is decoded in the same way, so
// that the mean of all models is exact.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kModels{0};

Task moniqua(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.publish(kModels, x);
    co_await node.gradient(o.batch);
    co_await node.neighbours(kModels);
    node.pass({{x, x + o.gamma * apart(kModels) - o.alpha * g}});  // x_i ← x_i + γ Σ_j w_ij (x̂_j − x̂_i) − α g_i
  }
}

constexpr ParameterUse kParameters[] = {{Parameter::gamma, 1}};
}  // namespace

constinit const AlgorithmRow kMoniqua{
    .name = "moniqua",
    .help = "models modulo a range; the mean stays exact",
    .run = moniqua,
    .delivery = Delivery::round,
    .quantizes = true,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = true,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Lu, De Sa: Moniqua: modulo quantized communication in decentralized SGD, ICML 2020",
    .parameters = kParameters,
    .exchanges = sent_early,
    .codec = CodecNeed::models,
    .graph = {.fixed = false}};

}  // namespace quantimed

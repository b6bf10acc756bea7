// SPDX-License-Identifier: BSD-3-Clause
// DeepSqueeze: Tang, Lian, Qiu, Yuan, Zhang, Zhang, Liu, "DeepSqueeze: decentralization meets error-compensated
// compression", 2019. What the compressor has left out is added to the next message.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kSteps{0};

Task deepsqueeze(Node& node, const Options& o) {
  const Source e = vector(1);  // what was left out, from 0
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kSteps, x - o.alpha * g + e);  // q_i = C(h_i + e_i),     h_i = x_i − α g_i
    co_await node.neighbours(kSteps);
    // e_i ← h_i + e_i − q_i     x_i ← h_i + γ Σ_j w_ij (q_j − q_i)
    node.pass({{e, x - o.alpha * g + e - own(kSteps)}, {x, x - o.alpha * g + o.gamma * apart(kSteps)}});
  }
}

constexpr StateRow kStates[] = {{"e", StateRow::Start::zero, StateRow::Kind::lasting}};
constexpr ParameterUse kParameters[] = {{Parameter::gamma, 0.1}};
}  // namespace

constinit const AlgorithmRow kDeepsqueeze{
    .name = "deepsqueeze",
    .help = "compressed models with error compensation",
    .run = deepsqueeze,
    .delivery = Delivery::round,
    .quantizes = true,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = true,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Tang, Lian, Qiu, Yuan, Zhang, Zhang, Liu: DeepSqueeze: decentralization meets "
        "error-compensated compression, 2019",
    .states = kStates,
    .parameters = kParameters,
    .exchanges = sent_late,
    .codec = CodecNeed::contraction,
    .graph = kAnyGraph};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// DCD-PSGD and ECD-PSGD: Tang, Gan, Zhang, Zhang, Liu, "Communication compression for decentralized training", NeurIPS
// 2018. DCD sends compressed differences, ECD extrapolated models, whose range grows with the iterations.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kDeltas{0};

Task dcd_psgd(Node& node, const Options& o) {
  const Source d = vector(1);  // Σ_j w_ij (x_j − x_i), from 0
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    node.publish(kDeltas, d - o.alpha * g);  // q_i = C(d_i − α g_i): what dsgd would add
    co_await node.neighbours(kDeltas);
    node.pass({{x, x + own(kDeltas)}, {d, d + apart(kDeltas)}});
  }
}

Task ecd_psgd(Node& node, const Options& o) {
  const Source s = vector(1);  // Σ_j w_ij x̃_j, from x_0
  for (Round t = node.first_round(); node.begins(t); ++t) {
    const Real tau = static_cast<Real>(t) + 1;
    co_await node.gradient(o.batch);
    // z_i = (1 − τ/2) x_i + (τ/2) x_i⁺,     x_i⁺ = s_i − α g_i
    node.publish(kDeltas, (1 - tau / 2) * x + tau / 2 * s - tau / 2 * o.alpha * g);
    co_await node.neighbours(kDeltas);
    // x_i ← x_i⁺     s_i ← (1 − 2/τ) s_i + (2/τ) Σ_j w_ij q_j
    node.pass({{x, s - o.alpha * g}, {s, (1 - 2 / tau) * s + 2 / tau * mixed(kDeltas)}});
  }
}

constexpr StateRow kDcdPsgdStates[] = {{"d", StateRow::Start::zero, StateRow::Kind::wide, true}};
constexpr StateRow kEcdPsgdStates[] = {{"s", StateRow::Start::model, StateRow::Kind::lasting}};
}  // namespace

constinit const AlgorithmRow kDcdPsgd{
    .name = "dcd-psgd",
    .help = "compressed differences, undamped: for codes with little noise",
    .run = dcd_psgd,
    .delivery = Delivery::round,
    .quantizes = true,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Tang, Gan, Zhang, Zhang, Liu: Communication compression for decentralized training, NeurIPS 2018",
    .states = kDcdPsgdStates,
    .exchanges = sent_late,
    .codec = CodecNeed::small_error,
    .graph = {.symmetric = false}};

constinit const AlgorithmRow kEcdPsgd{
    .name = "ecd-psgd",
    .help = "compressed extrapolations of models",
    .run = ecd_psgd,
    .delivery = Delivery::round,
    .quantizes = true,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Tang, Gan, Zhang, Zhang, Liu: Communication compression for decentralized training, NeurIPS 2018",
    .states = kEcdPsgdStates,
    .exchanges = sent_late,
    .codec = CodecNeed::small_error,
    .graph = {.symmetric = false}};

}  // namespace quantimed

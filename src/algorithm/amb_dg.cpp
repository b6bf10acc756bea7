// SPDX-License-Identifier: BSD-3-Clause
// Anytime Minibatch with delayed gradients: Al-Lawati, Ferdinand, Draper, "Anytime minibatch with delayed gradients",
// 2020. Computing never pauses: the exchanges of an iteration carry the samples of the one before, and each of the r
// exchanges travels while a part T_d / r of the deadline is computed. Else it is amb; here the delay is one iteration.
//
// The paper's fully distributed form is taken from its description; its details could not be compared.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kSums{0};

Task amb_dg(Node& node, const Options& o) {
  // Dual, from 0; the start; Σ b_i g_i of the iteration before, from 0, and of this one. scalar(): b_i of the one
  // before.
  const Source z = vector(1), x_0 = vector(2), late = vector(3), sum = vector(4);
  for (Round t = node.first_round(); node.begins(t); ++t) {
    const Seconds part = node.deadline() / o.rounds;
    Real b = 0, late_b = t == 0 ? 0 : node.scalar();
    node.publish(kSums, late_b * z + late, late_b);  // m_i = b_i (z_i + g_i), with b_i and g_i of the iteration before
    for (std::uint32_t k = 1;; ++k) {
      const Gradient done = co_await node.gradient_until(part);
      const Real more = static_cast<Real>(done.batch);
      node.pass({{sum, k == 1 ? more * g : sum + more * g}});
      b += more;
      late_b = (co_await node.neighbours(kSums)).scalar;  // b_i ← Σ_j w_ij b_j
      if (k == o.rounds) break;
      node.publish(kSums, mixed(kSums), late_b);  // m_i ← Σ_j w_ij m_j
    }
    node.scalar() = b;
    // z_i ← m_i / b_i     x_i ← x_0 − z_i / β(t + 2);     where nobody near had finished a sample both stay
    const Real share = late_b == 0 ? 0 : 1 / late_b;
    node.pass({{z, late_b == 0 ? Linear(z) : share * mixed(kSums)}, {late, sum}, {x, x_0 - dual_step(o, t) * z}});
  }
}

Exchanges amb_dg_exchanges(const Options& o, Round) {
  return {.count = o.rounds, .is_sent_early = true, .is_beside_gradient = true};
}

constexpr StateRow kStates[] = {{"z", StateRow::Start::zero, StateRow::Kind::lasting},
                                {"x_0", StateRow::Start::model, StateRow::Kind::lasting},
                                {"late", StateRow::Start::zero, StateRow::Kind::lasting},
                                {"sum", StateRow::Start::zero, StateRow::Kind::scratch}};
constexpr ParameterUse kParameters[] = {{Parameter::rounds, 5}, {Parameter::beta, -1}};
}  // namespace

constinit const AlgorithmRow kAmbDg{
    .name = "amb-dg",
    .help = "Anytime Minibatch with delayed gradients: exchanges while it computes",
    .run = amb_dg,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = true,
    .goes_on_without = true,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Al-Lawati, Ferdinand, Draper: Anytime minibatch with delayed gradients, 2020",
    .states = kStates,
    .parameters = kParameters,
    .exchanges = amb_dg_exchanges,
    .message_scalars = 1,
    .graph = kAnyGraph,
    .minimises = kBySpeed};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Anytime Minibatch: Ferdinand, Al-Lawati, Draper, Nokleby, "Anytime minibatch: exploiting stragglers in online
// distributed optimization", ICLR 2019. A node computes until a deadline; r exchanges then average what all have done,
// weighted by how much that is; dual averaging. Its step is 1/β, and β(t) = K + √t/α with t from 1 (--beta K; in the
// paper K ≥ L, the smoothness, and α = √μ), or 1/α throughout, which makes it an SGD (--beta const).
//
// Where speeds differ for ever and data are heterogeneous it minimises Σ speed_i f_i, not Σ f_i.
#include "algorithm/algorithms.hpp"

#include <cmath>

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kSums{0};

Task amb(Node& node, const Options& o) {
  const Source z = vector(1), x_0 = vector(2);  // dual, from 0; the start
  for (Round t = node.first_round(); node.begins(t); ++t) {
    const Gradient done = co_await node.gradient_until(node.deadline());
    Real b = static_cast<Real>(done.batch);  // b_i: samples done in T_d
    node.publish(kSums, b * z + b * g, b);   // m_i = b_i (z_i + g_i)
    for (std::uint32_t k = 1;; ++k) {
      b = (co_await node.neighbours(kSums)).scalar;  // b_i ← Σ_j w_ij b_j
      if (k == o.rounds) break;
      node.publish(kSums, mixed(kSums), b);  // m_i ← Σ_j w_ij m_j
    }
    // z_i ← m_i / b_i     x_i ← x_0 − z_i / β(t + 2);     where nobody near has finished a sample all stays
    const Real share = b == 0 ? 0 : 1 / b;
    node.pass({{z, b == 0 ? Linear(z) : share * mixed(kSums)}, {x, x_0 - dual_step(o, t) * z}});
  }
}

Exchanges amb_exchanges(const Options& o, Round) { return {.count = o.rounds}; }

constexpr StateRow kStates[] = {{"z", StateRow::Start::zero, StateRow::Kind::lasting},
                                {"x_0", StateRow::Start::model, StateRow::Kind::lasting}};
constexpr ParameterUse kParameters[] = {{Parameter::rounds, 5}, {Parameter::beta, -1}};
}  // namespace

Real dual_step(const Options& o, Round t) {
  return o.beta < 0 ? o.alpha : 1 / (o.beta + std::sqrt(static_cast<Real>(t) + 2) / o.alpha);
}

constinit const AlgorithmRow kAmb{
    .name = "amb",
    .help = "Anytime Minibatch: computes until a deadline, then several exchanges",
    .run = amb,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = true,
    .goes_on_without = true,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Ferdinand, Al-Lawati, Draper, Nokleby: Anytime minibatch: exploiting stragglers in online "
        "distributed optimization, ICLR 2019",
    .states = kStates,
    .parameters = kParameters,
    .exchanges = amb_exchanges,
    .message_scalars = 1,
    .graph = kAnyGraph,
    .minimises = kBySpeed};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Local DSGD: Li, Yang, Wang, Zhang, "Communication-efficient local decentralized SGD methods", 2019; Koloskova,
// Loizou, Boreiri, Jaggi, Stich, "A unified theory of decentralized SGD with changing topology and local updates", ICML
// 2020.
//
// τ steps of one's own, then one exchange: the fewer messages, the larger the bias of heterogeneous data.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kSteps{0};

Task local_dsgd(Node& node, const Options& o) {
  const Source y = vector(1);  // scratch: the model while it takes its local steps
  for (Round t = node.first_round(); node.begins(t); ++t) {
    for (std::uint32_t k = 0; k < o.local_steps; ++k) {
      const Source at = k == 0 ? x : y;
      co_await node.gradient(o.batch, at);
      if (k + 1 < o.local_steps) node.pass({{y, at - o.alpha * g}});
    }
    node.publish(kSteps, (o.local_steps == 1 ? x : y) - o.alpha * g);
    co_await node.neighbours(kSteps);
    node.pass({{x, mixed(kSteps)}});  // x_i ← Σ_j w_ij y_j
  }
}

constexpr StateRow kStates[] = {{"y", StateRow::Start::model, StateRow::Kind::scratch}};
constexpr ParameterUse kParameters[] = {{Parameter::local_steps, 4}};
}  // namespace

constinit const AlgorithmRow kLocalDsgd{
    .name = "local-dsgd",
    .help = "several steps of its own between two exchanges",
    .run = local_dsgd,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = true,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Koloskova, Loizou, Boreiri, Jaggi, Stich: A unified theory of decentralized SGD with "
        "changing topology and local updates, ICML 2020",
    .states = kStates,
    .parameters = kParameters,
    .exchanges = sent_late,
    .graph = kAnyGraph};

}  // namespace quantimed

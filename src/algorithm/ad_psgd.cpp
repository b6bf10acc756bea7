// SPDX-License-Identifier: BSD-3-Clause
// AD-PSGD: Lian, Zhang, Zhang, Liu, "Asynchronous decentralized parallel stochastic gradient descent", ICML 2018. Once
// its gradient is there a node averages with one random neighbour, which computes on meanwhile; then it steps along a
// gradient whose point may have changed under it.
//
// Who steps more often counts more: where speeds differ for ever and data are heterogeneous it minimises
// Σ speed_i f_i, not Σ f_i, whatever α is.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
Task ad_psgd(Node& node, const Options& o) {
  const Source read = vector(1);  // what the gradient is taken at: from here on others may change x_i
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.pass({{read, x}});
    co_await node.gradient(o.batch, read);
    co_await node.average_with(node.partner(t));  // x_i, x_j ← (x_i + x_j) / 2
    node.pass({{x, x - o.alpha * g}});
  }
}

constexpr StateRow kStates[] = {{"read", StateRow::Start::model, StateRow::Kind::lasting}};
}  // namespace

constinit const AlgorithmRow kAdPsgd{
    .name = "ad-psgd",
    .help = "asynchronous: averages with one random neighbour, which computes on",
    .run = ad_psgd,
    .delivery = Delivery::pairwise,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = true,
    .alpha = "0.2",
    .epsilon = "1",
    .paper =
        "Lian, Zhang, Zhang, Liu: Asynchronous decentralized parallel stochastic gradient descent, "
        "ICML 2018",
    .states = kStates,
    .exchanges = there_and_back,
    .channels = 0,
    .weights = Weights::none,
    .minimises = kBySpeed};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Gossip with periodic global averaging: Chen, Yuan, Zhang, Pan, Xu, Yin, "Accelerating gossip SGD with periodic global
// averaging", ICML 2021. DSGD, adapt then combine, that averages all nodes in every H-th iteration.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
constexpr Channel kSteps{0}, kAll{1};
bool averages(const Options& o, Round t) { return (t + 1) % o.period == 0; }

Task gossip_pga(Node& node, const Options& o) {
  for (Round t = node.first_round(); node.begins(t); ++t) {
    co_await node.gradient(o.batch);
    if (averages(o, t)) {
      co_await node.average(kAll, x - o.alpha * g);
      node.pass({{x, mean(kAll)}});
    } else {
      node.publish(kSteps, x - o.alpha * g);
      co_await node.neighbours(kSteps);
      node.pass({{x, mixed(kSteps)}});
    }
  }
}

Exchanges gossip_pga_exchanges(const Options& o, Round t) { return {.is_collective = averages(o, t)}; }

constexpr ParameterUse kParameters[] = {{Parameter::period, 8}};
}  // namespace

constinit const AlgorithmRow kGossipPga{
    .name = "gossip-pga",
    .help = "gossip, and now and then an average of all nodes",
    .run = gossip_pga,
    .delivery = Delivery::round,
    .quantizes = false,
    .uses_epsilon = false,
    .uses_deadline = false,
    .goes_on_without = false,
    .alpha = "0.2",
    .epsilon = "1",
    .paper = "Chen, Yuan, Zhang, Pan, Xu, Yin: Accelerating gossip SGD with periodic global averaging, ICML 2021",
    .parameters = kParameters,
    .exchanges = gossip_pga_exchanges,
    .channels = 2,
    .graph = kAnyGraph};

}  // namespace quantimed

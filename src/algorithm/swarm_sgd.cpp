// SPDX-License-Identifier: BSD-3-Clause
// SwarmSGD: Nadiradze, Sabour, Davies, Li, Alistarh, "Asynchronous decentralized SGD with quantized and local updates",
// NeurIPS 2021, non-blocking. After H steps of its own a node averages with one random neighbour, which computes on
// meanwhile, and adds what its steps have moved it by. H = 1 is ad-psgd. As swarmsgd models are exact; as q-swarmsgd
// both are sent in a code (the paper's is modulo's lattice), and either node takes the mean of both as they are
// decoded. Blocking, where both of a pair take their H steps and then wait for each other, it is local-dsgd on
// random-matching.
//
// As with ad-psgd who steps more often counts more: Σ speed_i f_i where speeds differ for ever.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

namespace {
Task swarm_sgd(Node& node, const Options& o) {
  const Source base = vector(1), y = vector(2);  // where its steps begin; where they are
  for (Round t = node.first_round(); node.begins(t); ++t) {
    node.pass({{base, x}, {y, x}});
    for (std::uint32_t k = 0; k < o.local_steps; ++k) {
      co_await node.gradient(o.batch, y);
      node.pass({{y, y - o.alpha * g}});
    }
    co_await node.average_with(node.partner(t));  // x_i, x_j ← (x_i + x_j) / 2
    node.pass({{x, x + y - base}});
  }
}

constexpr StateRow kStates[] = {{"base", StateRow::Start::model, StateRow::Kind::lasting},
                                {"y", StateRow::Start::model, StateRow::Kind::lasting}};
constexpr ParameterUse kParameters[] = {{Parameter::local_steps, 3}};

constexpr AlgorithmRow row_of_swarm(const char* name, const char* help, bool quantizes) {
  return {.name = name,
          .help = help,
          .run = swarm_sgd,
          .delivery = Delivery::pairwise,
          .quantizes = quantizes,
          .uses_epsilon = false,
          .uses_deadline = false,
          .goes_on_without = true,
          .alpha = "0.2",
          .epsilon = "1",
          .paper =
              "Nadiradze, Sabour, Davies, Li, Alistarh: Asynchronous decentralized SGD with quantized and "
              "local updates, NeurIPS 2021",
          .states = kStates,
          .parameters = kParameters,
          .exchanges = there_and_back,
          .channels = 0,
          .weights = Weights::none,
          .minimises = kBySpeed};
}
}  // namespace

constinit const AlgorithmRow kSwarmSgd =
    row_of_swarm("swarmsgd", "asynchronous: local steps, then the mean with one random neighbour", false);
constinit const AlgorithmRow kQSwarmSgd = row_of_swarm("q-swarmsgd", "swarmsgd with quantized models", true);

}  // namespace quantimed

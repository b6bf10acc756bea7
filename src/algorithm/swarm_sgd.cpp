// SPDX-License-Identifier: BSD-3-Clause
// SwarmSGD: Nadiradze, Sabour, Davies, Li, Alistarh, "Asynchronous decentralized SGD with quantized and local updates",
// NeurIPS 2021, non-blocking and with exact models. After H steps of its own a node averages with one random neighbour,
// which computes on meanwhile, and adds what its steps have moved it by. H = 1 is ad-psgd.
//
// As with ad-psgd who steps more often counts more: Σ speed_i f_i where speeds differ for ever.
#include "algorithm/algorithms.hpp"

namespace quantimed {

using namespace formula;

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

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "engine/pairs.hpp"

#include "base/random.hpp"

namespace quantimed {

// The streams of schedules are of all nodes, draw 0.
NodeId partner_of(const Run& run, NodeId i, Round t) {
  const std::span<const Neighbour> neighbours = run.network.neighbours(i);
  if (neighbours.empty()) return i;
  Stream stream({.seed = run.seed, .node = i, .iteration = t, .purpose = Purpose::schedule, .draw = 1});
  return neighbours[stream.index(static_cast<std::uint32_t>(neighbours.size()))].id;
}

void average_models(std::span<float> a, std::span<float> b) {
  float* const one = a.data();
  float* const other = b.data();
#pragma omp simd
  for (std::size_t k = 0; k < a.size(); ++k) one[k] = other[k] = 0.5f * (one[k] + other[k]);
}

PairCost cost_of_pair(const Run& run, double message_bytes, const Charge& charge) {
  return {.bytes = 2 * message_bytes,
          .on_paper_link = 2 * run.link.exchange(charge.bits_per_coordinate(message_bytes)),
          .on_link = 2 * run.link.delay(charge.bytes(message_bytes))};
}

}  // namespace quantimed

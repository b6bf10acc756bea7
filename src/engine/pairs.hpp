// SPDX-License-Identifier: BSD-3-Clause
// `pairwise` delivery, what is the same on every clock: who averages with whom, and what that is.
#pragma once

#include "base/types.hpp"
#include "engine/engine.hpp"
#include "engine/node_core.hpp"

#include <span>

namespace quantimed {

// The neighbour of node i in iteration t, each as likely as the others; itself where it has none.
NodeId partner_of(const Run& run, NodeId i, Round t);

// Memory to average two models in, where they are sent in a code.
struct PairRoom {
  AlignedVector<std::byte> messages[2];
  AlignedVector<Real> sums[2];  // [p]
};
// What that has cost.
struct PairMessages {
  double wire_bytes = 0;                        // of both
  std::uint64_t overflows = 0, violations = 0;  // coordinates, and blocks that were decoded wrongly
};

// Node i, in its iteration t, and another: both ← (Q(x_i) + Q(x_j))/2, where each decodes both messages beside its own
// model. With exact ones that is their mean, and the sum stays what it was, but for the rounding of float32.
PairMessages average_models(const Run& run, NodeId i, Round t, std::span<Real> x_i, std::span<Real> x_j,
                            PairRoom& room);
// On the wire, of a message that holds x; that of codes which are all of one length does not depend on it.
double pair_message_bytes(const Run& run, NodeId i, Round t, std::span<const Real> x, PairRoom& room);

// Of both messages of an averaging, one after the other: the partner learns of it from the first.
struct PairCost {
  double bytes = 0;           // on the wire
  Seconds on_paper_link = 0;  // LinkModel::exchange
  Seconds on_link = 0;        // LinkModel::delay
};
PairCost cost_of_pair(const Run& run, double message_bytes, const Charge& charge);

}  // namespace quantimed

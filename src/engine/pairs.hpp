// SPDX-License-Identifier: BSD-3-Clause
// `pairwise` delivery, what is the same on every clock: who averages with whom, and what that is.
#pragma once

#include "engine/engine.hpp"

#include <span>

namespace quantimed {

// The neighbour of node i in iteration t, each as likely as the others; itself where it has none.
NodeId partner_of(const Run& run, NodeId i, Round t);

// Both ← their mean. The sum stays what it was, but for the rounding of float32.
void average_models(std::span<float> a, std::span<float> b);

// Of both messages of an averaging, one after the other: the partner learns of it from the first.
struct PairCost {
  double bytes = 0;           // on the wire
  Seconds on_paper_link = 0;  // LinkModel::exchange
  Seconds on_link = 0;        // LinkModel::delay
};
PairCost cost_of_pair(const Run& run, double message_bytes, const Charge& charge);

}  // namespace quantimed

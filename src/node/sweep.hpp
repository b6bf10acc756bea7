// SPDX-License-Identifier: BSD-3-Clause
// Formulas carried out: block by block through the first-level cache, so that each vector is read from memory once, and
// a message is decoded once for each way that it is read. The result of a coordinate does not depend on the others.
#pragma once

#include "node/mix.hpp"

#include <span>

namespace quantimed {

// A vector of the node: in float32, or wide (float64). [p]
struct VectorView {
  std::span<Real> single;
  std::span<double> wide;  // empty unless wide
};

// What a channel has brought.
struct Received {
  const Codec* codec = nullptr;
  std::span<const std::byte> own;  // the node's newest message
  Real own_weight = 0;             // w_ii, and the weights of neighbours that are lost
  std::span<const MixTerm> terms;  // neighbours' messages with w_ij; of a collective: all nodes' with 1/n
};

struct SweepInput {
  std::span<const VectorView> vectors;  // 0: the model
  std::span<const Received> channels;
  GradientSum gradient;
  std::size_t gradient_at = 0;  // the vector that it was taken at: its ℓ2 term
  std::span<const CoordinateRange> penalised;
};

// All statements in their order. Returns how many blocks of messages are known to be decoded wrongly.
std::uint64_t sweep(const SweepInput& input, std::span<const Statement> statements);

// out [p] ← the form. out: no vector of the input.
std::uint64_t evaluate(const SweepInput& input, const Linear& form, std::span<Real> out);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The nodes of a real-time run that has ended, in whatever process they are, as its curve needs them.
#pragma once

#include "base/types.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace quantimed {

// A node's model at a mark; its last one where the node has ended before.
struct ModelCopy {
  const Real* model;  // [p]
  Round iteration;
};

class EndedNodes {
 public:
  static constexpr std::uint64_t kEnd = ~std::uint64_t{0};  // the mark of the models as they are now

  virtual ~EndedNodes() = default;
  virtual Round finished(NodeId i) const = 0;                // iterations
  virtual std::optional<Round> lost_in(NodeId i) const = 0;  // the round that it did not begin
  // The stride that all nodes' copies have from now on: the coarsest among them, and no finer than this.
  virtual std::uint64_t coarsen_to_one(std::uint64_t stride) = 0;
  virtual std::span<const ModelCopy> at(std::uint64_t mark) = 0;  // [n], until the next call
};

}  // namespace quantimed

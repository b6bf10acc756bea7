// SPDX-License-Identifier: BSD-3-Clause
// Which process of a run has which nodes: blocks in the order of their ids, as even as can be, so that rank after rank
// is node after node.
#pragma once

#include "base/types.hpp"

#include <cstdint>

namespace quantimed {

using Rank = std::uint32_t;

struct Layout {
  std::uint32_t nodes = 0;
  Rank ranks = 1;  // at most `nodes`, so that none is without a node
  Rank rank = 0;   // this process

  NodeId first_of(Rank r) const { return static_cast<NodeId>(std::uint64_t{r} * nodes / ranks); }
  Rank rank_of(NodeId i) const {
    return static_cast<Rank>((std::uint64_t{ranks} * (i + std::uint64_t{1}) - 1) / nodes);
  }

  // Of this process.
  NodeId first() const { return first_of(rank); }
  NodeId last() const { return first_of(rank + 1); }  // exclusive
  std::uint32_t here() const { return last() - first(); }
  bool has(NodeId i) const { return i >= first() && i < last(); }
};

}  // namespace quantimed

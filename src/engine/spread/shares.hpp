// SPDX-License-Identifier: BSD-3-Clause
// Ranks that are started on one host with the same cores share them evenly.
#pragma once

#include "engine/spread/fleet.hpp"

#include <vector>

namespace quantimed {

// Which cores a rank may have: an even part of those that it shares with all ranks of its host, or all of its own where
// they share some of their cores only, or there are fewer than ranks.
struct CoreShare {
  std::vector<int> cores;
  bool are_shared = false;  // with another rank
};

// Of this process, whose cores are `mine`. Every process calls this at the same time.
CoreShare share_cores(Fleet& fleet, const std::vector<int>& mine);

}  // namespace quantimed

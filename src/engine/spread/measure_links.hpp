// SPDX-License-Identifier: BSD-3-Clause
// What messages cost between the ranks of a fleet, one pair of them at a time: by the mailboxes, courier and ghosts of
// a run (exchange_end.hpp).
#pragma once

#include "engine/engine.hpp"
#include "engine/spread/fleet.hpp"
#include "timing/rank_links.hpp"

#include <functional>
#include <string>
#include <vector>

namespace quantimed {

struct MeasuredLinks {
  RankLinks links;      // the transport's name is left to the caller
  std::string invalid;  // why these figures should not be trusted; empty: nothing was wrong
  bool is_interrupted = false;
};

// Every process calls this at the same time; what comes back is rank 0's. `run`: two nodes that hear each other,
// `round` delivery, alike everywhere; its largest message has room for every size. `sizes`: bytes, ascending.
// `goes_on`: asked everywhere between pairs, with the share that is done; where it says no all end.
MeasuredLinks measure_links(Fleet& fleet, const Run& run, const std::vector<std::size_t>& sizes,
                            const std::function<bool(double)>& goes_on);

}  // namespace quantimed

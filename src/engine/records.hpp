// What each node did in each of its iterations, while it happens; Rounds is the same, as the trace stores it.
#pragma once

#include "trace/trace.hpp"

#include <vector>

namespace quantimed {

// Meanings and units: Rounds. The phases follow each other without a gap, so they add up to the iteration.
struct RoundRecord {
  double start = 0;
  float compute = 0, encode = 0, publish = 0, wait = 0, exchange = 0, mix = 0, record = 0;
  float batch = 0, deadline = 0, overshoot = 0, speed_asked = 0, staleness = 0, age = 0, overwritten = 0, bytes = 0;
};

// records[i][t] of node i → [iterations, n], with NaN beyond a node's last. At most `limit` iterations.
Rounds to_rounds(std::span<const std::span<const RoundRecord>> records, std::size_t limit = ~std::size_t{0});

// And back: each node's records up to the first gap.
std::vector<std::vector<RoundRecord>> from_rounds(const Rounds& rounds);

}  // namespace quantimed

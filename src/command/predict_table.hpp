// SPDX-License-Identifier: BSD-3-Clause
// What `predict` prints of numbers of cores that need not be there.
#pragma once

#include "config/config.hpp"
#include "engine/virtual/rank_clock.hpp"
#include "timing/rank_links.hpp"

#include <string>
#include <vector>

namespace quantimed {

// A number of cores that need not be there.
struct Extrapolation {
  std::string algorithm;
  std::uint32_t cores;
  double rounds_per_s, samples_per_s, wait_share;
  CrossingMessages messages;  // in an iteration; over --ranks
};

std::string extrapolation_table(const std::vector<Extrapolation>& points, bool is_over_ranks);
// How a run over the --ranks was predicted, for who reads the table.
std::string assumptions_over_ranks(const Config& given, const RankLinks& links);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What a message costs between two ranks of a run over MPI, as `quantimed-mpi calibrate` measures it.
#pragma once

#include "base/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quantimed {

// Over all pairs of one kind, one pair at a time. Bytes ascend, at least one point; all lines have the same bytes,
// which are those of the payload. Times are in seconds.
struct LinkCosts {
  using Points = std::vector<std::pair<std::size_t, Seconds>>;
  std::uint32_t pairs = 0;
  Points one_way;    // half the way there and back of a message, from mailbox to ghost: median
  Points low, high;  // … the quartiles
  Points gap;        // between messages that are sent one after the other as fast as they leave: median

  // Linear between measured points and beyond the last; below the first as that. A message holds its courier for the
  // gap, and is there after the way, which is no shorter.
  Seconds gap_time(double bytes) const;
  Seconds one_way_time(double bytes) const;
};

struct RankLinks {
  std::string library;                           // "Open MPI v4.1.4 (MPI 3.1)"
  std::optional<LinkCosts> one_host, two_hosts;  // of pairs of ranks on the same host, and on different ones
  bool are_known() const { return one_host || two_hosts; }
};

}  // namespace quantimed

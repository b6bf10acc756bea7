// The paper's clock for synchronous algorithms. Values and time are computed apart: what a node computes depends on
// its inputs' rounds only, and when, on the durations that its rounds report.
#pragma once

#include "engine/engine.hpp"
#include "engine/records.hpp"

#include <vector>

namespace quantimed {

class VirtualClock {
 public:
  VirtualClock(const Run& run, std::size_t dimension);

  // Takes round t of every node, with compute and bytes filled, and fills start, wait and exchange.
  //   F_i = S_i + compute_i
  //   paper:T_c      E_i = max_{j ∈ N_i ∪ i} F_j + T_c · bits/16     (exchange follows computation, as in the paper)
  //   alpha-beta     E_i = max(F_i, max_{j ∈ N_i} S_j + latency + bytes_j / bandwidth)   (sent before computing)
  //   barrier        all nodes have the largest E_i;   S_i of the next round is E_i
  void advance(std::vector<std::vector<RoundRecord>>& records, Round t);

  Seconds earliest() const;  // start of the next round, of the first node
  Seconds latest() const;    // … of the last

 private:
  Seconds exchange_time(float bytes) const;

  const Run& run_;
  double dimension_;
  std::vector<Seconds> start_, computed_, end_;  // [n]
};

}  // namespace quantimed

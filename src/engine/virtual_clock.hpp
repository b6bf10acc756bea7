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
  // On a machine that is predicted, as a threads run goes: P_i = S_i + encode + publish, then the gradient,
  //   E_i = max(F_i, max_{j ∈ N_i} max(P_j + latency, P_j − publish + the link's delay)),
  // and S_i of the next round is E_i + mix + record.
  void advance(std::vector<std::vector<RoundRecord>>& records, Round t);

  Seconds earliest() const;                                      // start of the next round, of the first node
  Seconds latest() const;                                        // … of the last
  const std::vector<Seconds>& starts() const { return start_; }  // … of each

 private:
  Seconds exchange_time(float bytes) const;
  void advance_on_machine(std::vector<std::vector<RoundRecord>>& records, Round t);

  const Run& run_;
  double dimension_;
  std::vector<Seconds> start_, sent_, computed_, end_;  // [n]
};

}  // namespace quantimed

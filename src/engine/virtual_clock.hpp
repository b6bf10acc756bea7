// The paper's clock for synchronous algorithms. Values and time are computed apart: what a node computes depends on
// its inputs' rounds only, and when, on the durations that its rounds report.
#pragma once

#include "engine/engine.hpp"
#include "engine/records.hpp"

#include <cstdint>
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
  // F_i is later by what a fault takes from node i, or by the patience where it waits for a lost neighbour.
  void advance(Records& records, Round t);

  // Before round t is taken: node i has left the run, and its neighbours wait for it in vain; or is late by so much.
  void lose(NodeId i);
  void delay(NodeId i, Seconds by) { away_[i] = by; }
  bool is_living(NodeId i) const { return living_[i] != 0; }

  Seconds earliest() const;                                      // start of the next round, of the first node
  Seconds latest() const;                                        // … of the last
  const std::vector<Seconds>& starts() const { return start_; }  // … of each

 private:
  Seconds exchange_time(float bytes) const;
  void begin_next_round();
  void advance_on_machine(Records& records, Round t);

  const Run& run_;
  double dimension_;
  std::vector<Seconds> start_, sent_, computed_, end_;  // [n]
  std::vector<Seconds> away_, in_vain_;                 // [n], in the round to come: stalled; waiting for a lost node
  std::vector<std::uint8_t> living_;                    // [n]
};

}  // namespace quantimed

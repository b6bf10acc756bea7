// SPDX-License-Identifier: BSD-3-Clause
// The paper's clock for synchronous algorithms. Values and time are computed apart: what a node computes depends on
// its inputs' rounds only, and when, on the durations that its rounds report. So one run can have several clocks that
// charge its messages differently.
#pragma once

#include "engine/engine.hpp"
#include "engine/virtual/rank_clock.hpp"
#include "record/records.hpp"
#include "timing/fault_plan.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace quantimed {

class VirtualClock {
 public:
  // The nodes start at these times; none given: all at 0.
  VirtualClock(const Run& run, const Charge& charge, std::vector<Seconds> starts = {});

  // Takes round t of every node, with compute and bytes filled.
  //   F_i = S_i + compute_i
  //   paper:T_c      E_i = max_{j ∈ N_i ∪ i} F_j + T_c · bits/16     (exchange follows computation, as in the paper)
  //   alpha-beta     E_i = max(F_i, max_{j ∈ N_i} S_j + latency + bytes_j / bandwidth)   (sent before computing)
  //   barrier        all nodes have the largest E_i;   S_i of the next round is E_i
  // where N_i are those whom i hears in this exchange, and bits and bytes what the charge says. A message that depends
  // on the gradient is sent at F_j, not at S_j. Where an iteration has several exchanges the next begins at E_i, with
  // nothing to compute; or, where exchanges travel beside the gradient (amb-dg), with the next of equal parts of
  // compute_i, and on any link E_i = max(F_i, max_{j ∈ N_i ∪ i} S_j + the link's time). A collective is a ring
  // all-reduce among all nodes: 2 (n − 1)/n of the vectors, in 2 (n − 1) steps. On a machine that is predicted, as a
  // threads run goes: P_i = S_i + encode + publish, then the gradient,
  //   E_i = max(F_i, max_{j ∈ N_i} max(P_j + latency, P_j − publish + the link's delay)),
  // and S_i of the next round is E_i + mix + record. Its link carries what is on the wire.
  // Over several ranks it is the rank clock that says when P_j's message may be seen (rank_clock.hpp).
  // F_i is later by what a stall takes from node i, or by the patience where it waits for a lost neighbour.
  // advance() also fills start, wait, exchange and age of these records; pass() leaves them as they are.
  void advance(Records& records, Round t);
  void pass(const Records& records, Round t);

  // Before round t is taken: node i has left the run, and its neighbours wait for it in vain.
  void lose(NodeId i);
  bool is_living(NodeId i) const { return living_[i] != 0; }

  void save(Attributes& state) const {
    if (ranks_) ranks_->save(state);
  }

  Seconds earliest() const;                                      // start of the next round, of the first node
  Seconds latest() const;                                        // … of the last
  const std::vector<Seconds>& starts() const { return start_; }  // … of each

 private:
  void take(const Records& records, Round t);
  void exchange(const Records& records, Round t, const Exchanges& exchanges);
  Seconds collective(double bytes) const;
  Seconds time_on_link(double bytes) const;
  void note(Records& records, Round t);
  void advance_on_machine(Records& records, Round t);
  void stall();
  void begin_next_round(Round t);

  // Whom i hears in the exchange that is charged now.
  std::span<const Neighbour> sources(NodeId i) { return run_.network.sources(i, message_, sources_); }

  const Run& run_;
  Charge charge_;
  std::optional<RankClock> ranks_;
  Round first_message_, message_;                       // of the iteration to come; of the exchange
  std::vector<Neighbour> sources_;                      // of a schedule
  std::vector<Seconds> start_, sent_, computed_, end_;  // [n]
  std::vector<Seconds> exchange_;                       // [n], charged after the last computation
  std::vector<Seconds> all_exchanges_, all_waits_;      // [n], of the iteration
  std::vector<Seconds> away_, in_vain_;                 // [n], in the round to come: stalled; waiting for a lost node
  std::vector<std::uint8_t> living_;                    // [n]
  FaultPlan stalls_;                                    // longer ones are losses
};

}  // namespace quantimed

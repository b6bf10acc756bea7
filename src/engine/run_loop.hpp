// SPDX-License-Identifier: BSD-3-Clause
// What a run is on any clock: watched, reported, stopped, checkpointed, ended. An engine says how its nodes get on.
#pragma once

#include "engine/node_core.hpp"
#include "record/records.hpp"

namespace quantimed {

// Of one of a row's states over the nodes, to see that they sum to zero; or of the push-sum weights.
struct SumOfState {
  std::size_t vector;       // NodeCore::vector(); 0: the weights
  std::vector<double> sum;  // [p], or one
  double squares = 0;
};

class RunLoop {
 public:
  virtual ~RunLoop() = default;
  RunLoop(const RunLoop&) = delete;
  RunLoop& operator=(const RunLoop&) = delete;

 protected:
  RunLoop(const Run& run, Watcher& watcher);

  // ---- what an engine has of its own ----
  virtual NodeCore& core(NodeId i) = 0;                // of one that is here
  virtual bool is_here(NodeId) const { return true; }  // and not in another process of the run
  virtual void add_others(Checkpoint&) {}              // the part of those that are not, at the end of a run
  virtual void add_others(SumOfState&) {}
  virtual void add_others(std::uint64_t& /*overflows*/, std::uint64_t& /*violations*/) {}
  virtual Seconds clock() const = 0;                                 // of the run, now
  virtual void carry_out() {}                                        // updates that were noted down for later
  virtual void save_more(Checkpoint& checkpoint) = 0;                // than the nodes' cores, the clock and the counts
  virtual std::optional<Recording> recording() const { return {}; }  // so far
  virtual void add_figures() {}                                      // to the outcome, beside the counts

  // ---- what it calls ----
  // The run breaks off, since this node has failed.
  void fail(NodeId i, const std::exception& why) { fail(i, core(i).round(), why); }
  void fail(NodeId i, Round round, const std::exception& why);
  bool broke_off() const { return !outcome_.failure.empty(); }

  // Shows how far the run is, 0 … 1, and writes what there is so far where that is due: with what a killed run could be
  // resumed from, if the models are `a_cut` and it may be. True: it has written.
  bool report(double done, bool a_cut);

  // Where the run could be resumed: the models are a cut.
  Checkpoint checkpoint();
  Checkpoint part_of_checkpoint();  // of the nodes that are here, without its state
  void sum_up(SumOfState& state);   // of the nodes that are here
  // The nodes' cores as they were at the cut of a resumed run. Refuses a checkpoint that lacks them, by name.
  void restore_cores();

  // At a cut: how far what the row promises of all nodes together is off, of its size; nothing where it promises
  // nothing.
  std::optional<double> sum_error();

  // Once nothing runs any more: counts, figures, records, and where the run was stopped.
  void end();

  const Run& run_;
  Watcher& watcher_;
  Records records_;
  Outcome outcome_;
  std::uint64_t overflows_, violations_;  // before a cut, and what the nodes' cores do not count

 private:
  void check_invariants();
  double error_of_state(std::size_t k);  // of the row's; NaN where it is not finite
  double mean_weight();                  // of push-sum
  bool keeps_sums() const;

  double most_sum_error_ = 0;  // at any cut
  void add_counts(std::uint64_t& overflows, std::uint64_t& violations);
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Virtual time for `pairwise` delivery: a discrete-event simulation.
//
// The clock alone decides the order of events, (time, node): ends of gradients, and averagings, each of which is one
// event of the node that began it once its messages have been exchanged. The partner's clock does not see it. Gradients
// are taken at copies that nobody else changes, so all that are under way can be computed together, a node a worker;
// everything else is done as the events come.
#pragma once

#include "base/worker_choice.hpp"
#include "engine/pairs.hpp"
#include "engine/virtual/virtual_run.hpp"
#include "timing/fault_plan.hpp"

#include <functional>
#include <memory>
#include <queue>
#include <utility>
#include <vector>

namespace quantimed {

class PairEngine;

class PairNode final : public VirtualNode {
 public:
  PairNode(PairEngine& engine, NodeId id, std::span<Real> x);

  NodeId partner(Round t) const override;

  void save(Checkpoint& checkpoint) const;
  // Starts the algorithm's text again, up to the await that the saved run was in. Its vectors are those of then.
  void restore(const Checkpoint& saved);

  void compute(Scratch& scratch);  // the gradient that is under way, into this node's own memory
  void event_is_due() { ++awaits_; }
  bool is_lost() const { return is_lost_; }

  bool pending = false;  // a gradient is asked for and not yet computed

 protected:
  bool wants(Round t) override;
  void send(Channel, const Linear&, Real) override { check(false, "pairwise delivery: nothing is published"); }
  void apply(std::span<const Statement> statements) override;
  bool start(const GradientRequest& request) override;
  bool start(const MessagesRequest&) override { return true; }
  bool start(const AverageRequest& request) override;
  Messages finish(Messages) override { return {}; }
  Averaged finish(Averaged) override;

 private:
  Seconds now() const;  // on this node's own clock
  void wait_for(Seconds duration);
  double message_bytes();
  bool is_behind();  // while the text is started again: the saved run is beyond this await

  PairEngine& engine_;
  AlignedVector<Real> sum_;  // [p]
  AverageRequest averages_;
  std::uint32_t awaits_ = 0;    // that are over, in this iteration
  std::uint32_t repeated_ = 0;  // of those, while the text is started again
  bool is_lost_ = false;
  Seconds ahead_ = 0;  // of the engine's clock: how long a stall has lasted since the last event
  Seconds event_time_ = 0;
};

class PairEngine final : public RunOfUpdates<PairNode> {
 public:
  PairEngine(const Run& run, Watcher& watcher);

 protected:
  bool advance() override;
  void restore() override;
  Cut cut() override;
  void save_more(Checkpoint& checkpoint) override;

 private:
  friend class PairNode;
  using Event = std::pair<Seconds, NodeId>;

  void compute_pending();

  std::vector<Scratch> scratch_;  // [workers]
  WorkerChoice gradient_workers_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  Charge charge_;
  FaultPlan faults_;
  PairRoom room_;
};

}  // namespace quantimed

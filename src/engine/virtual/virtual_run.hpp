// SPDX-License-Identifier: BSD-3-Clause
// A run in virtual time, of either delivery: from one moment at which all models belong together to the next.
#pragma once

#include "engine/model_arena.hpp"
#include "engine/run_loop.hpp"
#include "engine/virtual/virtual_engines.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace quantimed {

// A node in virtual time, of either delivery.
class VirtualNode : public Node {
 public:
  VirtualNode(const Run& run, NodeId id);

  Seconds deadline() final { return core.deadline(run_.deadline.fixed_s); }
  Real& scalar() final { return core.scalar(); }

  NodeCore core;
  Task task;

 protected:
  // How long the gradient takes and over how many samples it is; the numbers are computed later.
  void plan(const GradientRequest& request);
  Gradient finish(Gradient) final { return {.batch = batch_}; }
  // The text once more, up to the await that the saved run was in. Returns when the event is that it waited for.
  Seconds start_again(const Checkpoint& saved, const char* never_waits);

  const Run& run_;
  std::size_t batch_ = 0;   // of the gradient that was planned
  bool restoring_ = false;  // while the text is started again

 private:
  struct {
    double batch = 0, compute = 0, deadline = 0, overshoot = 0;
  } planned_;  // of the iteration
  EarlierParts earlier_;
};

class VirtualRun : public RunLoop {
 public:
  Outcome operator()();

 protected:
  VirtualRun(const Run& run, Watcher& watcher);

  // To the first such moment, and from one to the next. False: there is none, as time is up or a node has failed.
  virtual bool begin() = 0;
  virtual bool advance() = 0;
  virtual bool is_finished() const = 0;
  virtual double iteration() const = 0;                    // mean of all nodes
  virtual bool is_time_to_report() const { return true; }  // and to keep a checkpoint
  virtual void finish_records() { records_.finish(); }     // those whose iterations have ended on the clock
  virtual Cut cut() = 0;                                   // of models that are up to date

  bool observe();

  // Runs a node's text until it waits again, or ends. A failure ends the run.
  void resume(VirtualNode& node);
  // A lost node's model is no part of later cuts.
  void lose(NodeId i, Round t);

  std::size_t p_;
  ModelArena arena_;
  EvaluationSchedule schedule_;
  std::vector<const Real*> models_;  // [living] of [p]
};

// A run whose nodes share no rounds: from one update of a node to the next.
template <class EachNode>
class RunOfUpdates : public VirtualRun {
 protected:
  using VirtualRun::VirtualRun;

  NodeCore& core(NodeId i) override { return nodes_[i]->core; }
  Seconds clock() const override { return now_; }
  double iteration() const override { return static_cast<double>(updates_) / static_cast<double>(nodes_.size()); }
  bool begin() override {
    if (run_.resume)
      restore();
    else
      for (NodeId i = 0; i < nodes_.size() && !broke_off(); ++i) resume(*nodes_[i]);
    return !broke_off();
  }
  bool is_finished() const override { return updates_ >= std::uint64_t{run_.iterations} * nodes_.size(); }
  bool is_time_to_report() const override { return updates_ % nodes_.size() == 0; }
  virtual void restore() = 0;  // all nodes, of a run that is resumed

  std::vector<std::unique_ptr<EachNode>> nodes_;
  Seconds now_ = 0;
  std::uint64_t updates_ = 0;
};

}  // namespace quantimed

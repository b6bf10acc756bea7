// SPDX-License-Identifier: BSD-3-Clause
// A node of `pairwise` delivery on its own thread: other threads change its model while it computes.
//
// A lock for each model is held while the model is read or changed, and never over a gradient: gradients are taken at
// copies. Who averages takes both locks, that of the lower id first, so nobody waits in a circle; both models change
// under both locks, so the sum of all models changes by the nodes' own steps alone, and a copy for the curve never
// falls between the two. tests/model/pair.pml checks this exhaustively on three nodes.
#pragma once

#include "engine/pairs.hpp"
#include "engine/threads/threads_node.hpp"

namespace quantimed {

// Spins, and gives its core away as the run's policy says.
class ModelLock {
 public:
  // acquire and release: who takes it sees all that was done under it.
  bool try_lock() {
    return !is_taken_.load(std::memory_order_relaxed) && !is_taken_.exchange(true, std::memory_order_acquire);
  }
  void unlock() { is_taken_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> is_taken_ = false;
};

class PairThreadNode final : public ThreadNode {
 public:
  PairThreadNode(ThreadedRun& shared, NodeId id);

  NodeId partner(Round t) const override;
  std::uint64_t turns() const { return guarded_.turns; }  // once the nodes have ended

 protected:
  bool wants(Round t) override { return wants_until_all_have_done(t); }
  void log_end_of_iteration() override;
  void send(Channel, const Linear&, Real) override { check(false, "pairwise delivery: nothing is published"); }
  void apply(std::span<const Statement> statements) override;
  using ThreadNode::finish;
  using ThreadNode::start;
  bool start(const MessagesRequest&) override { return true; }
  bool start(const AverageRequest& request) override;
  Averaged finish(Averaged) override { return {.is_done = is_averaged_}; }
  std::span<std::byte> next_message() override { return {}; }

 private:
  // Locks the model of another node, or its own; unlocks it at the end.
  class Held {
   public:
    Held(PairThreadNode& waiting, PairThreadNode& of) : of_(of) { waiting.take(of); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() { of_.guarded_.lock.unlock(); }

   private:
    PairThreadNode& of_;
  };

  PairThreadNode& node(NodeId j) const { return static_cast<PairThreadNode&>(*shared_.nodes[j]); }
  void take(PairThreadNode& of);
  void keep_copy_before_change(Seconds now);
  double message_bytes();
  bool average_both(PairThreadNode& partner);
  void take_turn(PairEntry what);

  PairRoom room_;
  bool is_averaged_ = false;
  // What the lock guards beside the model and its copies for the curve.
  struct alignas(kSeparation) Guarded {
    ModelLock lock;
    std::uint64_t turns = 0;  // at the model, of whoever read or changed it: puts that in one order
    Round steps = 0;          // of its own node
  } guarded_;
};

}  // namespace quantimed

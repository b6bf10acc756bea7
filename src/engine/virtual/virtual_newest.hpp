// SPDX-License-Identifier: BSD-3-Clause
// Virtual time for `newest` delivery: a discrete-event simulation.
//
// The clock alone decides the order of events, (time, node). What a node reads depends on that order, so updates and
// messages are noted down as events pass and carried out later, in order, by all workers at once: each worker owns a
// range of coordinates, and since an update is coordinate-wise its range needs nobody else's. Gradients depend only
// on their own node's model: when one is needed, all that are pending are computed, a node a worker.
#pragma once

#include "base/worker_choice.hpp"
#include "engine/node_core.hpp"
#include "engine/virtual/event_queue.hpp"
#include "engine/virtual/virtual_run.hpp"
#include "timing/fault_plan.hpp"

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace quantimed {

// A message on its way, or arrived and not yet overtaken.
struct Sent {
  std::size_t buffer;
  std::span<const std::byte> payload;  // in its buffer
  double wire_bytes;
  Round iteration;
  Seconds published_at;
  Seconds visible_at;
};

struct NewestOutbox {
  std::vector<AlignedVector<std::byte>> buffers;
  std::vector<std::size_t> unused;  // of `buffers`
  std::vector<Sent> versions;       // oldest first, few; front: what a reader sees now
};

// Work noted down: an update of a node's model, or (with `copy`) its message.
struct Deferred {
  NodeId node;
  bool copy;
  Update update;
  std::size_t first_term, terms;
  Round iteration;  // of a copy
  std::span<std::byte> message;
};

class NewestEngine;

class NewestNode final : public VirtualNode {
 public:
  NewestNode(NewestEngine& engine, NodeId id, std::span<Real> x);

  void save(Checkpoint& checkpoint) const;
  // Starts the algorithm's text again, up to the await that the saved run was in. Messages are there already.
  void restore(const Checkpoint& saved, std::span<const std::uint32_t>& next_unseen);

  // The pending gradient, into this node's own memory.
  void compute(Scratch& scratch);

  // Asks for what the next event of the node will touch, and for what a gradient or an update of it will.
  void prefetch_event() const;
  void prefetch_vectors() const;

  bool pending = false;    // a gradient is asked for and not yet computed
  Seconds event_time = 0;  // of the event that this node waits for

 protected:
  bool wants(Round t) override;
  void send(Channel c, const Linear& what, Real scalar) override;
  void apply(std::span<const Statement> statements) override;
  bool start(const GradientRequest& request) override;
  bool start(const MessagesRequest& request) override;
  Messages finish(Messages) override;

 private:
  Seconds now() const;  // on this node's own clock
  void spend(float RoundRecord::*phase, Seconds time);
  void wait_for(Seconds duration);  // from its own time on
  bool link_is_full() const;
  void send_part(Channel c, const Linear& what);
  std::optional<Sent> new_version(Round iteration);  // none: the link is full, and the message is dropped
  void send_version(Sent version, double wire_bytes, Seconds latency, Seconds on_link);

  NewestEngine& engine_;
  AlignedVector<Real> sum_;          // [p]
  AlignedVector<std::byte> parcel_;  // what it has published, where that is more than its model
  double parcel_bytes_ = 0;          // on the wire
  Channel asked_{0};                 // for messages of it
  bool has_begun_ = false;           // an iteration
  bool has_updated_ = false;         // in this iteration
  bool exchanging_ = false;          // waits for its exchange; else for its gradient
  Seconds ahead_ = 0;                // of the engine's clock: what this node has done since its last event
};

class NewestEngine final : public RunOfUpdates<NewestNode> {
 public:
  NewestEngine(const Run& run, Watcher& watcher);

 protected:
  bool advance() override;
  void carry_out() override;
  void restore() override;
  Cut cut() override;
  void save_more(Checkpoint& checkpoint) override;
  void add_figures() override;

 private:
  friend class NewestNode;

  void prefetch_events() const;
  void prefetch_work(std::size_t k) const;
  void compute_pending();
  void carry_out_with(std::uint32_t team);
  const Sent& newest_visible(NodeId j);
  bool charges(bool wire_bits) const;
  void restore_messages();

  std::vector<NewestOutbox> outboxes_;
  std::vector<Scratch> scratch_;  // [workers]
  WorkerChoice gradient_workers_, mix_workers_;
  EventQueue events_;
  std::vector<NodeId> pending_;  // nodes whose gradients are
  std::vector<Deferred> deferred_;
  std::vector<MixTerm> terms_;
  Charge charge_;
  FaultPlan faults_;
  std::uint64_t dropped_;
};

}  // namespace quantimed

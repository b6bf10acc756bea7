// SPDX-License-Identifier: BSD-3-Clause
// Virtual time for `round` delivery.
//
// A node waits only for the messages of its own round, so values depend on no clock: workers run whatever node is
// ready, in any order, and the clock is reckoned afterwards from the durations (virtual_clock.hpp). Every few rounds
// all nodes are held at the same round: there the models are a consistent cut, and the run is evaluated or ended.
//
// A node's gradient is computed as late as its update: then the model is read once, and the gradient lives in the
// worker's cache instead of the node's memory. A text that sends its model alone is run until it waits again; what it
// has asked for until then (a gradient, an update, a message) is noted down and carried out behind it, of one node or
// of several together (mix_together.hpp): on a dense graph, whose nodes are ready at the same time, every message is
// then read from memory once for many readers. On a sparse graph a node at a time is faster, which measuring tells,
// and with several workers, too (most_together()).
#pragma once

#include "base/worker_choice.hpp"
#include "engine/memory_plan.hpp"
#include "engine/node_core.hpp"
#include "engine/virtual/ready_queue.hpp"
#include "engine/virtual/virtual_clock.hpp"
#include "engine/virtual/virtual_run.hpp"
#include "node/mix_together.hpp"
#include "timing/fault_plan.hpp"

#include <array>
#include <atomic>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quantimed {

class RoundNode;

// An update that a text has asked for, with all that it needs.
struct NotedUpdate {
  RoundNode* node;
  Round round;    // of its samples
  Update update;  // the gradient's sum: where it is going to be
  std::size_t first_term, terms;
};

// What one worker thread owns.
struct RoundWorker {
  explicit RoundWorker(const Run& run) : gradients(most_together(run) * run.problem.dimension()), mix(run.codec) {}

  AlignedVector<Real> gradients;  // [most_together()] of [p]
  Scratch scratch;
  std::vector<NodeId> together;  // nodes that it runs now
  // What they have asked for: updates, with the messages heard for them, and messages to be encoded.
  std::vector<NotedUpdate> updates;
  std::vector<MixTerm> terms;
  std::vector<RoundNode*> messages;
  std::vector<MixJob> jobs;  // the updates again
  MixTogether mix;
  std::vector<NodeId> ready;
};

// One message. When it was published and heard is the clock's to say, afterwards.
struct Slot {
  AlignedVector<std::byte> message;
  std::size_t bytes = 0;
  float speed = 0;  // the sender's, samples per second; 0: not known
  Real scalar = 0;
  std::span<const std::byte> payload() const { return std::span(message).first(bytes); }
  HeardMessage heard(Round t) const { return {payload(), t, 0, speed, scalar}; }
};
using RoundOutbox = std::vector<std::array<Slot, 2>>;  // [channels], message k in slot k mod 2

class RoundEngine;

class RoundNode final : public VirtualNode {
 public:
  RoundNode(RoundEngine& engine, NodeId id);

  RoundWorker* worker = nullptr;  // the one that runs this node now

  // What has been noted down: the sum of an update's gradient, and the message; coordinates first … last − 1 of it, and
  // what is left of it, which is all where the code cannot be cut.
  void compute(const NotedUpdate& noted);
  void encode_slice(std::size_t first, std::size_t last);
  void complete_message();

  // What the node waits for: the messages of the channel that belong to its own last one, for the how-manieth time in
  // this iteration.
  Channel channel() const { return awaits_.channel; }
  Round message() const { return core.sent(awaits_.channel) - 1; }
  bool is_of_all() const { return awaits_.is_of_all; }
  bool is_first_exchange() const { return exchanges_ == 1; }

  // Arrivals still to come for a channel's messages of this parity.
  std::atomic<std::uint32_t>& missing(Channel c, Round message) { return missing_[2 * c.index + message % 2]; }
  void set_missing(std::uint32_t arrivals);

 protected:
  bool wants(Round t) override;
  void send(Channel c, const Linear& what, Real scalar) override;
  void apply(std::span<const Statement> statements) override;
  bool start(const GradientRequest& request) override;
  bool start(const MessagesRequest& request) override;
  Messages finish(Messages) override;

 private:
  void note_update(const Coefficients& c);

  RoundEngine& engine_;
  MessagesRequest awaits_;
  Slot* sent_ = nullptr;          // where its newest message is
  std::uint32_t exchanges_ = 0;   // begun in this iteration
  AlignedVector<Real> gradient_;  // [p], of an algorithm that sends more than its model; else the worker's
  std::array<std::atomic<std::uint32_t>, 2 * Protocol::kMostChannels> missing_;
};

class RoundEngine final : public VirtualRun {
 public:
  RoundEngine(const Run& run, Watcher& watcher);

 protected:
  NodeCore& core(NodeId i) override { return nodes_[i]->core; }
  Seconds clock() const override { return clock_.latest(); }
  double iteration() const override { return now_; }
  bool begin() override;
  bool advance() override;
  bool is_finished() const override { return now_ == run_.iterations || clock_.earliest() >= run_.max_time; }
  Cut cut() override;
  void finish_records() override { records_.finish(now_); }  // nodes run ahead of the clock
  void save_more(Checkpoint& checkpoint) override;
  void add_figures() override;

 private:
  friend class RoundNode;

  bool run_phase(Round hold);
  void run_phase_with(std::uint32_t team);
  void work(std::size_t worker, std::size_t workers);
  void step(std::size_t worker);
  bool carry_out(RoundWorker& own);
  void mix_and_cut(RoundWorker& own);
  template <class Work>
  bool attempt(NodeId i, Work&& work, std::optional<Round> round = {});
  void arrive(std::size_t worker, NodeId i);
  void strike();
  std::string end_waiting_for(NodeId i);
  std::string who_waits() const;
  std::span<const NodeId> arrived(NodeId i, std::vector<NodeId>& ready);
  bool waits_for_all(const RoundNode& node) const { return node.is_of_all() || run_.network.is_scheduled(); }
  bool has_other_clock() const;
  Round next_hold() const;

  std::vector<RoundOutbox> outboxes_;
  std::vector<std::unique_ptr<RoundNode>> nodes_;
  std::vector<RoundWorker> workers_;
  ReadyQueue queue_;
  WorkerChoice choice_;
  WorkerRule grouping_;              // of how many nodes a worker takes at a time, too
  std::uint32_t most_together_ = 1;  // in this phase
  VirtualClock clock_;
  std::optional<VirtualClock> other_clock_;  // charges the other count of bits; nothing where values depend on time
  Round now_, hold_;                         // all nodes wait for this round's messages; and will next
  double seconds_per_round_ = 0;             // of real time
  FaultPlan losses_;                         // the clocks know of stalls
  std::mutex failing_;                       // guards failures_
  std::map<std::pair<Round, NodeId>, std::exception_ptr> failures_;
  std::vector<std::uint32_t> arrivals_;  // [n]: messages that an exchange of this node takes, its own counted
  // Of a collective, for messages of each parity; of a schedule, every exchange. Whoever hears node i's message k need
  // not be heard by it, so more than those must have sent before it goes on, or the two slots and counters are not
  // safe: all that are ever linked would do, and all nodes are one counter instead of as many as there are links.
  std::array<std::atomic<std::uint32_t>, 2> all_missing_;
};

}  // namespace quantimed

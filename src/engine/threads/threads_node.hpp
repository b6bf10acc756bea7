// SPDX-License-Identifier: BSD-3-Clause
// A node on its own pinned thread, in real time. Awaits do their work and return without suspending, so an
// algorithm's text runs straight through. While it runs a node does not lock, print, or touch the allocator.
#pragma once

#include "channel/newest_mailbox.hpp"
#include "channel/round_mailbox.hpp"
#include "channel/wait.hpp"
#include "engine/layout.hpp"
#include "engine/node_core.hpp"
#include "record/record_log.hpp"
#include "record/replay_log.hpp"
#include "record/snapshots.hpp"
#include "timing/chunk_costs.hpp"
#include "timing/fault_plan.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>

namespace quantimed {

// Thrown out of an await when another node has failed: unwinds the algorithm.
struct RunAborted {};

class ThreadNode;

// What a node waits for: another node's message of a round.
struct Waits {
  NodeId node;
  Round round;
};

// Where nodes read what others have sent: the sender's own mailbox, or, of a sender in another process, its ghost.
struct Inbox {
  std::vector<RoundMailbox*> round;    // [channels, n]
  std::vector<NewestMailbox*> newest;  // [n]
};

// What the nodes of one run share, of those that are in this process.
struct ThreadedRun {
  const Run& run;
  Layout layout;
  std::vector<std::unique_ptr<ThreadNode>> nodes;  // [n], each made by its own thread; null: in another process
  Inbox inbox;                                     // set before the nodes start
  WaitPolicy policy = WaitPolicy::dedicated();
  std::chrono::steady_clock::time_point epoch;  // the clock's zero, set before the nodes start
  Seconds deadline_s = 0;                       // T_d of the first iteration, set before the nodes start
  std::vector<std::uint64_t> turns = {};        // pairwise: of each model before this run; empty: none

  // Written by any thread, once: a node has failed, or the run is asked to end. Pair with the nodes' acquire loads.
  alignas(kSeparation) std::atomic<bool> abort = false;
  alignas(kSeparation) std::atomic<bool> stop = false;
  // round delivery: nodes begin rounds below this. Lowered by whichever node first sees that time is up (see
  // RoundThreadNode::wants): the one atomic here with several writers, who only ever lower it.
  alignas(kSeparation) std::atomic<Round> last_round;

  // Iterations that nodes in other processes have ended, as far as is known here. Written by the courier.
  alignas(kSeparation) std::atomic<std::uint64_t> finished_elsewhere = 0;

  ThreadedRun(const Run& r, const Layout& l)
      : run(r), layout(l), deadline_s(r.deadline.fixed_s), last_round(r.iterations) {
    nodes.resize(l.nodes);
    inbox.round.resize(std::size_t{r.algorithm.channels} * l.nodes);
    inbox.newest.resize(l.nodes);
  }
  bool is_spread() const { return layout.ranks > 1; }
  std::span<const std::unique_ptr<ThreadNode>> here() const {
    return std::span(nodes).subspan(layout.first(), layout.here());
  }
  RoundMailbox*& round_mailbox(Channel c, NodeId of) { return inbox.round[std::size_t{c.index} * layout.nodes + of]; }
  Seconds now() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - epoch).count(); }
};

class ThreadNode : public Node {
 public:
  ThreadNode(ThreadedRun& shared, NodeId id, std::uint64_t snapshot_stride);

  // Runs gradients, codec and update on scratch memory until their costs are known. Before the clock starts.
  void warm_up();
  // Samples per second of some gradients, over a batch or until a deadline. Before the clock starts, all nodes at once.
  std::vector<double> speeds_of(std::size_t batch);
  std::vector<double> speeds_until(Seconds deadline);

  Seconds deadline() final { return core_.deadline(shared_.deadline_s); }
  Real& scalar() final { return core_.scalar(); }

  // Any thread. Nothing while the node does not wait.
  std::optional<Waits> waits() const;
  // The round that this node did not begin, once it has left the run.
  std::optional<Round> lost_in() const;
  Seconds expected_round() const;  // after warm_up()

  NodeCore& core() { return core_; }
  std::span<const Real> model() const { return core_.x(); }
  RecordLog& log() { return log_; }
  void take_log(std::vector<std::uint8_t>& into) {
    if (replay_log_) replay_log_->take(into);
  }
  Snapshots& snapshots() { return snapshots_; }
  const Snapshots& snapshots() const { return snapshots_; }
  Round finished() const { return finished_.load(std::memory_order_acquire); }
  std::uint64_t too_slow() const { return too_slow_; }
  virtual std::uint64_t dropped() const { return 0; }  // messages that a full link did not take
  // Messages of nodes in the same process that this node has read, and their bytes; counted where there are others.
  std::uint64_t heard_here() const { return heard_here_; }
  double bytes_heard_here() const { return bytes_heard_here_; }

 protected:
  void apply(std::span<const Statement> statements) override;
  bool start(const GradientRequest& request) final;
  Gradient finish(Gradient) final { return {.batch = core_.drawn()}; }
  Messages finish(Messages) final { return received_; }
  virtual void before_update() {}
  virtual std::span<std::byte> next_message() = 0;  // where the model that is sent next will be

  // Exact models live in the outbox: the next is written where it is sent from, and nothing is copied.
  void place_model(std::span<std::byte> first_message);
  bool lives_in_outbox() const { return shared_.run.codec.is_identity() && shared_.run.algorithm.sends_its_model; }

  void begin_record(Round t);
  // Charges the time since the last call to one phase. Phases leave no gap, so they add up to the iteration.
  void charge(float RoundRecord::*phase);
  void charge(float RoundRecord::*phase, Seconds now);
  // A model as the message of `iteration`, or any form as the channel's next message. Both return its bytes.
  std::size_t write_message(Round iteration, Channel c, std::span<std::byte> message);
  std::size_t write_message(Channel c, const Linear& what, Real scalar, std::span<std::byte> message);
  void count_bytes(std::span<const std::byte> message);
  MessageNote note(bool delayed = true) const;
  Seconds link_delay() const;
  void capture(std::uint64_t position);
  // The same without the time that it takes, of any thread that keeps the others away from the model.
  void keep_copy(std::uint64_t position, Round iteration, std::uint64_t turn = 0);
  // What the iteration leaves; only where there is a log.
  virtual void log_end_of_iteration() { replay_log_->iteration_ends(core_.state_check()); }
  // Where no rounds are shared: whether the run goes on with an iteration of this node.
  bool wants_until_all_have_done(Round t);
  void wait_until_visible(Seconds visible_at);
  // The fault that was asked for, once its time has come. False: this node leaves the run with this round.
  bool survives(Round t);
  void leave(Round t) { left_.store(t, std::memory_order_relaxed); }
  virtual bool is_given_up() const { return false; }
  // Polls until it is there; the watch can see meanwhile for what.
  template <class Ready>
  void wait_for(NodeId j, Round round, Ready ready) {
    waits_.store(std::uint64_t{j} << 32 | round, std::memory_order_relaxed);
    if (!wait_until(ready, shared_.abort, shared_.policy)) throw RunAborted{};
    waits_.store(kNobody, std::memory_order_relaxed);
  }

  HeardMessage as_heard(NodeId from, const Message& message) {
    const MessageHeader& header = message.header;
    if (shared_.is_spread() && shared_.layout.has(from) && from != core_.id()) {
      ++heard_here_;
      bytes_heard_here_ += header.bytes;
    }
    return {message.payload, header.round, header.published_at, header.speed, header.scalar};
  }
  Round round() const { return core_.round(); }

  ThreadedRun& shared_;
  NodeCore core_;
  Scratch scratch_;
  Seconds charged_until_ = 0;
  Snapshots snapshots_;
  Messages received_;          // of the exchange that has just ended
  double exchange_bytes_ = 0;  // on the wire, of what is sent in the exchange to come
  std::optional<ReplayLog> replay_log_;

 private:
  void fixed_batch(std::size_t batch, Seconds start);
  Seconds until_deadline(Seconds deadline, Seconds start);
  double speed_of(Seconds worked, Seconds deadline) const;
  void spin_until(Seconds time) const;

  AlignedVector<Real> own_;  // [p], the model where it does not live in the outbox
  AlignedVector<Real> sum_;  // [p]
  ChunkCosts costs_;
  EarlierParts earlier_;
  double asked_ = 0;  // of this iteration, by the speed model, samples per second; 0: the machine's own
  Round trial_ = 0;   // gradients taken before the clock starts, each over other samples
  RecordLog log_;
  bool recording_ = false;
  std::uint64_t heard_here_ = 0;
  double bytes_heard_here_ = 0;
  std::uint64_t too_slow_ = 0;  // gradients that the machine computed slower than --speed asked for
  FaultPlan faults_;            // of this node
  alignas(kSeparation) std::atomic<Round> finished_ = 0;  // written by this node: iterations ended
  std::atomic<std::uint64_t> waits_ = kNobody;            // written by this node, rarely: neighbour · 2³² + round
  std::atomic<std::uint64_t> left_ = kNever;              // written by this node, once: the round it did not begin

  static constexpr std::uint64_t kNobody = ~std::uint64_t{0}, kNever = ~std::uint64_t{0};
};

class RoundThreadNode final : public ThreadNode {
 public:
  RoundThreadNode(ThreadedRun& shared, NodeId id, std::uint64_t snapshot_stride);

  // ---- the courier: of a run that is spread over processes ----
  Round done(Channel c) const { return done_[c.index].load(std::memory_order_acquire); }
  // All messages below this number have left the process.
  void has_sent(Channel c, Round below) { sent_[c.index].store(below, std::memory_order_release); }
  // For who plays a node's part without its text (bench/mpi): what await_readers() asks, and what send() says.
  bool may_write(Channel c, Round message) const {
    return message < 2 || sent_[c.index].load(std::memory_order_acquire) >= message - 1;
  }
  void has_read(Channel c, Round below) { done_[c.index].store(below, std::memory_order_release); }

 protected:
  bool wants(Round t) override;
  void send(Channel c, const Linear& what, Real scalar) override;
  using ThreadNode::start;
  bool start(const MessagesRequest& request) override;
  std::span<std::byte> next_message() override { return mailboxes_[0]->begin_write(core_.sent({0})); }
  void before_update() override;
  bool is_given_up() const override { return seat_.load(std::memory_order_acquire) & kGivenUp; }

 private:
  RoundThreadNode& neighbour(NodeId j) const { return static_cast<RoundThreadNode&>(*shared_.nodes[j]); }
  bool takes_seat(Round t);
  bool await(NodeId from, Channel c, Round message, Seconds limit);
  Message receive(NodeId from, Channel c, Round message);
  void await_readers(Channel c, Round message);
  void release_all();
  Round furthest(Round t) const;
  bool give_up(Round t);
  bool is_over() const { return shared_.last_round.load(std::memory_order_acquire) <= round(); }

  std::vector<std::unique_ptr<RoundMailbox>> mailboxes_;  // [channels]
  Round furthest_;  // how many rounds another node can be ahead of this one, on a static graph
  std::array<bool, Protocol::kMostChannels>
      leaves_process_{};  // of each channel, whether any of this node's messages does

  // On a schedule, and where there are ghosts: of each channel, how many messages of others this node will not read any
  // more (round_mailbox.hpp).
  alignas(kSeparation) std::array<std::atomic<Round>, Protocol::kMostChannels> done_{};
  // Written by the courier: how many of this node's own have left the process. Pairs with await_readers().
  alignas(kSeparation) std::array<std::atomic<Round>, Protocol::kMostChannels> sent_{};

  // Where this node is, for runs with faults: 2t between rounds t−1 and t, 2t + 1 in round t. Why a neighbour that
  // has lost its patience may go on though it will write over what this node could still be reading: it changes 2t
  // into 2t + kGivenUp in one step, so only between two rounds, when this node has read all of round t−1 (its release
  // of 2t pairs with that step's acquire) and has not promised round t. Whoever enters round t first changes 2t into
  // 2t + 1, also in one step, and leaves the run where it finds that it was given up. So either all neighbours get
  // round t or none, and the two slots stay safe. A node that is held up inside a round, or before its first, is waited
  // for. tests/model/seat.pml checks this exhaustively on three nodes and on four.
  alignas(kSeparation) std::atomic<std::uint64_t> seat_ = 1;  // odd: nobody gives it up before its first takes_seat()
  static constexpr std::uint64_t kGivenUp = std::uint64_t{1} << 40;
};

class NewestThreadNode final : public ThreadNode {
 public:
  static constexpr double kGrid_s = 1e-4;  // snapshots are taken on this time grid, or a coarser one
  // Which reader a node is of a mailbox: those in this process, in the order of the owner's neighbours; in the owner's
  // process the courier's streams come after them, one for each other rank that has a neighbour.
  static std::uint32_t readers_here(const ThreadedRun& shared, NodeId owner);
  NewestThreadNode(ThreadedRun& shared, NodeId id);
  std::uint64_t dropped() const override { return mailbox_.dropped(); }

 protected:
  bool wants(Round t) override;
  void send(Channel c, const Linear& what, Real scalar) override;
  using ThreadNode::start;
  bool start(const MessagesRequest& request) override;
  std::span<std::byte> next_message() override { return mailbox_.begin_write(); }
  void before_update() override;

 private:
  NewestMailbox mailbox_;
  bool has_published_ = false, has_updated_ = false;  // at all; in this iteration
  Round published_ = 0;                               // the iteration that starts from what was published last
  void send_part(Channel c, const Linear& what);
  void hear(Channel c, Seconds now);

  std::span<std::byte> parcel_;        // of a text that publishes forms: where its channels' parts are written
  std::vector<HeardMessage> parcels_;  // [neighbours] of what it has read last
  std::vector<std::uint32_t> reader_;  // [neighbours]: which reader this node is of neighbour k's mailbox
};

}  // namespace quantimed

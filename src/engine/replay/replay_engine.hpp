// SPDX-License-Identifier: BSD-3-Clause
// The parts of a replay: nodes, the messages between them, and who may run.
#pragma once

#include "engine/node_core.hpp"
#include "engine/pairs.hpp"
#include "engine/replay/log_reader.hpp"
#include "engine/replay/replay.hpp"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <queue>
#include <utility>
#include <vector>

namespace quantimed {

// Of one sender: messages that somebody will still read, and who waits for which. Any thread.
class MessageStore {
 public:
  struct Stored {
    AlignedVector<std::byte> bytes;
    HeardMessage heard;
    std::uint32_t readers = 0;  // that have not let go of it
  };
  static std::uint64_t key(Channel c, Round number) { return std::uint64_t{c.index} << 32 | number; }

  // Memory for a message, of this capacity.
  std::unique_ptr<Stored> make(std::size_t capacity);
  // Returns who waited for it.
  std::vector<NodeId> put(std::uint64_t key, std::unique_ptr<Stored> message);
  // Null where it is not there yet: `waiter` is returned by the put() to come.
  const Stored* find_or_wait(std::uint64_t key, NodeId waiter);
  // True: nobody reads it any more, and it is gone.
  bool release(std::uint64_t key);

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, std::unique_ptr<Stored>> messages_;
  std::vector<std::unique_ptr<Stored>> unused_;
  std::vector<std::pair<std::uint64_t, NodeId>> waiting_;
};

// Which nodes can go on; the one whose iteration began first in real time comes first. Any thread.
class EarliestFirst {
 public:
  void open(std::size_t nodes) { living_ = nodes; }
  void push(double began, NodeId node);
  // Nothing once all nodes have ended, after stop(), or where all that live wait: is_stuck().
  std::optional<NodeId> pop(bool has_run_one);
  void end_one();
  void stop();
  bool is_stuck() const { return is_stuck_; }  // once pop() has returned nothing

 private:
  using Entry = std::pair<double, NodeId>;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready_;
  std::size_t living_ = 0, running_ = 0;
  bool is_stopped_ = false, is_stuck_ = false;
};

// Of one model, with pairwise delivery: whose turn it is. Any thread.
class Turns {
 public:
  enum class Now { mine, later, past };
  // Later: `waiter` is returned by the pass() before. Past: the turn has been taken, or somebody else waits for it.
  Now take(std::uint64_t turn, NodeId waiter);
  // The turn has been used; returns who waited for the next one.
  std::optional<NodeId> pass();
  std::uint64_t next() const { return next_; }  // of the thread whose turn it is

 private:
  std::mutex mutex_;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, NodeId> waiting_;
};

class ReplayRun;

// A node of a replay, whatever its delivery.
class ReplayNode : public Node {
 public:
  ReplayNode(ReplayRun& replay, NodeId id, std::span<const std::uint8_t> log);

  Seconds deadline() final { return 1; }  // until when does not matter: the log has the samples
  Real& scalar() final { return core.scalar(); }

  NodeCore core;
  Task task;
  bool has_ended = false;      // its text has
  Scratch* scratch = nullptr;  // of the worker that runs this node now

  enum class Need { nothing, gradient, others };
  Need need = Need::nothing;
  // Does what is needed. False: something is not there yet; the node is pushed again when it is, and until then it is
  // nobody's: another worker may run it already.
  virtual bool proceed() = 0;
  // What it waits for, and why that cannot be; of a node that waits for ever. `late`: how long after the iteration that
  // reads it that was, by /rounds.
  struct Lack {
    std::string what;
    Seconds late = 0;
  };
  virtual Lack lack() const = 0;
  virtual bool is_waiting() const { return need == Need::others; }  // for others
  virtual void release_all() {}
  // Once all nodes have ended: the model as the run left it, after so many turns.
  void ends_at(std::uint64_t turns);
  [[noreturn]] void reject(const std::string& why) const { log_.reject(why); }  // of the log

 protected:
  bool start(const GradientRequest& request) final;
  Gradient finish(Gradient) final { return {.batch = core.drawn()}; }
  void compute();
  bool goes_on(Round t) const;
  void compare_state(std::uint16_t was);
  // False: it differs from what the run had there.
  bool is_model_of_run(std::uint64_t at);
  // To all points below this one that want the model as iteration t begins.
  void show_point(Round t, std::span<const Real> x, std::size_t below = ~std::size_t{0});
  void differs(std::string what);
  virtual bool is_of_a_wrong_sender() const { return false; }

  ReplayRun& replay_;
  LogReader log_;
  AlignedVector<Real> x_, sum_;  // [p]
  GradientRequest gradient_;
  double drawn_ = 0;  // samples of this iteration

 private:
  std::size_t next_model_ = 0, next_point_ = 0;
};

// `round` and `newest` delivery: an iteration needs messages.
class MessageReplayNode final : public ReplayNode {
 public:
  using ReplayNode::ReplayNode;
  bool proceed() override;
  Lack lack() const override;
  void release_all() override;

 protected:
  bool wants(Round t) override;
  void send(Channel c, const Linear& what, Real scalar) override;
  void apply(std::span<const Statement> statements) override;
  using ReplayNode::start;
  bool start(const MessagesRequest& request) override;
  using ReplayNode::finish;
  Messages finish(Messages) override { return received_; }

 private:
  struct Wanted {
    Neighbour from;
    Round number;
    const MessageStore::Stored* message = nullptr;
  };
  struct Held {
    NodeId from;
    std::uint64_t key;
  };

  bool gather();
  void release(std::span<const Held> messages);
  bool is_newest() const;
  void end_iteration() { compare_state(log_.state_check()); }
  Round number_of_next(Channel c) const;
  void list_wanted();
  void hear();
  bool is_of_a_wrong_sender() const override;

  std::vector<MixTerm> terms_;
  MessagesRequest request_;
  std::vector<Wanted> wanted_;  // of the exchange that is gathered
  std::size_t gathered_ = 0;    // of them are there
  std::array<std::vector<Held>, Protocol::kMostChannels> held_;
  Messages received_;
  bool has_published_ = false, has_updated_ = false;  // at all; in this iteration
  Round published_ = 0;                               // newest: the iteration that starts from it
};

// `pairwise` delivery: a node's passes, its averages and the end of its iterations wait for their turns at the models.
// Passes are no awaits, so they are put off, with the ends and beginnings of iterations between them, until the text
// awaits something; nothing in it depends on them before.
class PairReplayNode final : public ReplayNode {
 public:
  PairReplayNode(ReplayRun& replay, NodeId id, std::span<const std::uint8_t> log);
  bool proceed() override;
  Lack lack() const override;
  bool is_waiting() const override { return done_ < put_off_.size() || need == Need::others; }
  NodeId partner(Round t) const override;

 protected:
  bool wants(Round t) override;
  void send(Channel, const Linear&, Real) override;
  void apply(std::span<const Statement> statements) override;
  using ReplayNode::start;
  bool start(const MessagesRequest&) override { return true; }
  bool start(const AverageRequest& request) override;
  using ReplayNode::finish;
  Messages finish(Messages) override { return {}; }
  Averaged finish(Averaged) override { return {.is_done = is_averaged_}; }

 private:
  struct PutOff {
    std::optional<Round> ends, begins;  // an iteration; else a pass
    std::vector<Statement> statements;
  };

  bool take_turns(PairEntry what);
  bool take(NodeId model, std::uint64_t turn);
  void pass_turn(NodeId model);
  void average();

  std::vector<PutOff> put_off_;
  std::size_t done_ = 0;                 // of them
  std::optional<LogReader::Turn> turn_;  // that is being taken
  AverageRequest request_;
  bool is_averaged_ = false;
  PairRoom room_;
  std::pair<NodeId, std::uint64_t> awaited_{};  // a model, and the turn at it
  AlignedVector<Real> start_;                   // [p] the model before all turns; empty where no point wants it
};

class ReplayRun {
 public:
  ReplayRun(const Run& run, const ReplayRequest& request, Watcher& watcher);
  Replayed operator()();

 private:
  friend class ReplayNode;
  friend class MessageReplayNode;
  friend class PairReplayNode;
  static constexpr Round kNever = ~Round{0};
  // What is to be done with a node's model as it begins an iteration, or before a turn at it; in ascending order.
  struct Expected {
    std::uint64_t at;
    std::int64_t fingerprint;
  };
  struct Shown {
    Round iteration;
    std::size_t point;
  };
  struct Point {
    std::vector<AlignedVector<Real>> models;  // [n]; empty: not there yet, or lost
    std::size_t missing = 0;
  };

  void count_readers();
  void list_models();
  void list_points();
  void work();
  void step(NodeId i, Scratch& scratch);
  void watch();
  void show(std::unique_lock<std::mutex>& lock);
  void stop();
  [[noreturn]] void tell_stuck() const;
  Checkpoint checkpoint() const;

  Round iterations(NodeId i) const { return request_.recording.iterations[i]; }
  double began(NodeId i, Round t) const;
  std::uint32_t readers_of(NodeCore& sender, Round number) const;
  void deliver(NodeId i, std::size_t point, std::span<const Real> x);
  void end_models();
  void found(Difference difference);
  void count_kept();

  const Run& run_;
  const ReplayRequest& request_;
  Watcher& watcher_;
  std::vector<std::vector<std::uint32_t>> reads_;  // newest: [n][iteration] of its message, readers
  std::vector<std::vector<Expected>> models_;      // [n]
  std::vector<std::vector<Shown>> shown_;          // [n]
  std::vector<Point> points_;
  std::vector<std::pair<Round, std::exception_ptr>> broken_;  // [n]: where the log cannot be read, and why
  std::vector<MessageStore> stores_;                          // [n]
  std::vector<Turns> turns_;                                  // [n]
  std::vector<std::unique_ptr<ReplayNode>> nodes_;
  EarliestFirst queue_;

  std::vector<std::atomic<Round>> wrong_since_;  // [n], the first iteration that went wrong
  std::mutex mutex_;                             // guards what follows
  std::condition_variable changed_;
  std::size_t next_shown_ = 0;                        // of points_
  std::size_t working_ = 0;                           // workers
  bool is_interrupted_ = false, has_enough_ = false;  // by a signal; the watcher has seen
  std::optional<Difference> difference_;
  std::exception_ptr failure_;
  std::atomic<std::uint64_t> done_ = 0, compared_ = 0, kept_messages_ = 0, most_messages_ = 0;
  std::atomic<bool> stop_ = false;
};

}  // namespace quantimed

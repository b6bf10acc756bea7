// SPDX-License-Identifier: BSD-3-Clause
// The parts of a replay: nodes, the messages between them, and who may run.
#pragma once

#include "engine/log_reader.hpp"
#include "engine/node_core.hpp"
#include "engine/replay.hpp"

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

class ReplayRun;

class ReplayNode final : public Node {
 public:
  ReplayNode(ReplayRun& replay, NodeId id, std::span<const std::uint8_t> log);

  Seconds deadline() override { return 1; }  // until when does not matter: the log has the samples
  float& scalar() override { return core.scalar(); }

  NodeCore core;
  Task task;
  Scratch* scratch = nullptr;  // of the worker that runs this node now

  enum class Need { nothing, gradient, messages };
  Need need = Need::nothing;
  void compute();
  // False: a message is not there yet, and the node is pushed again when it is.
  bool gather();
  [[noreturn]] void reject(const std::string& why) const { log_.reject(why); }  // of the log
  // Where it waits: the sender and its iteration.
  std::pair<NodeId, Round> awaited() const { return {wanted_[gathered_].from.id, wanted_[gathered_].number}; }
  void release_all();

 protected:
  bool wants(Round t) override;
  void send(Channel c, const Linear& what, float scalar) override;
  void apply(std::span<const Statement> statements) override;
  bool start(const GradientRequest& request) override;
  bool start(const MessagesRequest& request) override;
  Gradient finish(Gradient) override { return {.batch = core.drawn()}; }
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

  void release(std::span<const Held> messages);
  bool is_newest() const;
  void end_iteration();
  void list_wanted();
  void hear();
  void differs(std::string what);
  bool is_of_a_wrong_sender() const;

  ReplayRun& replay_;
  LogReader log_;
  AlignedVector<float> x_, sum_;  // [p]
  std::vector<MixTerm> terms_;
  GradientRequest gradient_;
  MessagesRequest request_;
  std::vector<Wanted> wanted_;  // of the exchange that is gathered
  std::size_t gathered_ = 0;    // of them are there
  std::array<std::vector<Held>, Protocol::kMostChannels> held_;
  Messages received_;
  double drawn_ = 0;  // samples of this iteration
  std::size_t next_model_ = 0, next_point_ = 0;
  bool has_published_ = false, has_updated_ = false;  // at all; in this iteration
  Round published_ = 0;                               // newest: the iteration that starts from it
};

class ReplayRun {
 public:
  ReplayRun(const Run& run, const ReplayRequest& request, Watcher& watcher);
  Replayed operator()();

 private:
  friend class ReplayNode;
  static constexpr Round kNever = ~Round{0};
  // What is to be done with a node's model as it begins an iteration; in ascending order.
  struct Expected {
    Round iteration;
    std::int64_t fingerprint;
  };
  struct Shown {
    Round iteration;
    std::size_t point;
  };
  struct Point {
    std::vector<AlignedVector<float>> models;  // [n]; empty: not there yet, or lost
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
  void deliver(NodeId i, std::size_t point, std::span<const float> x);
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
  std::vector<std::unique_ptr<ReplayNode>> nodes_;
  EarliestFirst queue_;

  std::vector<std::atomic<Round>> wrong_since_;  // [n], the first iteration that went wrong
  std::mutex mutex_;                             // guards what follows
  std::condition_variable changed_;
  std::size_t next_shown_ = 0;  // of points_
  std::size_t working_ = 0;     // workers
  bool is_interrupted_ = false;
  std::optional<Difference> difference_;
  std::exception_ptr failure_;
  std::atomic<std::uint64_t> done_ = 0, compared_ = 0, kept_messages_ = 0, most_messages_ = 0;
  std::atomic<bool> stop_ = false;
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// All that an algorithm sees: one node, its model, and what it can do.
//
// An algorithm is a coroutine over these, and its text is the paper's pseudo-code. Engines decide when each step
// happens and what it costs on their clock; they never ask which algorithm they run.
#pragma once

#include "base/prefetch.hpp"
#include "base/types.hpp"
#include "node/protocol.hpp"

#include <coroutine>
#include <exception>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace quantimed {

// The coroutine of one node. Starts suspended; the engine resumes it, and destroys it with its frame.
class Task {
 public:
  struct promise_type {
    std::exception_ptr failure;
    Task get_return_object() { return Task{std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { failure = std::current_exception(); }
  };

  Task() = default;
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Asks for the memory that resume() will touch.
  void prefetch() const { quantimed::prefetch(handle_.address(), kFrame); }

  // Runs on until the next await that suspends. False once the algorithm has ended.
  bool resume() {
    handle_.resume();
    if (handle_.promise().failure) std::rethrow_exception(std::exchange(handle_.promise().failure, nullptr));
    return !handle_.done();
  }

 private:
  static constexpr std::size_t kFrame = 512;  // bytes of a text's frame, about

  std::coroutine_handle<promise_type> handle_;
};

// The mean stochastic gradient over a batch S, ℓ2 term included: g = sum / |S| + ℓ2. An empty batch gives g = 0.
// A handle: the numbers stay in the node until its next gradient (and may be computed as late as the update).
struct Gradient {
  std::size_t batch = 0;  // |S|
};

// What an exchange has brought. Formulas read the vectors (mixed, apart, …), in place and not copied.
struct Messages {
  Real scalar = 0;  // Σ_j w_ij s_j of the numbers that travel with the messages, own included
};

// Two models have become their mean; false: the partner has left the run, and nothing has changed.
struct Averaged {
  bool is_done = false;
};

// Of a node's row of W.
struct Weight {
  Real of_self = 1;
  Real excess = 0;
};

class Node {
 public:
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // w_ii
  Real self_weight() const { return self_weight_; }

  // Σ_j w_ij − 1, w_ii included: 0 but where columns of W alone sum to 1.
  Real excess_weight() const { return excess_weight_; }

  // The iteration to begin with: 0, or where a stopped run goes on. Everything before it is in the node already.
  Round first_round() const { return first_round_; }

  // True while the run wants iteration t of this node. Within it: what protocol.hpp says.
  bool begins(Round t) {
    protocol_.begins();
    const bool goes_on = wants(t);
    protocol_.begun(goes_on);
    return goes_on;
  }

  // T_d of the current iteration: the run's, or as it has been adapted to the speeds seen.
  virtual Seconds deadline() = 0;

  // A number that lasts from one iteration to the next, from 1.
  virtual Real& scalar() = 0;

  // C(what) to all neighbours, as the channel's next message, and a number with it where the row says so. C: --codec
  // where the algorithm quantizes, else what is sent is exact. Where the form has rest(c) each neighbour j gets a
  // message of its own, and so is the number: with it go those that the others sent last, Σ_{k≠j} w_ik s_k.
  void publish(Channel c, const Linear& what, Real scalar = 0) {
    protocol_.publishes(c, what);
    send(c, what, scalar);
  }

  // g at a vector, over a fixed number of samples (with --gradient deadline over what is finished by then), or over
  // what is finished when the deadline has passed. The k-th of an iteration draws from its own stream of samples.
  auto gradient(std::size_t batch, Source at = formula::x) { return request_gradient({.batch = batch, .at = at}); }
  auto gradient_until(Seconds deadline, Source at = formula::x) {
    return request_gradient({.deadline = deadline, .at = at});
  }

  // The neighbours' messages that belong to this node's last one on the channel; or the newest message of each,
  // whichever iteration it is of.
  auto neighbours(Channel c) { return request_messages({.channel = c}); }
  auto newest(Channel c) { return request_messages({.channel = c, .is_newest = true}); }

  // A collective of all nodes, on a channel of its own: what they publish is there as mean(c).
  auto average(Channel c, const Linear& what) {
    publish(c, what);
    return request_messages({.channel = c, .is_of_all = true});
  }

  // `pairwise` delivery. The neighbour of iteration t, drawn from a stream of (seed, node, t); itself where it has
  // none. With it: x_i, x_j ← (x_i + x_j) / 2 at once, whatever node j is doing.
  virtual NodeId partner(Round) const { throw std::logic_error("a text asks for a partner, which its delivery lacks"); }
  auto average_with(NodeId j) {
    protocol_.averages();
    return Await<Averaged>{*this, {.partner = j}};
  }

  // One sweep over the coordinates: all assignments, in their order.
  void pass(std::initializer_list<Statement> statements) {
    const std::span<const Statement> all(statements.begin(), statements.size());
    protocol_.passes(all);
    apply(all);
  }

  // Engines: the text has ended because it was told to, not by itself.
  bool is_over() const { return protocol_.is_over(); }

 protected:
  Node(const Protocol& protocol, const Weight& own, Round first_round)
      : self_weight_(own.of_self), excess_weight_(own.excess), first_round_(first_round), protocol_(protocol) {}

  virtual bool wants(Round t) = 0;
  virtual void send(Channel c, const Linear& what, Real scalar) = 0;
  virtual void apply(std::span<const Statement> statements) = 0;

  struct GradientRequest {
    std::size_t batch = 0;
    Seconds deadline = 0;  // 0: none
    Source at = formula::x;
  };
  struct MessagesRequest {
    Channel channel{0};
    bool is_newest = false, is_of_all = false;
  };

  struct AverageRequest {
    NodeId partner = 0;
  };

  // Starts the request; true when it is complete at once. Else the coroutine suspends, and the engine resumes it
  // when the result is there.
  virtual bool start(const GradientRequest& request) = 0;
  virtual bool start(const MessagesRequest& request) = 0;
  virtual bool start(const AverageRequest&) { return true; }
  virtual Gradient finish(Gradient) = 0;
  virtual Messages finish(Messages) = 0;
  virtual Averaged finish(Averaged) { throw std::logic_error("this delivery has no averages of two"); }

 private:
  template <class Result>
  struct Await {
    using Request =
        std::conditional_t<std::is_same_v<Result, Gradient>, GradientRequest,
                           std::conditional_t<std::is_same_v<Result, Messages>, MessagesRequest, AverageRequest>>;
    Node& node;
    Request request;
    bool await_ready() { return node.start(request); }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    Result await_resume() { return node.finish(Result{}); }
  };

  Await<Gradient> request_gradient(const GradientRequest& request) {
    protocol_.takes_gradient(request.at);
    return {*this, request};
  }
  Await<Messages> request_messages(const MessagesRequest& request) {
    protocol_.takes_messages(request.channel);
    return {*this, request};
  }

  Real self_weight_, excess_weight_;
  Round first_round_;
  Protocol protocol_;
};

}  // namespace quantimed

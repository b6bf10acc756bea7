// All that an algorithm sees: one node, its model, and what it can do.
//
// An algorithm is a coroutine over these, and its text is the paper's pseudo-code. Engines decide when each step
// happens and what it costs on their clock; they never ask which algorithm they run.
#pragma once

#include "base/types.hpp"
#include "node/protocol.hpp"

#include <coroutine>
#include <exception>
#include <span>
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

  // Runs on until the next await that suspends. False once the algorithm has ended.
  bool resume() {
    handle_.resume();
    if (handle_.promise().failure) std::rethrow_exception(std::exchange(handle_.promise().failure, nullptr));
    return !handle_.done();
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

// The mean stochastic gradient over a batch S, ℓ2 term included: g = sum / |S| + ℓ2. An empty batch gives g = 0.
// A handle: the numbers stay in the node until its next gradient (and may be computed as late as the update).
struct Gradient {
  std::size_t batch = 0;  // |S|
};

// The neighbours' messages, read in place (not copied): valid until the node's own next publish or request.
struct Messages {};

// x ← self · x + neighbours · Σ_{j∈N_i} w_ij z_j + gradient · g
struct Coefficients {
  float self = 0;
  float neighbours = 0;
  float gradient = 0;
};

class Node {
 public:
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // w_ii
  float self_weight() const { return self_weight_; }

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

  // Q(x) to all neighbours, as the message of the current iteration.
  void publish() {
    protocol_.publishes();
    send();
  }

  // g at x over a fixed number of samples, or over what is finished when the deadline has passed.
  auto gradient(std::size_t batch) { return request_gradient({.batch = batch}); }
  auto gradient_until(Seconds deadline) { return request_gradient({.deadline = deadline}); }

  // z_j,t of all neighbours j; or the newest message of each, whichever iteration it is of.
  auto neighbours(Round t) { return request_messages({.round = t}); }
  auto newest() { return request_messages({}); }

  // One fused pass over the model.
  void update(const Coefficients& coefficients, const Messages&, const Gradient& g) {
    protocol_.updates();
    apply(coefficients, g);
  }

  // Engines: the text has ended because it was told to, not by itself.
  bool is_over() const { return protocol_.is_over(); }

 protected:
  Node(Delivery delivery, float self_weight, Round first_round)
      : self_weight_(self_weight), first_round_(first_round), protocol_(delivery) {}

  virtual bool wants(Round t) = 0;
  virtual void send() = 0;
  virtual void apply(const Coefficients& coefficients, const Gradient& g) = 0;

  struct GradientRequest {
    std::size_t batch = 0;
    Seconds deadline = 0;  // 0: none
  };
  struct MessagesRequest {
    static constexpr Round kNewest = ~Round{0};
    Round round = kNewest;
  };

  // Starts the request; true when it is complete at once. Else the coroutine suspends, and the engine resumes it
  // when the result is there.
  virtual bool start(const GradientRequest& request) = 0;
  virtual bool start(const MessagesRequest& request) = 0;
  virtual Gradient finish(Gradient) = 0;
  virtual Messages finish(Messages) = 0;

 private:
  template <class Result>
  struct Await {
    using Request = std::conditional_t<std::is_same_v<Result, Gradient>, GradientRequest, MessagesRequest>;
    Node& node;
    Request request;
    bool await_ready() { return node.start(request); }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    Result await_resume() { return node.finish(Result{}); }
  };

  Await<Gradient> request_gradient(const GradientRequest& request) {
    protocol_.takes_gradient();
    return {*this, request};
  }
  Await<Messages> request_messages(const MessagesRequest& request) {
    protocol_.takes_messages();
    return {*this, request};
  }

  float self_weight_;
  Round first_round_;
  Protocol protocol_;
};

}  // namespace quantimed

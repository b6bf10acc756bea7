// Virtual time for `newest` delivery: a discrete-event simulation.
//
// The clock alone decides the order of events, (time, node). What a node reads depends on that order, so updates and
// messages are noted down as events pass and carried out later, in order, by all workers at once: each worker owns a
// range of coordinates, and since an update is coordinate-wise its range needs nobody else's. Gradients depend only
// on their own node's model: when one is needed, all that are pending are computed, a node a worker.
#include "base/error.hpp"
#include "base/first_failure.hpp"
#include "base/worker_choice.hpp"
#include "engine/engine.hpp"
#include "engine/fault_plan.hpp"
#include "engine/memory_plan.hpp"
#include "engine/node_core.hpp"
#include "engine/resumption.hpp"
#include "engine/virtual_run.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <queue>

namespace quantimed {

namespace {

struct Event {
  Seconds time;
  NodeId node;
  bool operator>(const Event& other) const { return time != other.time ? time > other.time : node > other.node; }
};

// A message on its way, or arrived and not yet overtaken.
struct Sent {
  std::size_t buffer;
  std::size_t bytes;  // in its buffer
  double wire_bytes;
  Round iteration;
  Seconds published_at;
  Seconds visible_at;
};

struct Outbox {
  std::vector<std::unique_ptr<AlignedVector<std::byte>>> buffers;
  std::vector<std::size_t> unused;  // of `buffers`
  std::deque<Sent> versions;        // oldest first; front: what a reader sees now
  HeardMessage heard(const Sent& sent) const {
    return {std::span<const std::byte>(*buffers[sent.buffer]).first(sent.bytes), sent.iteration, sent.published_at, 0};
  }
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

class NewestNode final : public Node {
 public:
  NewestNode(NewestEngine& engine, NodeId id, std::span<float> x);

  Seconds deadline() override;

  void save(Checkpoint& checkpoint) const;
  // Starts the algorithm's text anew, up to the await that the saved run was in. Messages are there already.
  void restore(const Checkpoint& saved, std::span<const std::uint32_t>& next_unseen);

  // The pending gradient, into this node's own memory.
  void compute(Scratch& scratch);

  NodeCore core;
  Task task;
  bool pending = false;    // a gradient is asked for and not yet computed
  Seconds event_time = 0;  // of the event that this node waits for

 protected:
  bool wants(Round t) override;
  void send() override;
  void apply(const Coefficients& c, const Gradient& g) override;
  bool start(const GradientRequest& request) override;
  bool start(const MessagesRequest& request) override;
  Gradient finish(Gradient) override { return {.batch = batch_}; }
  Messages finish(Messages) override;

 private:
  Seconds now() const;  // on this node's own clock
  void spend(float RoundRecord::*phase, Seconds time);
  void wait_for(Seconds duration);  // from its own time on
  bool link_is_full() const;

  NewestEngine& engine_;
  AlignedVector<float> sum_;  // [p]
  std::size_t batch_ = 0;
  bool has_begun_ = false;   // an iteration
  bool exchanging_ = false;  // waits for its exchange; else for its gradient
  bool restoring_ = false;
  Seconds ahead_ = 0;  // of the engine's clock: what this node has done since its last event
};

class NewestEngine final : public VirtualRun {
 public:
  NewestEngine(const Run& run, Watcher& watcher);

 protected:
  NodeCore& core(NodeId i) override { return nodes_[i]->core; }
  Seconds clock() const override { return now_; }
  double iteration() const override { return static_cast<double>(updates_) / static_cast<double>(nodes_.size()); }
  bool begin() override;
  bool advance() override;
  bool is_finished() const override { return updates_ >= std::uint64_t{run_.iterations} * nodes_.size(); }
  bool is_time_to_report() const override { return updates_ % nodes_.size() == 0; }
  void carry_out() override;
  Cut cut() override;
  void save_more(Checkpoint& checkpoint) override;
  void add_figures() override;

 private:
  friend class NewestNode;

  void resume(NodeId i);
  void compute_pending();
  void carry_out_with(std::uint32_t team);
  const Sent& newest_visible(NodeId j);
  bool charges(bool wire_bits) const;
  void restore();
  void restore_messages();

  std::vector<Outbox> outboxes_;
  std::vector<std::unique_ptr<NewestNode>> nodes_;
  std::vector<Scratch> scratch_;  // [workers]
  WorkerChoice gradient_workers_, mix_workers_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Deferred> deferred_;
  std::vector<MixTerm> terms_;
  Charge charge_;
  FaultPlan faults_;
  Seconds now_ = 0;
  std::uint64_t updates_ = 0, dropped_;
};

// ---- a node ---------------------------------------------------------------------------------------

NewestNode::NewestNode(NewestEngine& engine, NodeId id, std::span<float> x)
    : Node(Delivery::newest, static_cast<float>(engine.run_.network.self_weights[id]),
           quantimed::first_round(engine.run_, id)),
      core(engine.run_, id),
      engine_(engine),
      sum_(x.size()) {
  core.place(x);
}

Seconds NewestNode::now() const { return engine_.now_ + ahead_; }

void NewestNode::spend(float RoundRecord::*phase, Seconds time) {
  core.record.*phase += static_cast<float>(time);
  ahead_ += time;
}

void NewestNode::wait_for(Seconds duration) {
  event_time = now() + duration;
  ahead_ = 0;
  engine_.events_.push({event_time, core.id()});
}

// The engine ends the run after T · n updates in all. Records are of iterations that have ended.
bool NewestNode::wants(Round t) {
  if (t > first_round()) {
    if (engine_.run_.machine) spend(&RoundRecord::record, engine_.run_.machine->record_s);
    engine_.records_[core.id()].push_back(core.record);
  }
  has_begun_ = true;
  core.begin(t, now());
  const std::optional<Fault> fault = engine_.faults_.next(core.id(), now());
  if (fault && fault->lasts == kForever) {
    engine_.lose(core.id(), t);  // its last message stays what its neighbours read
    return false;
  }
  if (fault) spend(&RoundRecord::record, fault->lasts);
  return true;
}

Seconds NewestNode::deadline() { return core.deadline(engine_.run_.deadline.fixed_s); }

bool NewestNode::start(const GradientRequest& request) {
  core.set_speed(plan_gradient(engine_.run_, core.id(), core.round(), request.batch, request.deadline, core.record));
  batch_ = static_cast<std::size_t>(core.record.batch);
  pending = batch_ > 0;
  if (restoring_) return exchanging_;
  wait_for(static_cast<Seconds>(core.record.compute));
  return false;
}

void NewestNode::compute(Scratch& scratch) {
  core.begin_samples(core.round());
  core.add_samples(batch_, sum_, scratch);
  pending = false;
}

// The exchange is charged to the node's own clock before it reads.
bool NewestNode::start(const MessagesRequest& request) {
  check(request.round == MessagesRequest::kNewest, "newest delivery: there are no rounds to wait for");
  core.record.bytes = engine_.outboxes_[core.id()].versions.back().wire_bytes;
  const Seconds exchange = engine_.run_.link.exchange(engine_.charge_.bits_per_coordinate(core.record.bytes));
  core.record.exchange = static_cast<float>(exchange);
  if (restoring_) return false;
  if (exchange <= 0) return true;
  exchanging_ = true;
  wait_for(exchange);
  return false;
}

Messages NewestNode::finish(Messages) {
  exchanging_ = false;
  return {};
}

void NewestNode::apply(const Coefficients& c, const Gradient& g) {
  if (pending) engine_.compute_pending();
  const std::size_t first_term = engine_.terms_.size();
  const auto neighbours = core.neighbours();
  core.listen(engine_.now_);
  for (std::size_t k = 0; k < neighbours.size(); ++k) {
    const Sent& version = engine_.newest_visible(neighbours[k].id);
    core.pass_over(k, version.iteration);
    core.hear(neighbours[k], engine_.outboxes_[neighbours[k].id].heard(version), engine_.terms_);
  }
  core.heard(engine_.now_);
  engine_.deferred_.push_back({.node = core.id(),
                               .copy = false,
                               .update = core.update_of(c, g.batch, sum_),
                               .first_term = first_term,
                               .terms = neighbours.size(),
                               .iteration = 0,
                               .message = {}});
  if (const MachineCosts* machine = engine_.run_.machine) {
    spend(&RoundRecord::wait, machine->receive_s);
    spend(&RoundRecord::mix, machine->mix_time(neighbours.size()));
  }
  ++engine_.updates_;
}

// As many under way as the threads engine's mailbox has buffers for.
bool NewestNode::link_is_full() const {
  const auto& versions = engine_.outboxes_[core.id()].versions;
  const auto under_way = std::ranges::count_if(versions, [&](const Sent& sent) { return sent.visible_at > now(); });
  return engine_.run_.link.delays() && static_cast<std::uint32_t>(under_way) >= engine_.run_.link.most_in_flight();
}

void NewestNode::send() {
  if (restoring_) return;
  Outbox& out = engine_.outboxes_[core.id()];
  const Codec& codec = engine_.run_.codec;
  // The message carries the model that the next iteration starts from.
  const Round iteration = has_begun_ ? core.round() + 1 : 0;
  Seconds latency = 0, on_link = now();
  if (const MachineCosts* machine = engine_.run_.machine; machine && has_begun_) {
    spend(&RoundRecord::encode, machine->encode_s);
    on_link = now();
    spend(&RoundRecord::publish, machine->publish_s);
    latency = machine->latency_s;
  }
  if (link_is_full()) {
    ++engine_.dropped_;
    return;
  }
  if (out.versions.size() > 1) (void)engine_.newest_visible(core.id());  // gives up what has been overtaken
  if (out.unused.empty()) {
    out.buffers.push_back(std::make_unique<AlignedVector<std::byte>>(codec.capacity(sum_.size())));
    out.unused.push_back(out.buffers.size() - 1);
  }
  Sent version{.buffer = out.unused.back(),
               .bytes = codec.capacity(sum_.size()),
               .wire_bytes = 0,
               .iteration = iteration,
               .published_at = now(),
               .visible_at = 0};
  out.unused.pop_back();
  const std::span<std::byte> message = *out.buffers[version.buffer];
  if (codec.is_sliceable()) {
    engine_.deferred_.push_back({.node = core.id(),
                                 .copy = true,
                                 .update = {},
                                 .first_term = 0,
                                 .terms = 0,
                                 .iteration = iteration,
                                 .message = message});
  } else {  // its length is known only once it is written
    engine_.carry_out();
    version.bytes = core.encode(iteration, message);
  }
  version.wire_bytes = core.wire_bytes(message);
  if (has_begun_)
    version.visible_at = std::max(version.published_at + latency,
                                  on_link + engine_.run_.link.delay(engine_.charge_.bytes(version.wire_bytes)));
  out.versions.push_back(version);
  (void)engine_.newest_visible(core.id());  // gives up what has been overtaken, also where no neighbour ever reads
}

// Between two events every node waits for one of its own: the end of its gradient, which depends on its model alone
// and is computed anew, or of its exchange.
void NewestNode::save(Checkpoint& checkpoint) const {
  checkpoint.start_time.push_back(core.record.start);
  checkpoint.event_time.push_back(event_time);
  checkpoint.exchanging.push_back(exchanging_);
  core.save_unseen(checkpoint);
}

void NewestNode::restore(const Checkpoint& saved, std::span<const std::uint32_t>& next_unseen) {
  core.restore_unseen(next_unseen);
  exchanging_ = saved.exchanging[core.id()] != 0;
  restoring_ = true;
  check(task.resume(), "newest delivery: an algorithm that never waits");
  restoring_ = false;
  core.record.start = saved.start_time[core.id()];
  event_time = saved.event_time[core.id()];
  engine_.events_.push({event_time, core.id()});
}

// ---- the engine -----------------------------------------------------------------------------------

NewestEngine::NewestEngine(const Run& run, Watcher& watcher)
    : VirtualRun(run, watcher),
      outboxes_(run.network.nodes),
      gradient_workers_(run.threads),
      mix_workers_(run.threads),
      charge_(run.charge(run.charge_wire_bits || run.machine)),
      faults_(run.faults, [](const Fault&) { return true; }),
      dropped_(resumed_count(run, "dropped_messages")) {
  check(!(run.algorithm.uses_deadline && run.deadline.adapts),
        "newest delivery in virtual time: messages carry no speeds to adapt a deadline to");
  for (NodeId i = 0; i < run.network.nodes; ++i)
    nodes_.push_back(std::make_unique<NewestNode>(*this, i, arena_.model(i)));
  for (std::uint32_t k = 0; k < run.threads; ++k)
    scratch_.push_back({.work = run.problem.make_workspace(), .batch = {}, .terms = {}});
  for (auto& node : nodes_) node->task = run.algorithm.run(*node, run.options);
}

// What a reader sees at this moment. Events only go forward in time, so what has been overtaken is never read again;
// its buffer is written next by work that is noted down later, hence carried out later.
const Sent& NewestEngine::newest_visible(NodeId j) {
  Outbox& out = outboxes_[j];
  while (out.versions.size() > 1 && out.versions[1].visible_at <= now_) {
    out.unused.push_back(out.versions.front().buffer);
    out.versions.pop_front();
  }
  return out.versions.front();
}

void NewestEngine::compute_pending() {
  carry_out();  // gradients are taken at models that are up to date
  std::vector<NewestNode*> pending;
  for (auto& node : nodes_)
    if (node->pending) pending.push_back(node.get());
  FirstFailure failure;
  gradient_workers_.run(static_cast<double>(pending.size()), [&](std::uint32_t team) {
#pragma omp parallel for schedule(dynamic) num_threads(static_cast <int>(team))
    for (std::size_t k = 0; k < pending.size(); ++k) {
      const auto worker = static_cast<std::size_t>(omp_get_thread_num());
      failure.guard([&] { pending[k]->compute(scratch_[worker]); });
    }
  });
  failure.rethrow();
}

void NewestEngine::carry_out() {
  if (deferred_.empty()) return;
  mix_workers_.run(static_cast<double>(deferred_.size()), [&](std::uint32_t team) { carry_out_with(team); });
  deferred_.clear();
  terms_.clear();
}

// A range of coordinates for each worker.
void NewestEngine::carry_out_with(std::uint32_t team) {
  const std::size_t slices = (p_ + Codec::kSlice - 1) / Codec::kSlice;
  std::uint64_t overflows = 0, violations = 0;
  FirstFailure failure;
#pragma omp parallel num_threads(static_cast <int>(team)) reduction(+ : overflows, violations)
  {
    const auto worker = static_cast<std::size_t>(omp_get_thread_num());
    const auto workers = static_cast<std::size_t>(omp_get_num_threads());
    const std::size_t first = std::min(p_, slices * worker / workers * Codec::kSlice);
    const std::size_t last = std::min(p_, slices * (worker + 1) / workers * Codec::kSlice);
    failure.guard([&] {
      if (first == last) return;
      for (const Deferred& work : deferred_) {
        const NodeCore& node = nodes_[work.node]->core;
        const std::span terms = std::span(terms_).subspan(work.first_term, work.terms);
        if (work.copy)
          overflows += node.encode_slice(work.iteration, first, last, work.message);
        else
          violations += node.carry_out_slice(work.update, terms, first, last);
      }
    });
  }
  failure.rethrow();
  overflows_ += overflows;
  violations_ += violations;
}

// Until the node's next event. A lost node has none.
void NewestEngine::resume(NodeId i) {
  try {
    if (!nodes_[i]->task.resume()) check(nodes_[i]->is_over(), "an algorithm's text ended by itself");
  } catch (const std::exception& error) {
    fail(i, error);
  }
}

bool NewestEngine::begin() {
  if (run_.resume)
    restore();
  else
    for (NodeId i = 0; i < nodes_.size() && !broke_off(); ++i) resume(i);
  return !broke_off();
}

// To the next update.
bool NewestEngine::advance() {
  for (const std::uint64_t before = updates_; updates_ == before && !broke_off();) {
    const Event event = events_.top();
    now_ = std::min(event.time, run_.max_time);
    if (event.time > run_.max_time) return false;
    events_.pop();
    resume(event.node);
  }
  return !broke_off();
}

Cut NewestEngine::cut() {
  carry_out();
  Cut cut{.iteration = iteration(), .time = now_, .models = models_};
  if (charges(false)) cut.time_paper_bits = now_;
  if (charges(true)) cut.time_wire_bits = now_;
  return cut;
}

// What a node reads depends on the clock, so there is no other one, but where the link charges nothing.
bool NewestEngine::charges(bool wire_bits) const {
  if (run_.machine) return false;
  return run_.charge_wire_bits == wire_bits || run_.link.kind == LinkModel::Kind::none;
}

void NewestEngine::save_more(Checkpoint& checkpoint) {
  std::size_t payload = 0;
  for (NodeId i = 0; i < nodes_.size(); ++i) {
    (void)newest_visible(i);  // gives up what has been overtaken
    for (const Sent& sent : outboxes_[i].versions) payload += sent.bytes;
  }
  checkpoint.payload.reserve(payload);
  for (NodeId i = 0; i < nodes_.size(); ++i) {
    nodes_[i]->save(checkpoint);
    for (const Sent& sent : outboxes_[i].versions) {
      checkpoint.message_node.push_back(i);
      checkpoint.message_iteration.push_back(sent.iteration);
      checkpoint.message_published.push_back(sent.published_at);
      checkpoint.message_visible.push_back(sent.visible_at);
      checkpoint.message_bytes.push_back(static_cast<std::uint32_t>(sent.bytes));
      const auto* const bytes = reinterpret_cast<const std::uint8_t*>(outboxes_[i].buffers[sent.buffer]->data());
      checkpoint.payload.insert(checkpoint.payload.end(), bytes, bytes + sent.bytes);
    }
  }
  checkpoint.state.emplace_back("updates", static_cast<std::int64_t>(updates_));
  checkpoint.state.emplace_back("dropped_messages", static_cast<std::int64_t>(dropped_));
  schedule_.save(checkpoint.state);
}

void NewestEngine::add_figures() {
  outcome_.measured.emplace_back("dropped_messages", static_cast<std::int64_t>(dropped_));
  if (dropped_ > 0) outcome_.verdict.reject(messages_dropped(dropped_));
}

void NewestEngine::restore() {
  const Checkpoint& saved = run_.resume->checkpoint;
  const std::size_t n = nodes_.size();
  if (saved.event_time.size() != n || saved.exchanging.size() != n ||
      saved.next_unseen.size() != run_.network.neighbour_list.size())
    reject_checkpoint(run_, "its checkpoint lacks what its nodes wait for");
  now_ = resumed(run_, "clock");
  for (const Seconds time : saved.event_time)
    if (!(time >= now_ && std::isfinite(time))) reject_checkpoint(run_, fmt::format("an event is due at {} s", time));
  updates_ = std::accumulate(saved.iteration.begin(), saved.iteration.end(), std::uint64_t{0});
  if (!saved.speed.empty()) restore_cores();  // version 0.1.0 kept no speeds of asynchronous nodes
  restore_messages();
  std::span<const std::uint32_t> next_unseen = saved.next_unseen;
  for (NodeId i = 0; i < n; ++i) {
    if (outboxes_[i].versions.empty()) reject_checkpoint(run_, fmt::format("node {} has sent no message", i));
    nodes_[i]->restore(saved, next_unseen);
  }
}

void NewestEngine::restore_messages() {
  const Checkpoint& saved = run_.resume->checkpoint;
  const std::size_t capacity = run_.codec.capacity(p_);
  for (std::size_t k = 0, first = 0; k < saved.message_node.size(); first += saved.message_bytes[k++]) {
    Outbox& out = outboxes_[saved.message_node[k]];
    const std::size_t bytes = saved.message_bytes[k];
    if (run_.codec.is_sliceable() ? bytes != capacity : bytes > capacity)
      reject_checkpoint(run_, fmt::format("message {} has {} bytes", k, bytes));
    out.buffers.push_back(std::make_unique<AlignedVector<std::byte>>(capacity));
    std::memcpy(out.buffers.back()->data(), saved.payload.data() + first, bytes);
    out.versions.push_back({.buffer = out.buffers.size() - 1,
                            .bytes = bytes,
                            .wire_bytes = static_cast<double>(run_.codec.wire_bytes(*out.buffers.back(), p_)),
                            .iteration = saved.message_iteration[k],
                            .published_at = saved.message_published[k],
                            .visible_at = saved.message_visible[k]});
  }
}

}  // namespace

Outcome run_virtual_newest(const Run& run, Watcher& watcher) {
  require_memory(run, plan_virtual(run));
  return NewestEngine(run, watcher)();
}

}  // namespace quantimed

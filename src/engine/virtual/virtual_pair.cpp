// SPDX-License-Identifier: BSD-3-Clause
#include "engine/virtual/virtual_pair.hpp"

#include "base/error.hpp"
#include "base/first_failure.hpp"
#include "engine/memory_plan.hpp"
#include "engine/pairs.hpp"
#include "engine/resumption.hpp"

#include <omp.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quantimed {

// ---- a node ----

PairNode::PairNode(PairEngine& engine, NodeId id, std::span<Real> x)
    : VirtualNode(engine.run_, id), engine_(engine), sum_(x.size()) {
  core.place(x);
}

NodeId PairNode::partner(Round t) const { return partner_of(run_, core.id(), t); }

Seconds PairNode::now() const { return engine_.now_ + ahead_; }

void PairNode::wait_for(Seconds duration) {
  event_time_ = now() + duration;
  ahead_ = 0;
  engine_.events_.push({event_time_, core.id()});
}

// The engine ends the run after T · n updates in all. Records are of iterations that have ended.
bool PairNode::wants(Round t) {
  if (t > first_round()) engine_.records_[core.id()].push_back(core.record);
  core.begin(t, now());
  if (!restoring_) awaits_ = 0;
  const std::optional<Fault> fault = engine_.faults_.next(core.id(), now());
  if (fault && fault->lasts == kForever) {
    engine_.lose(core.id(), t);
    is_lost_ = true;
    return false;
  }
  if (fault) {  // others average with it all the same
    core.record.record += static_cast<float>(fault->lasts);
    ahead_ += fault->lasts;
  }
  return true;
}

bool PairNode::is_behind() { return restoring_ && repeated_++ < awaits_; }

bool PairNode::start(const GradientRequest& request) {
  const auto before = static_cast<Seconds>(core.record.compute);
  plan(request);
  core.begin_samples(core.round(), core.this_gradient(), request.at.index);
  core.took_gradient(batch_, sum_);
  pending = batch_ > 0;
  if (is_behind()) return true;
  if (!restoring_) wait_for(static_cast<Seconds>(core.record.compute) - before);
  return false;
}

void PairNode::compute(Scratch& scratch) {
  core.add_samples(batch_, sum_, scratch);
  pending = false;
}

// Where it depends on the model, which others may have changed when a run that was stopped comes here again, the node's
// number keeps it.
double PairNode::message_bytes() {
  const auto bytes = [&] { return pair_message_bytes(run_, core.id(), core.round(), core.x(), engine_.room_); };
  if (run_.codec.is_sliceable()) return bytes();
  if (!restoring_) core.scalar() = static_cast<Real>(bytes());
  return static_cast<double>(core.scalar());
}

// Both messages are charged to the clock of the node that averages, before it does: as it finds its own to be then.
bool PairNode::start(const AverageRequest& request) {
  averages_ = request;
  if (request.partner == core.id()) return true;
  const PairCost cost = cost_of_pair(run_, message_bytes(), engine_.charge_);
  const Seconds exchange = cost.on_paper_link + cost.on_link;
  core.record.bytes = cost.bytes;
  core.record.exchange = static_cast<float>(exchange);
  if (exchange <= 0) return true;
  if (!restoring_) wait_for(exchange);
  return false;
}

Averaged PairNode::finish(Averaged) {
  PairNode& partner = *engine_.nodes_[averages_.partner];
  if (&partner == this || partner.is_lost()) return {.is_done = false};
  const PairMessages sent = average_models(run_, core.id(), core.round(), core.x(), partner.core.x(), engine_.room_);
  core.record.bytes = sent.wire_bytes;
  core.count_overflows(sent.overflows);
  core.count_violations(sent.violations);
  core.record.staleness = static_cast<float>(core.round()) - static_cast<float>(partner.core.round());
  return {.is_done = true};
}

void PairNode::apply(std::span<const Statement> statements) {
  const auto reads_gradient = [](const Statement& s) {
    return std::ranges::any_of(s.value, [](const Linear::Term& term) { return term.source == formula::g; });
  };
  if (restoring_) {  // the saved run has done it
    pending &= std::ranges::none_of(statements, reads_gradient);
    return;
  }
  if (pending) engine_.compute_pending();
  core.carry_out(statements);
  if (std::ranges::any_of(statements, [](const Statement& s) { return s.destination == formula::x; }))
    ++engine_.updates_;
}

// Between two events every node waits for one of its own: the end of a gradient, which depends on vectors that are kept
// and is computed again, or of its exchange.
void PairNode::save(Checkpoint& checkpoint) const {
  checkpoint.start_time.push_back(core.record.start);
  checkpoint.event_time.push_back(event_time_);
  checkpoint.awaits.push_back(awaits_);
}

void PairNode::restore(const Checkpoint& saved) {
  awaits_ = saved.awaits[core.id()];
  event_time_ = start_again(saved, "pairwise delivery: an algorithm that never waits");
  engine_.events_.push({event_time_, core.id()});
}

// ---- all of them ----

PairEngine::PairEngine(const Run& run, Watcher& watcher)
    : RunOfUpdates(run, watcher),
      gradient_workers_(run.threads),
      charge_(run.charge(run.charge_wire_bits)),
      faults_(run.faults, [](const Fault&) { return true; }) {
  check(!run.machine && !run.uses_deadline(), "pairwise delivery: no predictions, and no deadlines");
  for (NodeId i = 0; i < run.network.nodes; ++i)
    nodes_.push_back(std::make_unique<PairNode>(*this, i, arena_.model(i)));
  for (std::uint32_t k = 0; k < run.threads; ++k)
    scratch_.push_back({.work = run.problem.make_workspace(), .batch = {}, .terms = {}, .form = {}});
  for (auto& node : nodes_) node->task = run.algorithm.run(*node, node->core.options());
}

void PairEngine::compute_pending() {
  std::vector<PairNode*> pending;
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

// To the next update.
bool PairEngine::advance() {
  for (const std::uint64_t before = updates_; updates_ == before && !broke_off();) {
    if (events_.empty()) return false;  // all nodes are lost
    const auto [time, node] = events_.top();
    now_ = std::min(time, run_.max_time);
    if (time > run_.max_time) return false;
    events_.pop();
    nodes_[node]->event_is_due();
    resume(*nodes_[node]);
  }
  return !broke_off();
}

// Who averages with what depends on the clock, so there is no other one, but where the link charges nothing.
Cut PairEngine::cut() {
  Cut cut{.iteration = iteration(), .time = now_, .models = models_};
  const bool is_free = run_.link.kind == LinkModel::Kind::none;
  if (is_free || !run_.charge_wire_bits) cut.time_paper_bits = now_;
  if (is_free || run_.charge_wire_bits) cut.time_wire_bits = now_;
  return cut;
}

void PairEngine::save_more(Checkpoint& checkpoint) {
  for (const auto& node : nodes_) node->save(checkpoint);
  checkpoint.state.emplace_back("updates", static_cast<std::int64_t>(updates_));
  schedule_.save(checkpoint.state);
}

void PairEngine::restore() {
  const Checkpoint& saved = run_.resume->checkpoint;
  const std::size_t n = nodes_.size();
  if (saved.event_time.size() != n || saved.awaits.size() != n)
    reject_checkpoint(run_, "its checkpoint lacks what its nodes wait for");
  now_ = resumed(run_, "clock");
  for (const Seconds time : saved.event_time)
    if (!(time >= now_ && std::isfinite(time))) reject_checkpoint(run_, fmt::format("an event is due at {} s", time));
  const bool is_free = run_.link.kind == LinkModel::Kind::none || n == 1;  // nobody waits for an exchange
  for (const std::uint32_t awaits : saved.awaits)
    if (awaits + is_free > run_.algorithm.gradients(run_.options))
      reject_checkpoint(run_, fmt::format("a node has {} waits behind it in an iteration", awaits));
  updates_ = std::accumulate(saved.iteration.begin(), saved.iteration.end(), std::uint64_t{0});
  restore_cores();
  for (const auto& node : nodes_) node->restore(saved);
}

Outcome run_virtual_pair(const Run& run, Watcher& watcher) {
  require_memory(run, plan_virtual(run));
  return PairEngine(run, watcher)();
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "engine/virtual/virtual_newest.hpp"

#include "base/error.hpp"
#include "base/first_failure.hpp"
#include "base/prefetch.hpp"
#include "engine/memory_plan.hpp"
#include "engine/resumption.hpp"

#include <omp.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace quantimed {

NewestEngine::NewestEngine(const Run& run, Watcher& watcher)
    : RunOfUpdates(run, watcher),
      outboxes_(run.network.nodes),
      gradient_workers_(run.threads),
      mix_workers_(run.threads),
      charge_(run.charge(run.charge_wire_bits || run.machine)),
      faults_(run.faults, [](const Fault&) { return true; }),
      dropped_(resumed_count(run, "dropped_messages")) {
  check(!(run.uses_deadline() && run.deadline.adapts),
        "newest delivery in virtual time: messages carry no speeds to adapt a deadline to");
  for (NodeId i = 0; i < run.network.nodes; ++i)
    nodes_.push_back(std::make_unique<NewestNode>(*this, i, arena_.model(i)));
  for (std::uint32_t k = 0; k < run.threads; ++k)
    scratch_.push_back({.work = run.problem.make_workspace(), .batch = {}, .terms = {}, .form = {}});
  for (auto& node : nodes_) node->task = run.algorithm.run(*node, node->core.options());
}

// What a reader sees at this moment. Events only go forward in time, so what has been overtaken is never read again;
// its buffer is written next by work that is noted down later, hence carried out later.
const Sent& NewestEngine::newest_visible(NodeId j) {
  NewestOutbox& out = outboxes_[j];
  while (out.versions.size() > 1 && out.versions[1].visible_at <= now_) {
    out.unused.push_back(out.versions.front().buffer);
    out.versions.erase(out.versions.begin());
  }
  return out.versions.front();
}

// Those whose events come soon. What is asked for first says where the next pieces are.
void NewestEngine::prefetch_events() const {
  const std::size_t bytes = sizeof(NewestNode);
  if (const Event* event = events_.ahead(6)) {
    prefetch(nodes_[event->node].get(), bytes);
    prefetch(&outboxes_[event->node], sizeof(NewestOutbox));
    prefetch(&records_[event->node], sizeof(NodeRecords));
    prefetch(run_.network.neighbours(event->node).data());
  }
  if (const Event* event = events_.ahead(3)) nodes_[event->node]->prefetch_event();
  if (const Event* event = events_.ahead(1))
    for (const Neighbour& j : run_.network.neighbours(event->node)) prefetch(outboxes_[j.id].versions.data());
}

// Work that has been noted down is carried out k-th: what comes soon after it is asked for.
void NewestEngine::prefetch_work(std::size_t k) const {
  if (k + 8 < deferred_.size()) prefetch(nodes_[deferred_[k + 8].node].get(), sizeof(NewestNode));
  if (k + 4 >= deferred_.size()) return;
  const Deferred& work = deferred_[k + 4];
  nodes_[work.node]->prefetch_vectors();
  prefetch(work.message.data(), work.message.size());
  for (const MixTerm& term : std::span(terms_).subspan(work.first_term, work.terms))
    prefetch(term.message.data(), term.message.size());
}

void NewestEngine::compute_pending() {
  carry_out();  // gradients are taken at models that are up to date
  std::erase_if(pending_, [&](NodeId i) { return !nodes_[i]->pending; });
  const auto node = [&](std::size_t k) -> NewestNode& { return *nodes_[pending_[std::min(k, pending_.size() - 1)]]; };
  FirstFailure failure;
  gradient_workers_.run(static_cast<double>(pending_.size()), [&](std::uint32_t team) {
#pragma omp parallel for schedule(dynamic) num_threads(static_cast <int>(team))
    for (std::size_t k = 0; k < pending_.size(); ++k) {
      prefetch(&node(k + 8), sizeof(NewestNode));
      node(k + 4).prefetch_vectors();
      const auto worker = static_cast<std::size_t>(omp_get_thread_num());
      failure.guard([&] { node(k).compute(scratch_[worker]); });
    }
  });
  failure.rethrow();
  pending_.clear();
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
      for (std::size_t k = 0; k < deferred_.size(); ++k) {
        const Deferred& work = deferred_[k];
        prefetch_work(k);
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

// To the next update.
bool NewestEngine::advance() {
  for (const std::uint64_t before = updates_; updates_ == before && !broke_off();) {
    const Event event = events_.top();
    now_ = std::min(event.time, run_.max_time);
    if (event.time > run_.max_time) return false;
    events_.pop();
    prefetch_events();
    resume(*nodes_[event.node]);
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
    for (const Sent& sent : outboxes_[i].versions) payload += sent.payload.size();
  }
  checkpoint.payload.reserve(payload);
  for (NodeId i = 0; i < nodes_.size(); ++i) {
    nodes_[i]->save(checkpoint);
    for (const Sent& sent : outboxes_[i].versions) {
      checkpoint.message_node.push_back(i);
      checkpoint.message_iteration.push_back(sent.iteration);
      checkpoint.message_published.push_back(sent.published_at);
      checkpoint.message_visible.push_back(sent.visible_at);
      checkpoint.message_bytes.push_back(static_cast<std::uint32_t>(sent.payload.size()));
      const auto* const bytes = reinterpret_cast<const std::uint8_t*>(sent.payload.data());
      checkpoint.payload.insert(checkpoint.payload.end(), bytes, bytes + sent.payload.size());
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
  const std::size_t capacity = parcel_capacity(run_);
  for (std::size_t k = 0, first = 0; k < saved.message_node.size(); first += saved.message_bytes[k++]) {
    const NodeCore& sender = nodes_[saved.message_node[k]]->core;
    NewestOutbox& out = outboxes_[saved.message_node[k]];
    const std::size_t bytes = saved.message_bytes[k];
    if (run_.codec.is_sliceable() || !run_.algorithm.sends_its_model ? bytes != capacity : bytes > capacity)
      reject_checkpoint(run_, fmt::format("message {} has {} bytes", k, bytes));
    AlignedVector<std::byte>& message = out.buffers.emplace_back(capacity);
    std::memcpy(message.data(), saved.payload.data() + first, bytes);
    out.versions.push_back({.buffer = out.buffers.size() - 1,
                            .payload = std::span(message).first(bytes),
                            .wire_bytes = sender.parcel_wire_bytes(message),
                            .iteration = saved.message_iteration[k],
                            .published_at = saved.message_published[k],
                            .visible_at = saved.message_visible[k]});
  }
}

Outcome run_virtual_newest(const Run& run, Watcher& watcher) {
  require_memory(run, plan_virtual(run));
  return NewestEngine(run, watcher)();
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What a worker does in a phase: it runs nodes that are ready until they wait again, carries out what their texts have
// asked for, and tells those who wait for them.
#include "engine/virtual/virtual_round.hpp"

#include "base/error.hpp"

#include <algorithm>

namespace quantimed {

// Does a part of node i's work. What it throws ends the run behind the phase; false then.
template <class Work>
bool RoundEngine::attempt(NodeId i, Work&& work, std::optional<Round> round) {
  try {
    std::forward<Work>(work)();
    return true;
  } catch (...) {
    const std::scoped_lock lock(failing_);
    failures_[{round.value_or(nodes_[i]->core.round()), i}] = std::current_exception();
    queue_.abandon();
    return false;
  }
}

// Runs the worker's nodes until they wait for messages, and tells those who wait for theirs.
void RoundEngine::step(std::size_t worker) {
  RoundWorker& own = workers_[worker];
  for (const NodeId i : own.together) {
    RoundNode& node = *nodes_[i];
    node.worker = &own;
    const bool is_well = attempt(i, [&] {
      if (!node.task.resume()) check(node.is_over(), "an algorithm's text ended by itself");
    });
    if (!is_well) return;
  }
  if (!carry_out(own)) return;
  for (const NodeId i : own.together) {
    if (nodes_[i]->is_over())
      queue_.retire();
    else
      arrive(worker, i);
  }
}

// What has been noted down: all gradients, then updates and messages range by range of their coordinates.
bool RoundEngine::carry_out(RoundWorker& own) {
  if (own.messages.empty() && own.updates.empty()) return true;
  own.jobs.clear();
  for (const NotedUpdate& noted : own.updates) {
    if (!attempt(
            noted.node->core.id(), [&] { noted.node->compute(noted); }, noted.round))
      return false;
    own.jobs.push_back(noted.node->core.job_of(
        noted.update, std::span<const MixTerm>(own.terms).subspan(noted.first_term, noted.terms)));
  }
  if (!attempt(own.together.front(), [&] { mix_and_cut(own); })) return false;
  for (std::size_t k = 0; k < own.jobs.size(); ++k) own.updates[k].node->core.count_violations(own.jobs[k].wrong);
  for (RoundNode* node : own.messages)
    if (!attempt(node->core.id(), [&] { node->complete_message(); })) return false;
  own.updates.clear();
  own.terms.clear();
  own.messages.clear();
  return true;
}

// Messages of a code that can be cut are encoded while the model is in the cache.
void RoundEngine::mix_and_cut(RoundWorker& own) {
  own.mix.begin(own.jobs);
  const bool is_cut = run_.codec.is_sliceable();
  for (std::size_t first = 0; first < p_; first += own.mix.range()) {
    const std::size_t last = std::min(p_, first + own.mix.range());
    own.mix.carry_out(first, last);
    if (is_cut)
      for (RoundNode* node : own.messages) node->encode_slice(first, last);
  }
}

// Node i waits for the messages of an exchange, and has sent its own. Who has all that it waits for then?
std::span<const NodeId> RoundEngine::arrived(NodeId i, std::vector<NodeId>& ready) {
  const RoundNode& node = *nodes_[i];
  const Round message = node.message();
  // acq_rel: the last to arrive sees what all others wrote, and hands it on to whoever runs those that are ready.
  const auto is_last = [](std::atomic<std::uint32_t>& missing, std::uint32_t all) {
    if (missing.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
    // Nobody arrives for message k + 2 before those that are ready have gone on, so the counter may be reset here.
    missing.store(all, std::memory_order_relaxed);
    return true;
  };
  const auto count_down = [&](NodeId j) {
    if (clock_.is_living(j) && is_last(nodes_[j]->missing(node.channel(), message), arrivals_[j])) ready.push_back(j);
  };
  ready.clear();
  if (waits_for_all(node)) {
    if (is_last(all_missing_[message % 2], run_.network.nodes))
      for (NodeId j = 0; j < run_.network.nodes; ++j) ready.push_back(j);
    return ready;
  }
  for (const Neighbour& j : run_.network.neighbours(i)) count_down(j.id);
  count_down(i);
  return ready;
}

// Nodes are held at the first exchange of an iteration: nothing that lasts has changed in it.
void RoundEngine::arrive(std::size_t worker, NodeId i) {
  const bool is_held = nodes_[i]->core.round() == hold_ && nodes_[i]->is_first_exchange();
  const std::span<const NodeId> ready = arrived(i, workers_[worker].ready);
  if (is_held)
    for ([[maybe_unused]] NodeId j : ready) queue_.retire();
  else
    queue_.push(worker, ready);
}

// One worker's part of a phase. What a node throws ends the run behind the phase.
void RoundEngine::work(std::size_t worker, std::size_t workers) {
  const std::size_t n = nodes_.size();
  const std::size_t first = n * worker / workers, last = n * (worker + 1) / workers;
  std::vector<NodeId> own;
  for (std::size_t i = last; i > first; --i)
    if (clock_.is_living(static_cast<NodeId>(i - 1))) own.push_back(static_cast<NodeId>(i - 1));
  queue_.push(worker, own);
  while (queue_.pop(worker, workers, most_together_, workers_[worker].together)) step(worker);
}

}  // namespace quantimed

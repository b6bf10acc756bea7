// SPDX-License-Identifier: BSD-3-Clause
#include "engine/virtual/virtual_round.hpp"

#include "base/error.hpp"
#include "base/first_failure.hpp"
#include "engine/memory_plan.hpp"
#include "engine/resumption.hpp"

#include <omp.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace quantimed {

namespace {
constexpr double kRoundsAhead = 8;         // between two holds: enough for cache reuse on sparse graphs
constexpr double kShortestPhase_s = 1e-3;  // of real time: waking workers and looking around cost microseconds
constexpr double kLongestPhase_s = 0.5;    // so that signals are answered soon
}  // namespace

RoundEngine::RoundEngine(const Run& run, Watcher& watcher)
    : VirtualRun(run, watcher),
      outboxes_(run.network.nodes),
      queue_(run.threads),
      choice_(run.threads),
      grouping_(most_together(run)),
      clock_(run, run.charge(run.charge_wire_bits),
             run.resume ? run.resume->checkpoint.start_time : std::vector<Seconds>{}),
      now_(first_round(run, 0)),
      hold_(now_),
      losses_(run.faults, [&](const Fault& fault) { return is_loss(fault, run.patience()); }) {
  if (has_other_clock())
    other_clock_.emplace(run, run.charge(!run.charge_wire_bits),
                         run.resume ? run.resume->checkpoint.start_time_other_bits : std::vector<Seconds>{});
  for (NodeId i = 0; i < run.network.nodes; ++i) {
    const std::size_t capacity = message_capacity(run, i);
    outboxes_[i].resize(run.algorithm.channels);
    for (auto& slots : outboxes_[i])
      for (Slot& slot : slots) slot.message.resize(capacity);
    nodes_.push_back(std::make_unique<RoundNode>(*this, i));
    arrivals_.push_back(static_cast<std::uint32_t>(run.network.neighbours(i).size()) + 1);
  }
  for (auto& missing : all_missing_) missing.store(run.network.nodes, std::memory_order_relaxed);
  // The worker that will mostly run a node touches its memory first.
  FirstFailure failure;
#pragma omp parallel for schedule(static) num_threads(static_cast <int>(run.threads))
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    failure.guard([&] { nodes_[i]->core.place(arena_.model(static_cast<NodeId>(i))); });
  failure.rethrow();
  for (std::uint32_t k = 0; k < run.threads; ++k)
    workers_.emplace_back(run).scratch.work = run.problem.make_workspace();
}

void RoundEngine::run_phase_with(std::uint32_t team) {
  FirstFailure failure;  // of the workers themselves: they have no memory for their lists
#pragma omp parallel num_threads(static_cast <int>(team))
  failure.guard([&] {
    try {
      work(static_cast<std::size_t>(omp_get_thread_num()), static_cast<std::size_t>(omp_get_num_threads()));
    } catch (...) {
      queue_.abandon();
      throw;
    }
  });
  failure.rethrow();
}

// Every node goes on until it has all messages of round `hold`, or has ended. False where one could not; of several
// failures the earliest is told, since others may never have come to theirs.
bool RoundEngine::run_phase(Round hold) {
  const double nodes = static_cast<double>(models_.size()), rounds = hold - hold_;
  hold_ = hold;
  queue_.open(models_.size());
  most_together_ = grouping_.next();
  const auto began = std::chrono::steady_clock::now();
  choice_.run(nodes * rounds, [&](std::uint32_t team) { run_phase_with(team); });
  const Seconds took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (rounds > 0) seconds_per_round_ = took / rounds;
  grouping_.learn(nodes * rounds, took, took);
  if (queue_.is_stuck()) outcome_.failure = who_waits();
  if (failures_.empty()) return !broke_off();
  const auto& [where, why] = *failures_.begin();
  try {
    std::rethrow_exception(why);
  } catch (const std::exception& error) {
    fail(where.second, where.first, error);
  }
  return false;
}

// Nobody updates before the first hold, so the models are a cut even where a node has failed.
bool RoundEngine::begin() {
  if (run_.resume) restore_cores();
  for (auto& node : nodes_) node->task = run_.algorithm.run(*node, node->core.options());
  run_phase(now_);
  if (run_.resume)  // the messages that have just been sent again were counted before
    for (auto& node : nodes_) node->core.forget_counts();
  strike();
  return true;
}

// To the next hold, and the clocks behind it.
bool RoundEngine::advance() {
  const Round hold = next_hold();
  check(hold > now_, "virtual engine: a phase without a round");
  if (!run_phase(hold)) return false;
  for (; now_ < hold; ++now_) {
    clock_.advance(records_, now_);
    if (other_clock_) other_clock_->pass(records_, now_);
  }
  strike();
  return true;
}

// Every worker waits, and no node is ready.
std::string RoundEngine::who_waits() const {
  std::map<NodeId, std::vector<NodeId>> waiting;  // for whom
  for (NodeId i = 0; i < nodes_.size(); ++i)
    for (const Neighbour& j : nodes_[i]->core.sources(nodes_[i]->message()))
      if (clock_.is_living(i) && clock_.is_living(j.id) &&
          nodes_[j.id]->core.sent(nodes_[i]->channel()) <= nodes_[i]->message())
        waiting[j.id].push_back(i);
  std::vector<std::string> texts;
  texts.reserve(waiting.size());
  for (const auto& [j, who] : waiting)
    texts.push_back(fmt::format("node {} has sent nothing since round {}, and {} wait{} for it", j,
                                nodes_[j]->core.round(), list_of(who), who.size() == 1 ? "s" : ""));
  return fmt::format("no node can go on: {}", fmt::join(texts, "; "));
}

// A lost node leaves at a moment of the run's clock, and the others' values depend on which round that is.
bool RoundEngine::has_other_clock() const {
  if (run_.machine || !losses_.is_empty()) return false;
  return !run_.resume || run_.resume->checkpoint.start_time_other_bits.size() == run_.network.nodes;
}

Cut RoundEngine::cut() {
  Cut cut{.iteration = iteration(), .time = clock(), .models = models_};
  if (!run_.machine) (run_.charge_wire_bits ? cut.time_wire_bits : cut.time_paper_bits) = cut.time;
  if (other_clock_) (run_.charge_wire_bits ? cut.time_paper_bits : cut.time_wire_bits) = other_clock_->latest();
  return cut;
}

Round RoundEngine::next_hold() const {
  // The clock may end the run, or a node, after any round.
  if (run_.max_time != kForever || !losses_.is_empty()) return now_ + 1;
  double rounds = kRoundsAhead;
  if (seconds_per_round_ > 0)
    rounds = std::clamp(rounds, kShortestPhase_s / seconds_per_round_, kLongestPhase_s / seconds_per_round_);
  const double most = run_.iterations - now_;  // at least one
  return std::min(now_ + static_cast<Round>(std::clamp(rounds, 1.0, most)), schedule_.next_iteration());
}

// All nodes wait for the messages of round now_, and its start is known. A node that is lost has not begun it: the
// message that it has encoded does not exist. Where the others do not go on without it, the run ends.
void RoundEngine::strike() {
  if (broke_off() || now_ == run_.iterations) return;
  while (const auto fault = losses_.next([&](NodeId i) { return clock_.starts()[i]; })) {
    const NodeId i = fault->node;
    nodes_[i]->core.take_back_messages();
    if (!run_.algorithm.goes_on_without) {
      outcome_.lost.push_back({i, now_});
      outcome_.failure = end_waiting_for(i);
      return;
    }
    lose(i, now_);
    clock_.lose(i);
    for (const Neighbour& j : run_.network.neighbours(i)) {
      // Nobody has sent anything of a later round, so both counters are full.
      nodes_[j.id]->set_missing(--arrivals_[j.id]);
    }
  }
}

// The first neighbour to lose its patience ends the run.
std::string RoundEngine::end_waiting_for(NodeId i) {
  std::vector<NodeId> waiting;
  Seconds first = kForever;
  const auto waits = [&](NodeId j) {
    waiting.push_back(j);
    first = std::min(first, clock_.starts()[j] + static_cast<Seconds>(nodes_[j]->core.record.compute));
  };
  if (run_.algorithm.exchanges(run_.options, now_).is_collective) {
    for (NodeId j = 0; j < run_.network.nodes; ++j)
      if (j != i && clock_.is_living(j)) waits(j);
  } else {
    for (const Neighbour& j : run_.network.neighbours(i)) waits(j.id);
  }
  outcome_.end_time = std::max(clock(), first + run_.patience());
  return silence(i, now_, run_.patience(), waiting);
}

void RoundEngine::save_more(Checkpoint& checkpoint) {
  checkpoint.start_time = clock_.starts();
  if (other_clock_) checkpoint.start_time_other_bits = other_clock_->starts();
  schedule_.save(checkpoint.state);
  clock_.save(checkpoint.state);
}

void RoundEngine::add_figures() {
  if (!run_.ranks) return;
  const CrossingMessages count = crossing_messages(run_.network, *run_.ranks);
  const auto all = [&](std::uint64_t in_a_round) { return static_cast<std::int64_t>(in_a_round * now_); };
  outcome_.measured.emplace_back("messages_between_ranks", all(count.between_ranks));
  outcome_.measured.emplace_back("messages_between_hosts", all(count.between_hosts));
  outcome_.measured.emplace_back("messages_within_ranks", all(count.within_ranks));
}

Outcome run_virtual_round(const Run& run, Watcher& watcher) {
  require_memory(run, plan_virtual(run));
  return RoundEngine(run, watcher)();
}

}  // namespace quantimed

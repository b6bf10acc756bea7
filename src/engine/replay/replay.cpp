// SPDX-License-Identifier: BSD-3-Clause
#include "engine/replay/replay.hpp"

#include "base/error.hpp"
#include "base/fingerprint.hpp"
#include "engine/replay/replay_engine.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

namespace quantimed {

namespace {
constexpr auto kLook = std::chrono::milliseconds(50);  // how often the main thread asks whether to stop
constexpr std::size_t kMostPoints = 4;                 // that are complete and not shown yet
}  // namespace

Seconds end_of(const Rounds& rounds, NodeId i, Round t) {
  if (t >= rounds.iterations) return kForever;
  const std::size_t at = std::size_t{t} * rounds.nodes + i;
  Seconds end = rounds.start_time[at];
  for (const auto phase : kPhaseTimes) end += static_cast<Seconds>((rounds.*phase)[at]);
  return end;
}

std::int64_t model_fingerprint(std::span<const Real> x) {
  return static_cast<std::int64_t>(fingerprint64(x.data(), x.size_bytes()));
}

ReplayRun::ReplayRun(const Run& run, const ReplayRequest& request, Watcher& watcher)
    : run_(run),
      request_(request),
      watcher_(watcher),
      reads_(run.network.nodes),
      models_(run.network.nodes),
      shown_(run.network.nodes),
      points_(request.points.size()),
      broken_(run.network.nodes, {kNever, nullptr}),
      stores_(run.network.nodes),
      turns_(run.network.nodes),
      wrong_since_(run.network.nodes) {
  check(run.resume == nullptr, "a replay is from the start");
  if (request.recording.iterations.size() != run.network.nodes)
    throw InputError("/replay: is of {} nodes, and the run has {}; name a trace as it was written",
                     request.recording.iterations.size(), run.network.nodes);
  const auto logs = logs_of(request.recording);
  for (auto& since : wrong_since_) since.store(kNever, std::memory_order_relaxed);
  count_readers();
  list_models();
  list_points();
  for (NodeId i = 0; i < run.network.nodes; ++i) {
    if (run.algorithm.delivery == Delivery::pairwise)
      nodes_.push_back(std::make_unique<PairReplayNode>(*this, i, logs[i]));
    else
      nodes_.push_back(std::make_unique<MessageReplayNode>(*this, i, logs[i]));
    nodes_.back()->task = run.algorithm.run(*nodes_.back(), nodes_.back()->core.options());
  }
}

// Where a log ends or is none its node says so, once it gets there: an earlier difference is the one to tell.
void ReplayRun::count_readers() {
  if (run_.algorithm.delivery != Delivery::newest) return;
  const auto logs = logs_of(request_.recording);
  for (NodeId i = 0; i < reads_.size(); ++i) reads_[i].resize(std::size_t{iterations(i)} + 1);
  for (NodeId i = 0; i < logs.size(); ++i) {
    const auto neighbours = run_.network.neighbours(i);
    LogReader log(run_, i, logs[i]);
    try {
      while (log.iteration() < iterations(i)) {
        log.skip();
        for (std::size_t k = 0; k < neighbours.size(); ++k) {
          auto& reads = reads_[neighbours[k].id];
          if (const auto of = static_cast<std::size_t>(log.last_reads()[k]); of < reads.size()) ++reads[of];
        }
      }
    } catch (const InputError&) {
      broken_[i] = {log.iteration(), std::current_exception()};
    }
  }
}

void ReplayRun::list_models() {
  const Recording& r = request_.recording;
  for (std::size_t k = 0; k < r.model_node.size(); ++k)
    models_[r.model_node[k]].push_back(
        {r.model_turn.empty() ? r.model_iteration[k] : static_cast<std::uint64_t>(r.model_turn[k]),
         r.model_fingerprint[k]});
  for (auto& models : models_) std::ranges::stable_sort(models, {}, &Expected::at);
}

void ReplayRun::list_points() {
  for (std::size_t point = 0; point < points_.size(); ++point) {
    points_[point].models.resize(run_.network.nodes);
    for (NodeId i = 0; i < run_.network.nodes; ++i) {
      const auto of = request_.points[point].of_node[i];
      if (!of) continue;
      check(*of <= iterations(i), "a point lies beyond the recording");
      shown_[i].push_back({*of, point});
      ++points_[point].missing;
    }
  }
  for (auto& shown : shown_) std::ranges::stable_sort(shown, {}, &Shown::iteration);
}

double ReplayRun::began(NodeId i, Round t) const {
  const Rounds& rounds = request_.rounds;
  if (t >= rounds.iterations) return kForever;
  const Seconds start = rounds.start_time[std::size_t{t} * rounds.nodes + i];
  return std::isnan(start) ? kForever : start;  // not recorded
}

std::uint32_t ReplayRun::readers_of(NodeCore& sender, Round number) const {
  if (run_.algorithm.delivery == Delivery::newest) return reads_[sender.id()][number];
  const auto reads = [&](NodeId j) { return iterations(j) > sender.round(); };
  std::uint32_t readers = 0;
  if (run_.algorithm.exchanges(run_.options, sender.round()).is_collective)
    for (NodeId j = 0; j < run_.network.nodes; ++j) readers += j != sender.id() && reads(j);
  else
    for (const Neighbour& j : sender.readers(number)) readers += reads(j.id);
  return readers;
}

void ReplayRun::count_kept() {
  const std::uint64_t kept = kept_messages_.fetch_add(1, std::memory_order_relaxed) + 1;
  std::uint64_t most = most_messages_.load(std::memory_order_relaxed);
  while (kept > most && !most_messages_.compare_exchange_weak(most, kept, std::memory_order_relaxed)) {
  }
}

void ReplayRun::found(Difference difference) {
  const std::lock_guard lock(mutex_);
  const auto order = [](const Difference& d) { return std::pair(d.iteration, d.node); };
  if (!difference_ || order(difference) < order(*difference_)) difference_ = std::move(difference);
  stop_.store(true, std::memory_order_relaxed);
}

void ReplayRun::stop() {
  stop_.store(true, std::memory_order_relaxed);
  queue_.stop();
}

// Copies what a point needs of this node; waits where too many points are not shown yet.
void ReplayRun::deliver(NodeId i, std::size_t point, std::span<const Real> x) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return point < next_shown_ + kMostPoints || points_[next_shown_].missing > 0 || stop_; });
  points_[point].models[i].assign(x.begin(), x.end());
  if (--points_[point].missing == 0) changed_.notify_all();
}

// Pairwise: others change a node's model when its own iterations have all ended.
void ReplayRun::end_models() {
  for (NodeId i = 0; i < nodes_.size(); ++i) nodes_[i]->ends_at(turns_[i].next());
  std::unique_lock lock(mutex_);
  show(lock);
}

// One node until it waits, gives way or ends.
void ReplayRun::step(NodeId i, Scratch& scratch) {
  ReplayNode& node = *nodes_[i];
  node.scratch = &scratch;
  while (node.proceed()) {
    if (node.has_ended) {
      if (!request_.wants_checkpoint) node.release_all();  // which holds messages that were heard
      return queue_.end_one();
    }
    node.has_ended = !node.task.resume();
    check(!node.has_ended || node.is_over(), "an algorithm's text ended by itself");
    if (node.need == ReplayNode::Need::gradient) return queue_.push(began(i, node.core.round()), i);
  }
}

void ReplayRun::work() {
  try {
    Scratch scratch{.work = run_.problem.make_workspace(), .batch = {}, .terms = {}, .form = {}};
    for (std::optional<NodeId> i = queue_.pop(false); i; i = queue_.pop(true)) step(*i, scratch);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    stop();
  }
  const std::lock_guard lock(mutex_);
  --working_;
  changed_.notify_all();
}

// Shows the next points that are complete, off the lock.
void ReplayRun::show(std::unique_lock<std::mutex>& lock) {
  while (next_shown_ < points_.size() && points_[next_shown_].missing == 0 && !has_enough_ && !difference_ &&
         !failure_) {
    Point point = std::move(points_[next_shown_]);
    const ReplayPoint& asked = request_.points[next_shown_];
    lock.unlock();
    std::vector<const Real*> models;
    for (const auto& model : point.models)
      if (!model.empty()) models.push_back(model.data());
    const bool goes_on = watcher_.observe({.iteration = asked.iteration, .time = asked.time, .models = models});
    lock.lock();
    points_[next_shown_] = {};
    ++next_shown_;
    changed_.notify_all();
    if (goes_on) continue;
    has_enough_ = true;
    stop();
    return changed_.notify_all();
  }
}

void ReplayRun::watch() {
  std::uint64_t all = 0;
  for (const std::uint32_t each : request_.recording.iterations) all += each;
  std::unique_lock lock(mutex_);
  while (working_ > 0) {
    changed_.wait_for(lock, kLook);
    show(lock);
    lock.unlock();
    watcher_.progress(static_cast<double>(done_.load(std::memory_order_relaxed)) /
                      static_cast<double>(std::max<std::uint64_t>(all, 1)));
    const bool ends = watcher_.wants_to_stop();
    lock.lock();
    if (!ends || is_interrupted_) continue;
    is_interrupted_ = true;
    stop();
  }
  show(lock);
}

// Of those who wait, the one that waits for what came latest has a log that is wrong.
void ReplayRun::tell_stuck() const {
  const ReplayNode* wrong = nullptr;
  ReplayNode::Lack latest;
  for (const auto& node : nodes_) {
    if (!node->is_waiting()) continue;
    ReplayNode::Lack lack = node->lack();
    if (wrong && !(lack.late > latest.late)) continue;
    wrong = node.get();
    latest = std::move(lack);
  }
  check(wrong != nullptr, "a replay ended before its nodes");
  wrong->reject(latest.what);
}

Checkpoint ReplayRun::checkpoint() const {
  Checkpoint checkpoint;
  std::uint64_t overflows = 0, violations = 0;
  for (const auto& node : nodes_) {
    checkpoint.models.insert(checkpoint.models.end(), node->core.x().begin(), node->core.x().end());
    node->core.save(checkpoint);
    overflows += node->core.overflows();
    violations += node->core.violations();
  }
  checkpoint.state = {{"overflows", static_cast<std::int64_t>(overflows)},
                      {"violations", static_cast<std::int64_t>(violations)}};
  return checkpoint;
}

Replayed ReplayRun::operator()() {
  const std::uint32_t team = std::max<std::uint32_t>(1, std::min(request_.workers, run_.network.nodes));
  queue_.open(nodes_.size());
  for (NodeId i = 0; i < nodes_.size(); ++i) queue_.push(began(i, 0), i);
  working_ = team;
  std::vector<std::jthread> workers;
  for (std::uint32_t k = 0; k < team; ++k) workers.emplace_back([this] { work(); });
  watch();
  workers.clear();
  if (failure_) std::rethrow_exception(failure_);
  if (queue_.is_stuck() && !difference_) tell_stuck();
  if (run_.algorithm.delivery == Delivery::pairwise && !is_interrupted_ && !has_enough_ && !difference_) end_models();
  Replayed replayed{.difference = difference_,
                    .interrupted = is_interrupted_,
                    .iterations = done_,
                    .models = compared_,
                    .most_messages = most_messages_,
                    .checkpoint = {}};
  if (request_.wants_checkpoint && !difference_ && !is_interrupted_ && !has_enough_) replayed.checkpoint = checkpoint();
  return replayed;
}

Replayed replay(const Run& run, const ReplayRequest& request, Watcher& watcher) {
  return ReplayRun(run, request, watcher)();
}

namespace {

// The iteration that the node was in.
Round round_at(const Rounds& rounds, NodeId i, Round count, Seconds time) {
  Round first = 0, last = count;  // began(first) ≤ time < began(last)
  while (last - first > 1) {
    const Round middle = first + (last - first) / 2;
    (rounds.start_time[std::size_t{middle} * rounds.nodes + i] <= time ? first : last) = middle;
  }
  return first;
}

}  // namespace

std::vector<ReplayPoint> points_of(const Run& run, const Recording& recording, const Rounds& rounds, Seconds end,
                                   std::uint32_t evaluations, Round over) {
  const std::uint32_t n = run.network.nodes;
  const auto& counts = recording.iterations;
  const Round most = *std::ranges::max_element(counts);
  const auto is_lost = [&](NodeId i) {
    return !run.faults.empty() && (run.algorithm.delivery == Delivery::round ? counts[i] < most : false);
  };
  std::vector<ReplayPoint> points;
  const auto add = [&](Seconds time, auto&& round_of) {
    ReplayPoint point{.iteration = 0, .time = time, .of_node = {}};
    double living = 0;
    for (NodeId i = 0; i < n; ++i) {
      point.of_node.push_back(round_of(i));
      if (!point.of_node.back()) continue;
      point.iteration += *point.of_node.back();
      ++living;
    }
    point.iteration /= std::max(living, 1.0);
    points.push_back(std::move(point));
  };
  if (run.algorithm.delivery != Delivery::round) {
    for (std::uint32_t k = 0; k < evaluations; ++k) {
      const Seconds time = end * k / evaluations;
      add(time, [&](NodeId i) { return std::optional(round_at(rounds, i, counts[i], time)); });
    }
  } else {
    const std::uint64_t all = std::max(most, over);
    const std::uint64_t stride = std::max<std::uint64_t>(1, (all + evaluations - 1) / evaluations);
    for (std::uint64_t t = 0; t < most; t += stride) {
      Seconds when = 0;
      for (NodeId i = 0; i < n; ++i)
        if (t < counts[i]) when = std::max(when, rounds.start_time[t * rounds.nodes + i]);
      add(when, [&](NodeId i) { return t < counts[i] ? std::optional(static_cast<Round>(t)) : std::nullopt; });
    }
  }
  add(end, [&](NodeId i) { return is_lost(i) ? std::nullopt : std::optional(counts[i]); });
  return points;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What the main thread does while the nodes run.
#include "engine/threads/threads_curve.hpp"
#include "engine/threads/threads_engine.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <map>
#include <thread>
#include <tuple>

namespace quantimed {

namespace {

constexpr auto kBetweenLooks = std::chrono::milliseconds(50);  // how often the sleeping main thread looks at the run

}  // namespace

// Who waits for whom: first for those who do not wait themselves.
std::string ThreadsEngine::end_without_progress(Seconds waited) {
  std::map<std::tuple<bool, NodeId, Round>, std::vector<NodeId>> waiting;  // for (waits itself, node, round)
  for (NodeId i = shared_.layout.first(); i < shared_.layout.last(); ++i)
    if (const auto waits = shared_.nodes[i]->waits()) {
      const bool waits_itself = !is_here(waits->node) || shared_.nodes[waits->node]->waits().has_value();
      waiting[{waits_itself, waits->node, waits->round}].push_back(i);
    }
  break_off();
  if (waiting.empty()) return fmt::format("no node has ended an iteration for {:.3g} s, and none waits", waited);
  std::vector<std::string> texts;
  texts.reserve(waiting.size());
  for (const auto& [whom, who] : waiting) texts.push_back(silence(std::get<1>(whom), std::get<2>(whom), waited, who));
  return fmt::format("{}", fmt::join(texts, "; "));
}

// Once the clock runs, a node that fails ends the run, and the trace says so.
void ThreadsEngine::tell_failures() {
  for (NodeId i = 0; i < failures_.size() && outcome_.failure.empty(); ++i) {
    if (!failures_[i]) continue;
    try {
      std::rethrow_exception(failures_[i]);
    } catch (const std::exception& error) {
      fail(i, error);
    }
  }
}

std::uint64_t ThreadsEngine::finished_by_all() const {
  std::uint64_t all = courier_ ? courier_->finished_elsewhere() : 0;
  for (const auto& node : shared_.here()) all += node->finished();
  return all;
}

void ThreadsEngine::look() {
  read_energy();
  if (courier_ && courier_->was_told_to_stop()) outcome_.interrupted = true;  // by a signal to another process
  if (watcher_.wants_to_stop() && !outcome_.interrupted) {
    outcome_.interrupted = true;
    shared_.stop.store(true, std::memory_order_release);
    if (courier_) courier_->stop();
  }
  const std::uint64_t all_finished = finished_by_all();
  const auto finished = static_cast<double>(all_finished) / static_cast<double>(shared_.layout.nodes);
  stillness_->look(shared_.now(), all_finished);
  if (kGuards && outcome_.failure.empty() && stillness_->is_too_long(shared_.now()))
    outcome_.failure = end_without_progress(stillness_->lasts(shared_.now()));
  if (!leads()) return ship_logs_and_records();
  take_logs();
  take_records();
  const double done = kRunningShare * std::max(finished / run_.iterations, shared_.now() / run_.max_time);
  checkpoints_ += report(done, false);  // on a core that a node needs: rare, and counted
}

// The main thread sleeps while the nodes run: it shares their cores. Where there are other processes it is the courier.
void ThreadsEngine::watch() {
  // Where nodes go on once they have lost their patience, a still run is not stuck yet.
  const bool goes_on = !run_.faults.empty() && run_.algorithm.goes_on_without;
  const Seconds patience = goes_on ? run_.patience() + kUsualPatience_s : run_.patience_s;
  stillness_.emplace(patience, expected_round_s_, std::chrono::duration<double>(kBetweenLooks).count(), shared_.now());
  const auto live = [&] { return living_.load(std::memory_order_acquire) > 0; };
  while (courier_ ? !courier_->is_over() : live()) {
    const bool has_lived = live();
    courier_ ? courier_->work(kBetweenLooks) : std::this_thread::sleep_for(kBetweenLooks);
    if (courier_ && is_broken_off()) courier_->abort();
    if (has_lived) look();
    if (courier_ && has_lived && !live()) {
      if (!leads()) ship_logs_and_records();
      courier_->ended();
    }
  }
}

}  // namespace quantimed

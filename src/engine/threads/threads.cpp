// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.hpp"
#include "engine/memory_plan.hpp"
#include "engine/replay/log_reader.hpp"
#include "engine/resumption.hpp"
#include "engine/threads/threads_curve.hpp"
#include "engine/threads/threads_engine.hpp"
#include "engine/threads/threads_pair_node.hpp"
#include "machine/core_wait.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <chrono>
#include <cmath>
#include <system_error>

namespace quantimed {

namespace {

constexpr int kTrials = 4;  // of a deadline that is measured

Layout layout_of(const Run& run, const Fleet* fleet) {
  return {run.network.nodes, fleet ? fleet->ranks() : 1, fleet ? fleet->rank() : 0};
}

}  // namespace

ThreadsEngine::ThreadsEngine(const Run& run, Watcher& watcher, Fleet* fleet)
    : RunLoop(run, watcher),
      before_s_(resumed(run, "clock")),
      fleet_(fleet),
      shared_(run, layout_of(run, fleet)),
      numa_nodes_(run.network.nodes),
      meeting_(shared_.layout.here() + 1),
      failures_(run.network.nodes),
      of_node_(run.network.nodes),
      ended_(run.network.nodes),
      checkpoints_(static_cast<std::int64_t>(resumed_count(run, "checkpoints"))),
      keeps_log_(keeps_log(run)),
      logs_(run.network.nodes),
      logged_(run.network.nodes) {
  if (!keeps_log_ || !run.resume) return;
  if (run.algorithm.delivery == Delivery::pairwise) shared_.turns = turns_taken(run);
  const auto before = logs_of(*run.resume->recording);
  for (std::size_t i = 0; i < logs_.size(); ++i) logs_[i].assign(before[i].begin(), before[i].end());
}

std::unique_ptr<ThreadNode> ThreadsEngine::make_node(NodeId i) {
  if (run_.algorithm.delivery == Delivery::newest) return std::make_unique<NewestThreadNode>(shared_, i);
  if (run_.algorithm.delivery == Delivery::pairwise) return std::make_unique<PairThreadNode>(shared_, i);
  // With a time limit the number of rounds is not known, and the stride grows as it must.
  const std::uint64_t stride =
      run_.max_time == kForever ? (std::uint64_t{run_.iterations} + run_.evaluations - 1) / run_.evaluations : 1;
  return std::make_unique<RoundThreadNode>(shared_, i, stride);
}

void ThreadsEngine::keep_failure(NodeId i) {
  failures_[i] = std::current_exception();
  break_off();
}

// A node's thread, from its first page of memory to its last update.
void ThreadsEngine::live(NodeId i) {
  try {
    pin_this_thread(core_of(i));
    shared_.nodes[i] = make_node(i);
    shared_.nodes[i]->warm_up();
    numa_nodes_[i] = memory_nodes_of(hardware_, std::as_bytes(shared_.nodes[i]->model()));
  } catch (...) {
    keep_failure(i);
  }
  std::optional<ThreadCounters> counters;
  if (run_.counters) counters.emplace(*run_.counters->perf, counted_events());
  const bool all_exist = meeting_.arrive_and_wait();
  if (all_exist && measures_deadline()) measure_speeds(i);
  const bool began = meeting_.arrive_and_wait();  // the clock has been set
  const CoreUse start = core_use();
  if (counters) counters->start();
  if (began) {
    try {
      Task task = run_.algorithm.run(*shared_.nodes[i], shared_.nodes[i]->core().options());
      check(!task.resume(), "on threads an algorithm runs straight through");
      check(shared_.nodes[i]->is_over(), "an algorithm's text ended by itself");
    } catch (const RunAborted&) {  // another node's failure is the one to tell
    } catch (...) {
      keep_failure(i);
    }
  }
  ended_[i] = shared_.now();
  if (counters) of_node_[i].counts = counters->stop();
  of_node_[i].core_wait = core_wait(start, core_use());
  if (living_.fetch_sub(1, std::memory_order_acq_rel) != 1 || !began) return;
  if (interference_) interference_->stop();
  try {
    read_energy(true);
  } catch (const std::bad_alloc&) {  // energy is then known until the last look
  }
}

// Before the clock starts: all nodes compute until a trial deadline, which then moves to where the rule wants it. The
// speeds depend a little on the deadline, since its last samples are computed in small chunks: hence several trials.
void ThreadsEngine::measure_speeds(NodeId i) {
  for (bool is_first = true;; is_first = false) {
    try {
      const auto batch = static_cast<std::size_t>(std::clamp(run_.deadline.batch, 1.0, double{ChunkCosts::kLargest}));
      speeds_[i] = is_first ? shared_.nodes[i]->speeds_of(batch) : shared_.nodes[i]->speeds_until(shared_.deadline_s);
    } catch (...) {
      keep_failure(i);
    }
    if (!meeting_.arrive_and_wait()) return;  // this trial's speeds are there
    if (!meeting_.arrive_and_wait()) return;  // the main thread has chosen, and says whether to go on
    if (!choosing_) return;
  }
}

void ThreadsEngine::choose_deadline() {
  for (int trial = 0; choosing_; ++trial) {
    std::vector<double> all;
    const bool all_came = meeting_.arrive_and_wait();
    for (const auto& node : speeds_) all.insert(all.end(), node.begin(), node.end());
    if (!share_speeds(all, all_came)) return break_off();
    shared_.deadline_s = quantimed::choose_deadline(run_.deadline, all);
    if (leads() && watcher_.wants_to_stop()) outcome_.interrupted = true;
    if (outcome_.interrupted) shared_.stop.store(true, std::memory_order_release);
    if (outcome_.interrupted && courier_) courier_->stop();
    choosing_ = share_choice(trial < kTrials && !outcome_.interrupted);
    if (!meeting_.arrive_and_wait()) return;
  }
}

// A signal may come when all is done.
bool ThreadsEngine::is_finished() const {
  std::uint64_t updates = 0;
  for (const Ended& node : of_node_) updates += node.finished;
  return updates >= std::uint64_t{run_.iterations} * of_node_.size() || clock() >= run_.max_time;
}

// Nodes are resumed at their iterations, with their models; messages that were under way have arrived by then.
void ThreadsEngine::save_more(Checkpoint& checkpoint) {
  checkpoint.start_time = ended_;
  checkpoint.state.insert(checkpoint.state.end(), outcome_.measured.begin(), outcome_.measured.end());
}

// Before any thread: that there is room for the nodes, on cores and in memory.
void ThreadsEngine::prepare() {
  const std::uint32_t here = shared_.layout.here();
  hardware_ = load_hardware();
  cores_ = place(hardware_, run_.placement);
  if (is_spread()) {
    share_cores();
  } else if (here > cores_.size()) {
    if (!run_.oversubscribe) require_units(run_.placement, cores_.size(), here, hardware_.rule.text);
    outcome_.verdict.reject(fmt::format("{} nodes share {} cores", here, cores_.size()));
    shared_.policy = WaitPolicy::oversubscribed();
  }
  if (run_.resume && shared_.deadline_s == 0) shared_.deadline_s = resumed(run_, "deadline_s");
  require_memory(run_, plan_threads(run_, shared_.layout));
  ::malloc_trim(0);  // pages that earlier runs have freed would stay on their NUMA nodes, whoever gets them now
  if (is_spread()) {
    courier_.emplace(*fleet_, shared_);
    courier_->on_arrival([this](Parcel& parcel) { unload(parcel); });
    courier_->on_abort([this] { break_off(); });
  }
  if (run_.counters && !is_spread()) meter_.emplace(*run_.counters->perf, run_.counters->root);
  speeds_.resize(shared_.layout.nodes);
  living_ = here;
}

void ThreadsEngine::start_threads(std::vector<std::jthread>& threads) {
  try {
    threads.reserve(shared_.layout.here());
    for (NodeId i = shared_.layout.first(); i < shared_.layout.last(); ++i)
      threads.emplace_back([this, i] { live(i); });
  } catch (const std::system_error&) {
    break_off();
    throw MachineRefused("--nodes {}: the system refuses more than {} threads; use fewer", shared_.layout.nodes,
                         threads.size());
  }
}

void ThreadsEngine::rethrow_first_failure() {
  for (const std::exception_ptr& failure : failures_)
    if (failure) std::rethrow_exception(failure);
}

// From the first thread to the last: two meetings, between which deadlines are measured, and the run itself.
void ThreadsEngine::run_nodes() {
  shared_.epoch = std::chrono::steady_clock::now();
  std::vector<std::jthread> threads;  // whatever is thrown here, none of them may wait for this thread any more
  together([&] {
    prepare();
    start_threads(threads);
    if (!meeting_.arrive_and_wait()) {
      threads.clear();
      rethrow_first_failure();
    }
  });
  together([&] {
    if (run_.resume) restore_cores();
    if (run_.interference.count > 0) interference_.emplace(run_.interference, cores_, run_.seed);
  });
  if (measures_deadline()) choose_deadline();
  together([&] {  // nobody reads the clock: all nodes are on their way to the second meeting
    if (is_broken_off()) {
      threads.clear();
      rethrow_first_failure();
    }
    align_clocks();
    read_energy();
    for (const auto& node : shared_.here()) expected_round_s_ = std::max(expected_round_s_, node->expected_round());
  });
  if (courier_) courier_->start();  // from here on others may send, and the fleet has nothing more to say
  const bool began = meeting_.arrive_and_wait();
  try {
    const std::optional<OnItsOwnCore> core = core_of_courier();
    if (began) watch();
  } catch (const RankLost&) {
    break_off();
    throw;
  } catch (const std::exception& error) {  // the nodes end before their memory does
    break_off();
    if (!is_spread()) throw;
    // The others still wait for this process's messages, and nobody carries them any more.
    throw RankLost(fleet_->rank(), fmt::format("rank {} failed: {}", fleet_->rank(), error.what()));
  }
  threads.clear();
  if (!began) rethrow_first_failure();
  if (outcome_.failure.empty()) tell_failures();
}

// The nodes of a run that broke off are not at one round: its curve has no end.
void ThreadsEngine::draw_curve() {
  if (!run_.copies_models) return;  // draw_by_replay() does, once the nodes are gone
  ThreadsCurve curve(run_, *this, records_, ended_, watcher_);
  if (!curve.observe(before_s_, outcome_.end_time) || !outcome_.failure.empty()) return;
  if (const auto [first, last] = curve.last_rounds(); first == last)
    curve.observe_end(outcome_.end_time);
  else
    outcome_.verdict.reject(
        fmt::format("lost nodes have split the network, and its parts ended after {} to {} rounds: the curve ends with "
                    "their last copies of one round",
                    first, last));
}

Outcome ThreadsEngine::operator()() {
  run_nodes();
  report_ended();
  if (!leads()) {
    answer();
    return {};
  }
  collect_reports();
  try {
    tell();
  } catch (const RankLost&) {
    throw;
  } catch (...) {  // nobody waits for another question
    if (is_spread()) (void)ask(kLeave);
    throw;
  }
  if (is_spread()) (void)ask(kLeave);
  return std::move(outcome_);
}

void ThreadsEngine::tell() {
  outcome_.end_time = clock();
  take_logs();
  take_records();
  draw_curve();
  if (is_finished()) outcome_.interrupted = false;
  end();
  if (keeps_log_) outcome_.recording = whole_recording();
}

Outcome run_threads(const Run& run, Watcher& watcher) {
  if (run.resume) require_fit(run);
  return ThreadsEngine(run, watcher)();
}

}  // namespace quantimed

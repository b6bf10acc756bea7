// Real time: one node per core, pinned, with lock-free mailboxes and real deadlines.
#include "base/error.hpp"
#include "engine/core_wait.hpp"
#include "engine/engine.hpp"
#include "engine/hardware.hpp"
#include "engine/meeting.hpp"
#include "engine/memory_plan.hpp"
#include "engine/resumption.hpp"
#include "engine/stillness.hpp"
#include "engine/threads_curve.hpp"
#include "engine/threads_node.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <malloc.h>

#include <cmath>
#include <map>
#include <optional>
#include <system_error>
#include <thread>
#include <tuple>

namespace quantimed {

namespace {

constexpr int kTrials = 4;                             // of a deadline that is measured
constexpr double kMostLate = 0.05;                     // of the gradients of a VALID run
constexpr auto kLook = std::chrono::milliseconds(50);  // how often the sleeping main thread looks at the run

Seconds end_of(const RoundRecord& r) {
  Seconds end = r.start;
  for (const float phase : {r.compute, r.encode, r.publish, r.wait, r.exchange, r.mix, r.record})
    end += static_cast<Seconds>(phase);
  return end;
}

// Of all nodes together.
double gradients_taken(const Records& records) {
  double count = 0;
  for (std::size_t i = 0; i < records.nodes(); ++i) count += static_cast<double>(records[i].finished());
  return count;
}

double share_of_late_gradients(const Records& records, Seconds slack) {
  double late = 0, all = 0;
  records.for_each_block([&](const Rounds& rounds, std::size_t) {
    for (std::size_t at = 0; at < rounds.deadline.size(); ++at) {
      const auto deadline = static_cast<double>(rounds.deadline[at]);
      if (!(deadline > 0)) continue;
      ++all;
      late += static_cast<double>(rounds.compute_time[at]) > deadline + (slack > 0 ? slack : kUsualSlack * deadline);
    }
  });
  return all > 0 ? late / all : 0;
}

class ThreadsEngine {
 public:
  ThreadsEngine(const Run& run, Watcher& watcher)
      : run_(run),
        watcher_(watcher),
        before_s_(resumed(run, "clock")),
        records_(start_records(run)),
        shared_(run),
        hardware_(load_hardware()),
        cores_(place(hardware_, run.placement)),
        numa_nodes_(run.network.nodes),
        meeting_(run.network.nodes + 1),
        failures_(run.network.nodes),
        checkpoints_(static_cast<std::int64_t>(resumed_count(run, "checkpoints"))) {}
  Outcome operator()();

 private:
  void prepare(Outcome& outcome);
  void run_nodes(Outcome& outcome);
  std::vector<std::jthread> start_threads();
  void live(NodeId i);
  void fail(NodeId i);
  void break_off() {
    shared_.abort.store(true, std::memory_order_release);
    meeting_.break_off();
  }
  bool is_broken_off() const { return shared_.abort.load(std::memory_order_acquire); }
  bool measures_deadline() const { return run_.algorithm.uses_deadline && shared_.deadline_s == 0; }
  void prepare_start(Outcome& outcome);
  void measure_speeds(NodeId i);
  void choose_deadline(Outcome& outcome);
  std::unique_ptr<ThreadNode> make_node(NodeId i);
  void watch(Outcome& outcome);
  std::string end_without_progress(Seconds waited);
  void tell_failures(Outcome& outcome);
  void restore();
  bool is_finished(Seconds end) const;
  Checkpoint checkpoint(const Outcome& outcome) const;
  void take_records();
  void draw_curve(Outcome& outcome);
  void add_up(Outcome& outcome);
  void add_core_wait(Outcome& outcome);
  void judge(Outcome& outcome) const;
  void report_placement(Outcome& outcome) const;
  int core_of(NodeId i) const { return cores_[i % cores_.size()]; }

  const Run& run_;
  Watcher& watcher_;
  Seconds before_s_;  // on the clock when the run was last stopped
  Records records_;
  ThreadedRun shared_;
  Hardware hardware_;
  std::vector<int> cores_;
  std::vector<std::vector<int>> numa_nodes_;  // [n]: that hold the node's model; empty: unknown
  Meeting meeting_;                           // of all nodes and the main thread, until the clock runs
  std::vector<std::exception_ptr> failures_;  // [n]
  std::vector<Seconds> ended_;                // [n]
  std::vector<double> core_waits_;            // [n], shares of the run; NaN: its core was to be shared
  std::vector<std::vector<double>> speeds_;   // [n], samples per second, while a deadline is chosen
  bool choosing_ = true;                      // by the main thread, between two meetings
  std::atomic<std::uint32_t> living_ = 0;     // nodes that still run
  std::optional<Interference> interference_;  // made and unmade by the main thread
  Seconds expected_round_s_ = 0;
  std::int64_t checkpoints_;
  std::uint64_t too_slow_ = 0, dropped_ = 0;  // of all nodes, once the run has ended
};

std::unique_ptr<ThreadNode> ThreadsEngine::make_node(NodeId i) {
  if (run_.algorithm.delivery == Delivery::newest) return std::make_unique<NewestThreadNode>(shared_, i);
  // With a time limit the number of rounds is not known, and the stride grows as it must.
  const std::uint64_t stride =
      run_.max_time == kForever ? (std::uint64_t{run_.iterations} + run_.evaluations - 1) / run_.evaluations : 1;
  return std::make_unique<RoundThreadNode>(shared_, i, stride);
}

void ThreadsEngine::fail(NodeId i) {
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
    fail(i);
  }
  const bool all_exist = meeting_.arrive_and_wait();
  if (all_exist && measures_deadline()) measure_speeds(i);
  const bool began = meeting_.arrive_and_wait();  // the clock has been set
  const CoreUse start = core_use();
  if (began) {
    try {
      Task task = run_.algorithm.run(*shared_.nodes[i], run_.options);
      check(!task.resume(), "on threads an algorithm runs straight through");
      check(shared_.nodes[i]->is_over(), "an algorithm's text ended by itself");
    } catch (const RunAborted&) {  // another node's failure is the one to tell
    } catch (...) {
      fail(i);
    }
  }
  ended_[i] = shared_.now();
  core_waits_[i] = core_wait(start, core_use());
  if (living_.fetch_sub(1, std::memory_order_release) == 1 && began && interference_) interference_->stop();
}

// Before the clock starts: all nodes compute until a trial deadline, which then moves to where the rule wants it. The
// speeds depend a little on the deadline, since its last samples are computed in small chunks: hence several trials.
void ThreadsEngine::measure_speeds(NodeId i) {
  for (bool is_first = true;; is_first = false) {
    try {
      const auto batch = static_cast<std::size_t>(std::clamp(run_.deadline.batch, 1.0, double{ChunkCosts::kLargest}));
      speeds_[i] = is_first ? shared_.nodes[i]->speeds_of(batch) : shared_.nodes[i]->speeds_until(shared_.deadline_s);
    } catch (...) {
      fail(i);
    }
    if (!meeting_.arrive_and_wait()) return;  // this trial's speeds are there
    if (!meeting_.arrive_and_wait()) return;  // the main thread has chosen, and says whether to go on
    if (!choosing_) return;
  }
}

void ThreadsEngine::choose_deadline(Outcome& outcome) {
  for (int trial = 0; choosing_; ++trial) {
    if (!meeting_.arrive_and_wait()) return;
    std::vector<double> all;
    for (const auto& node : speeds_) all.insert(all.end(), node.begin(), node.end());
    shared_.deadline_s = quantimed::choose_deadline(run_.deadline, all);
    if (watcher_.wants_to_stop()) outcome.interrupted = true;
    if (outcome.interrupted) shared_.stop.store(true, std::memory_order_release);
    choosing_ = trial < kTrials && !outcome.interrupted;
    if (!meeting_.arrive_and_wait()) return;
  }
}

// Who waits for whom: first for those who do not wait themselves.
std::string ThreadsEngine::end_without_progress(Seconds waited) {
  std::map<std::tuple<bool, NodeId, Round>, std::vector<NodeId>> waiting;  // for (waits itself, node, round)
  for (NodeId i = 0; i < shared_.nodes.size(); ++i)
    if (const auto waits = shared_.nodes[i]->waits())
      waiting[{shared_.nodes[waits->node]->waits().has_value(), waits->node, waits->round}].push_back(i);
  break_off();
  if (waiting.empty()) return fmt::format("no node has ended an iteration for {:.3g} s, and none waits", waited);
  std::vector<std::string> texts;
  texts.reserve(waiting.size());
  for (const auto& [whom, who] : waiting) texts.push_back(silence(std::get<1>(whom), std::get<2>(whom), waited, who));
  return fmt::format("{}", fmt::join(texts, "; "));
}

// Once the clock runs, a node that fails ends the run, and the trace says so.
void ThreadsEngine::tell_failures(Outcome& outcome) {
  for (NodeId i = 0; i < failures_.size() && outcome.failure.empty(); ++i) {
    if (!failures_[i]) continue;
    const Round t = shared_.nodes[i]->finished();
    try {
      std::rethrow_exception(failures_[i]);
    } catch (const std::exception& error) {
      outcome.failure = failure_of(i, t, error);
      outcome.machine_refused = is_out_of_memory(error);
    }
  }
}

// The main thread sleeps while the nodes run: it shares their cores.
void ThreadsEngine::watch(Outcome& outcome) {
  // Where nodes go on once they have lost their patience, a still run is not stuck yet.
  const bool goes_on = !run_.faults.empty() && run_.algorithm.goes_on_without;
  const Seconds patience = goes_on ? run_.patience() + kUsualPatience_s : run_.patience_s;
  Stillness stillness(patience, expected_round_s_, std::chrono::duration<double>(kLook).count(), shared_.now());
  while (living_.load(std::memory_order_acquire) > 0) {
    std::this_thread::sleep_for(kLook);
    if (watcher_.wants_to_stop() && !outcome.interrupted) {
      outcome.interrupted = true;
      shared_.stop.store(true, std::memory_order_release);
    }
    std::uint64_t all_finished = 0;
    for (const auto& node : shared_.nodes) all_finished += node->finished();
    const auto finished = static_cast<double>(all_finished) / static_cast<double>(shared_.nodes.size());
    stillness.look(shared_.now(), all_finished);
    if (kGuards && outcome.failure.empty() && stillness.is_too_long(shared_.now()))
      outcome.failure = end_without_progress(stillness.lasts(shared_.now()));
    take_records();
    watcher_.progress(kRunningShare * std::max(finished / run_.iterations, shared_.now() / run_.max_time));
    if (watcher_.checkpoint_due()) {  // on a core that a node needs: rare, and counted
      watcher_.checkpoint(records_, {});
      ++checkpoints_;
    }
  }
}

// What the nodes have recorded since the last time. From a node's end at a cut to its start after it, the time on the
// clock (the last node's end, and all nodes' start) is the instrument's own.
void ThreadsEngine::take_records() {
  for (std::size_t i = 0; i < shared_.nodes.size(); ++i) {
    NodeRecords& records = records_[i];
    shared_.nodes[i]->log().take([&](const RoundRecord& record) {
      if (run_.resume && records.size() == run_.resume->checkpoint.iteration[i] && !records.empty()) {
        RoundRecord& last = records.back();
        last.record += static_cast<float>(std::max(0.0, record.start - end_of(last)));
      }
      records.push_back(record);
    });
    records.finish(records.size());
  }
}

// Nodes begin anew at their iterations, with their models; messages that were under way have arrived.
void ThreadsEngine::restore() {
  std::vector<NodeCore*> cores;
  for (const auto& node : shared_.nodes) cores.push_back(&node->core());
  restore_all(run_, cores);
}

// A signal may come when all is done.
bool ThreadsEngine::is_finished(Seconds end) const {
  std::uint64_t updates = 0;
  for (const auto& node : shared_.nodes) updates += node->finished();
  return updates >= std::uint64_t{run_.iterations} * shared_.nodes.size() || end >= run_.max_time;
}

Checkpoint ThreadsEngine::checkpoint(const Outcome& outcome) const {
  std::vector<const float*> models;
  for (const auto& node : shared_.nodes) models.push_back(node->model().data());
  Checkpoint checkpoint = start_checkpoint(models, run_.problem.dimension());
  for (const auto& node : shared_.nodes) node->core().save(checkpoint);
  checkpoint.start_time = ended_;
  checkpoint.state = {{"clock", outcome.end_time},
                      {"overflows", static_cast<std::int64_t>(outcome.overflows)},
                      {"violations", static_cast<std::int64_t>(outcome.violations)}};
  for (const auto& figure : outcome.measured) checkpoint.state.push_back(figure);
  return checkpoint;
}

// "0,0,1,1": for each node the NUMA node that holds its model (0+1: both hold a part of it).
std::string in_node_order(const std::vector<std::vector<int>>& numa_nodes) {
  std::vector<std::string> nodes;
  nodes.reserve(numa_nodes.size());
  for (const std::vector<int>& each : numa_nodes)
    nodes.push_back(each.empty() ? "unknown" : fmt::format("{}", fmt::join(each, "+")));
  const bool is_unknown = std::all_of(numa_nodes.begin(), numa_nodes.end(), [](auto& each) { return each.empty(); });
  return is_unknown ? "unknown" : fmt::format("{}", fmt::join(nodes, ","));
}

void ThreadsEngine::report_placement(Outcome& outcome) const {
  const auto used = std::min<std::ptrdiff_t>(run_.network.nodes, std::ssize(cores_));
  outcome.placement.emplace_back("node_cores", to_list({cores_.begin(), cores_.begin() + used}));
  outcome.placement.emplace_back("placement", run_.placement.text);
  outcome.placement.emplace_back("placement_smt", run_.placement.smt);  // "smt" is whether the machine has it on
  outcome.placement.emplace_back("node_numa", in_node_order(numa_nodes_));
}

// Before any thread: that there is room for the nodes, on cores and in memory.
void ThreadsEngine::prepare(Outcome& outcome) {
  const std::uint32_t n = run_.network.nodes;
  if (n > cores_.size()) {
    if (!run_.oversubscribe) require_units(run_.placement, cores_.size(), n, hardware_.rule.text);
    outcome.verdict.reject(fmt::format("{} nodes share {} cores", n, cores_.size()));
    shared_.policy = WaitPolicy::oversubscribed();
  }
  if (run_.resume && shared_.deadline_s == 0) shared_.deadline_s = resumed(run_, "deadline_s");
  require_memory(run_, plan_threads(run_));
  ::malloc_trim(0);  // pages that earlier runs have freed would stay on their NUMA nodes, whoever gets them now
  shared_.nodes.resize(n);
  ended_.resize(n);
  core_waits_.resize(n);
  speeds_.resize(n);
  living_ = n;
}

std::vector<std::jthread> ThreadsEngine::start_threads() {
  const std::uint32_t n = run_.network.nodes;
  std::vector<std::jthread> threads;
  try {
    threads.reserve(n);
    for (NodeId i = 0; i < n; ++i) threads.emplace_back([this, i] { live(i); });
  } catch (const std::system_error&) {
    break_off();
    throw MachineRefused("--nodes {}: the system refuses more than {} threads; use fewer", n, threads.size());
  }
  return threads;
}

// All nodes exist, and the clock is about to run; the deadline is chosen for cores as the run will find them.
void ThreadsEngine::prepare_start(Outcome& outcome) {
  if (run_.resume) restore();
  if (run_.interference.count > 0) interference_.emplace(run_.interference, cores_, run_.seed);
  if (measures_deadline()) choose_deadline(outcome);
}

// From the first thread to the last: two meetings, between which deadlines are measured, and the run itself.
void ThreadsEngine::run_nodes(Outcome& outcome) {
  shared_.epoch = std::chrono::steady_clock::now();
  std::vector<std::jthread> threads = start_threads();
  try {  // whatever is thrown here, nobody may wait for this thread any more
    if (meeting_.arrive_and_wait()) prepare_start(outcome);
  } catch (...) {
    break_off();
    throw;
  }
  if (!is_broken_off()) {  // nobody reads the clock: all nodes are on their way to the second meeting
    shared_.epoch = std::chrono::steady_clock::now() - std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                           std::chrono::duration<double>(before_s_));
    for (const auto& node : shared_.nodes) expected_round_s_ = std::max(expected_round_s_, node->expected_round());
  }
  const bool began = meeting_.arrive_and_wait();
  try {
    if (began) watch(outcome);
  } catch (...) {  // the nodes end before their memory does
    break_off();
    throw;
  }
  threads.clear();
  if (began && outcome.failure.empty()) tell_failures(outcome);
  for (const std::exception_ptr& failure : failures_)
    if (failure && outcome.failure.empty()) std::rethrow_exception(failure);
}

// The nodes of a run that broke off are not at one round: its curve has no end.
void ThreadsEngine::draw_curve(Outcome& outcome) {
  ThreadsCurve curve(shared_, records_, ended_, watcher_);
  if (!curve.observe(before_s_, outcome.end_time) || !outcome.failure.empty()) return;
  if (const auto [first, last] = curve.last_rounds(); first == last)
    curve.observe_end(outcome.end_time);
  else
    outcome.verdict.reject(
        fmt::format("lost nodes have split the network, and its parts ended after {} to {} rounds: the curve ends with "
                    "their last copies of one round",
                    first, last));
}

// What the nodes have counted, this time and before a cut.
void ThreadsEngine::add_up(Outcome& outcome) {
  outcome.overflows = resumed_count(run_, "overflows");
  outcome.violations = resumed_count(run_, "violations");
  too_slow_ = resumed_count(run_, "gradients_slower_than_asked");
  dropped_ = resumed_count(run_, "dropped_messages");
  for (NodeId i = 0; i < shared_.nodes.size(); ++i) {
    ThreadNode& node = *shared_.nodes[i];
    outcome.overflows += node.core().overflows();
    outcome.violations += node.core().violations();
    too_slow_ += node.too_slow();
    dropped_ += node.dropped();
    if (const auto round = node.lost_in()) outcome.lost.push_back({i, *round});
  }
  if (run_.algorithm.uses_deadline) outcome.measured.emplace_back("deadline_s", shared_.deadline_s);
  if (interference_) {
    const auto [asked, had] = interference_->finish();
    outcome.measured.emplace_back("interference_asked_s", resumed(run_, "interference_asked_s") + asked);
    outcome.measured.emplace_back("interference_had_s", resumed(run_, "interference_had_s") + had);
  }
  outcome.measured.emplace_back("gradients_slower_than_asked", static_cast<std::int64_t>(too_slow_));
  outcome.measured.emplace_back("checkpoints", checkpoints_);
  outcome.measured.emplace_back("dropped_messages", static_cast<std::int64_t>(dropped_));
}

// --interference holds its nodes' cores because it was asked to.
void ThreadsEngine::add_core_wait(Outcome& outcome) {
  for (NodeId i = 0; i < core_waits_.size(); ++i)
    for (std::uint32_t k = 0; k < run_.interference.count; ++k)
      if (k % cores_.size() == i % cores_.size()) core_waits_[i] = std::nan("");
  const auto longest = longest_wait(core_waits_);
  if (!longest) return;
  const double before = resumed(run_, "core_wait_share");
  outcome.measured.emplace_back("core_wait_share", std::max(before, longest->share));
  outcome.measured.emplace_back("core_wait_limit", kMostCoreWait);
  if (spoils_times(*longest))
    outcome.verdict.reject(fmt::format(
        "node {} waited {:.1f} % of the run for its core, which something else held (limit {:.0f} %); leave "
        "the cores to the run, or give fewer --nodes",
        longest->node, 100 * longest->share, 100 * kMostCoreWait));
}

// Whether the timings count: every reason against it.
void ThreadsEngine::judge(Outcome& outcome) const {
  const double gradients = gradients_taken(records_);
  if (static_cast<double>(too_slow_) > kMostLate * gradients)
    outcome.verdict.reject(fmt::format("in {:.0f} % of the gradients this machine is slower than --speed asks",
                                       100 * static_cast<double>(too_slow_) / gradients));
  if (const double late = share_of_late_gradients(records_, run_.deadline.slack_s); late > kMostLate)
    outcome.verdict.reject(
        fmt::format("{:.0f} % of the gradients ended later than the deadline and its slack allow; leave the cores to "
                    "the run, or give a larger --deadline-slack",
                    100 * late));
  if (dropped_ > 0) outcome.verdict.reject(messages_dropped(dropped_));
  for (NodeId i = 0; i < numa_nodes_.size(); ++i)
    if (!are_local(hardware_, numa_nodes_[i], core_of(i)))
      outcome.verdict.reject(
          fmt::format("node {} is on core {}, its model in the memory of NUMA node {}, which is not local", i,
                      core_of(i), fmt::join(numa_nodes_[i], "+")));
}

Outcome ThreadsEngine::operator()() {
  Outcome outcome;
  prepare(outcome);
  run_nodes(outcome);
  outcome.end_time = *std::ranges::max_element(ended_);
  take_records();
  draw_curve(outcome);
  if (is_finished(outcome.end_time)) outcome.interrupted = false;
  add_up(outcome);
  judge(outcome);
  add_core_wait(outcome);
  report_placement(outcome);
  if (outcome.interrupted && outcome.failure.empty() && run_.faults.empty()) outcome.checkpoint = checkpoint(outcome);
  outcome.rounds = std::move(records_);
  return outcome;
}

}  // namespace

Outcome run_threads(const Run& run, Watcher& watcher) {
  if (run.resume) require_fit(run);
  return ThreadsEngine(run, watcher)();
}

}  // namespace quantimed

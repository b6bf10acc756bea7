// Real time: one node per core, pinned, with lock-free mailboxes and real deadlines.
#include "base/error.hpp"
#include "engine/core_wait.hpp"
#include "engine/hardware.hpp"
#include "engine/meeting.hpp"
#include "engine/memory_plan.hpp"
#include "engine/resumption.hpp"
#include "engine/run_loop.hpp"
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

class ThreadsEngine final : public RunLoop {
 public:
  ThreadsEngine(const Run& run, Watcher& watcher)
      : RunLoop(run, watcher),
        before_s_(resumed(run, "clock")),
        shared_(run),
        hardware_(load_hardware()),
        cores_(place(hardware_, run.placement)),
        numa_nodes_(run.network.nodes),
        meeting_(run.network.nodes + 1),
        failures_(run.network.nodes),
        checkpoints_(static_cast<std::int64_t>(resumed_count(run, "checkpoints"))) {}
  Outcome operator()();

 protected:
  NodeCore& core(NodeId i) override { return shared_.nodes[i]->core(); }
  Seconds clock() const override { return *std::ranges::max_element(ended_); }
  void save_more(Checkpoint& checkpoint) override;
  void add_figures() override;

 private:
  void prepare();
  void run_nodes();
  std::vector<std::jthread> start_threads();
  void live(NodeId i);
  void keep_failure(NodeId i);
  void break_off() {
    shared_.abort.store(true, std::memory_order_release);
    meeting_.break_off();
  }
  bool is_broken_off() const { return shared_.abort.load(std::memory_order_acquire); }
  bool measures_deadline() const { return run_.algorithm.uses_deadline && shared_.deadline_s == 0; }
  void prepare_start();
  void measure_speeds(NodeId i);
  void choose_deadline();
  std::unique_ptr<ThreadNode> make_node(NodeId i);
  void watch();
  std::string end_without_progress(Seconds waited);
  void tell_failures();
  bool is_finished() const;
  void take_records();
  void draw_curve();
  void judge(double too_slow, std::uint64_t dropped);
  void add_core_wait();
  void report_placement();
  int core_of(NodeId i) const { return cores_[i % cores_.size()]; }

  Seconds before_s_;  // on the clock when the run was last stopped
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
};

std::unique_ptr<ThreadNode> ThreadsEngine::make_node(NodeId i) {
  if (run_.algorithm.delivery == Delivery::newest) return std::make_unique<NewestThreadNode>(shared_, i);
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
      keep_failure(i);
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
      keep_failure(i);
    }
    if (!meeting_.arrive_and_wait()) return;  // this trial's speeds are there
    if (!meeting_.arrive_and_wait()) return;  // the main thread has chosen, and says whether to go on
    if (!choosing_) return;
  }
}

void ThreadsEngine::choose_deadline() {
  for (int trial = 0; choosing_; ++trial) {
    if (!meeting_.arrive_and_wait()) return;
    std::vector<double> all;
    for (const auto& node : speeds_) all.insert(all.end(), node.begin(), node.end());
    shared_.deadline_s = quantimed::choose_deadline(run_.deadline, all);
    if (watcher_.wants_to_stop()) outcome_.interrupted = true;
    if (outcome_.interrupted) shared_.stop.store(true, std::memory_order_release);
    choosing_ = trial < kTrials && !outcome_.interrupted;
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

// The main thread sleeps while the nodes run: it shares their cores.
void ThreadsEngine::watch() {
  // Where nodes go on once they have lost their patience, a still run is not stuck yet.
  const bool goes_on = !run_.faults.empty() && run_.algorithm.goes_on_without;
  const Seconds patience = goes_on ? run_.patience() + kUsualPatience_s : run_.patience_s;
  Stillness stillness(patience, expected_round_s_, std::chrono::duration<double>(kLook).count(), shared_.now());
  while (living_.load(std::memory_order_acquire) > 0) {
    std::this_thread::sleep_for(kLook);
    if (watcher_.wants_to_stop() && !outcome_.interrupted) {
      outcome_.interrupted = true;
      shared_.stop.store(true, std::memory_order_release);
    }
    std::uint64_t all_finished = 0;
    for (const auto& node : shared_.nodes) all_finished += node->finished();
    const auto finished = static_cast<double>(all_finished) / static_cast<double>(shared_.nodes.size());
    stillness.look(shared_.now(), all_finished);
    if (kGuards && outcome_.failure.empty() && stillness.is_too_long(shared_.now()))
      outcome_.failure = end_without_progress(stillness.lasts(shared_.now()));
    take_records();
    const double done = kRunningShare * std::max(finished / run_.iterations, shared_.now() / run_.max_time);
    checkpoints_ += report(done, false);  // on a core that a node needs: rare, and counted
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

// A signal may come when all is done.
bool ThreadsEngine::is_finished() const {
  std::uint64_t updates = 0;
  for (const auto& node : shared_.nodes) updates += node->finished();
  return updates >= std::uint64_t{run_.iterations} * shared_.nodes.size() || clock() >= run_.max_time;
}

// Nodes are resumed at their iterations, with their models; messages that were under way have arrived by then.
void ThreadsEngine::save_more(Checkpoint& checkpoint) {
  checkpoint.start_time = ended_;
  checkpoint.state.insert(checkpoint.state.end(), outcome_.measured.begin(), outcome_.measured.end());
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

void ThreadsEngine::report_placement() {
  const auto used = std::min<std::ptrdiff_t>(run_.network.nodes, std::ssize(cores_));
  outcome_.placement.emplace_back("node_cores", to_list({cores_.begin(), cores_.begin() + used}));
  outcome_.placement.emplace_back("placement", run_.placement.text);
  outcome_.placement.emplace_back("placement_smt", run_.placement.smt);  // "smt" is whether the machine has it on
  outcome_.placement.emplace_back("node_numa", in_node_order(numa_nodes_));
}

// Before any thread: that there is room for the nodes, on cores and in memory.
void ThreadsEngine::prepare() {
  const std::uint32_t n = run_.network.nodes;
  if (n > cores_.size()) {
    if (!run_.oversubscribe) require_units(run_.placement, cores_.size(), n, hardware_.rule.text);
    outcome_.verdict.reject(fmt::format("{} nodes share {} cores", n, cores_.size()));
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
void ThreadsEngine::prepare_start() {
  if (run_.resume) restore_cores();
  if (run_.interference.count > 0) interference_.emplace(run_.interference, cores_, run_.seed);
  if (measures_deadline()) choose_deadline();
}

// From the first thread to the last: two meetings, between which deadlines are measured, and the run itself.
void ThreadsEngine::run_nodes() {
  shared_.epoch = std::chrono::steady_clock::now();
  std::vector<std::jthread> threads = start_threads();
  try {  // whatever is thrown here, nobody may wait for this thread any more
    if (meeting_.arrive_and_wait()) prepare_start();
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
    if (began) watch();
  } catch (...) {  // the nodes end before their memory does
    break_off();
    throw;
  }
  threads.clear();
  if (began && outcome_.failure.empty()) tell_failures();
  for (const std::exception_ptr& failure : failures_)
    if (failure && outcome_.failure.empty()) std::rethrow_exception(failure);
}

// The nodes of a run that broke off are not at one round: its curve has no end.
void ThreadsEngine::draw_curve() {
  ThreadsCurve curve(shared_, records_, ended_, watcher_);
  if (!curve.observe(before_s_, outcome_.end_time) || !outcome_.failure.empty()) return;
  if (const auto [first, last] = curve.last_rounds(); first == last)
    curve.observe_end(outcome_.end_time);
  else
    outcome_.verdict.reject(
        fmt::format("lost nodes have split the network, and its parts ended after {} to {} rounds: the curve ends with "
                    "their last copies of one round",
                    first, last));
}

// What the nodes have counted, this time and before a cut.
void ThreadsEngine::add_figures() {
  std::uint64_t too_slow = resumed_count(run_, "gradients_slower_than_asked");
  std::uint64_t dropped = resumed_count(run_, "dropped_messages");
  for (NodeId i = 0; i < shared_.nodes.size(); ++i) {
    too_slow += shared_.nodes[i]->too_slow();
    dropped += shared_.nodes[i]->dropped();
    if (const auto round = shared_.nodes[i]->lost_in()) outcome_.lost.push_back({i, *round});
  }
  Attributes& measured = outcome_.measured;
  if (run_.algorithm.uses_deadline) measured.emplace_back("deadline_s", shared_.deadline_s);
  if (interference_) {
    const auto [asked, had] = interference_->finish();
    measured.emplace_back("interference_asked_s", resumed(run_, "interference_asked_s") + asked);
    measured.emplace_back("interference_had_s", resumed(run_, "interference_had_s") + had);
  }
  measured.emplace_back("gradients_slower_than_asked", static_cast<std::int64_t>(too_slow));
  measured.emplace_back("checkpoints", checkpoints_);
  measured.emplace_back("dropped_messages", static_cast<std::int64_t>(dropped));
  judge(static_cast<double>(too_slow), dropped);
  add_core_wait();
  report_placement();
}

// --interference holds its nodes' cores because it was asked to.
void ThreadsEngine::add_core_wait() {
  for (NodeId i = 0; i < core_waits_.size(); ++i)
    for (std::uint32_t k = 0; k < run_.interference.count; ++k)
      if (k % cores_.size() == i % cores_.size()) core_waits_[i] = std::nan("");
  const auto longest = longest_wait(core_waits_);
  if (!longest) return;
  const double before = resumed(run_, "core_wait_share");
  outcome_.measured.emplace_back("core_wait_share", std::max(before, longest->share));
  outcome_.measured.emplace_back("core_wait_limit", kMostCoreWait);
  if (spoils_times(*longest))
    outcome_.verdict.reject(fmt::format(
        "node {} waited {:.1f} % of the run for its core, which something else held (limit {:.0f} %); leave "
        "the cores to the run, or give fewer --nodes",
        longest->node, 100 * longest->share, 100 * kMostCoreWait));
}

// Whether the timings count: every reason against it.
void ThreadsEngine::judge(double too_slow, std::uint64_t dropped) {
  Verdict& verdict = outcome_.verdict;
  if (const double gradients = gradients_taken(records_); too_slow > kMostLate * gradients)
    verdict.reject(fmt::format("in {:.0f} % of the gradients this machine is slower than --speed asks",
                               100 * too_slow / gradients));
  if (const double late = share_of_late_gradients(records_, run_.deadline.slack_s); late > kMostLate)
    verdict.reject(
        fmt::format("{:.0f} % of the gradients ended later than the deadline and its slack allow; leave the cores to "
                    "the run, or give a larger --deadline-slack",
                    100 * late));
  if (dropped > 0) verdict.reject(messages_dropped(dropped));
  for (NodeId i = 0; i < numa_nodes_.size(); ++i)
    if (!are_local(hardware_, numa_nodes_[i], core_of(i)))
      verdict.reject(fmt::format("node {} is on core {}, its model in the memory of NUMA node {}, which is not local",
                                 i, core_of(i), fmt::join(numa_nodes_[i], "+")));
}

Outcome ThreadsEngine::operator()() {
  prepare();
  run_nodes();
  outcome_.end_time = clock();
  take_records();
  draw_curve();
  if (is_finished()) outcome_.interrupted = false;
  end();
  return std::move(outcome_);
}

}  // namespace

Outcome run_threads(const Run& run, Watcher& watcher) {
  if (run.resume) require_fit(run);
  return ThreadsEngine(run, watcher)();
}

}  // namespace quantimed

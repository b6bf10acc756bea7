// SPDX-License-Identifier: BSD-3-Clause
// Real time: one node per core, pinned, with lock-free mailboxes and real deadlines; in one process, or spread over the
// processes of a fleet, each of which has an engine with its own nodes. That of rank 0 is the run: it has the records
// of all, draws the curve and says how it went; the others answer it.
#pragma once

#include "engine/run_loop.hpp"
#include "engine/spread/courier.hpp"
#include "engine/threads/ended_nodes.hpp"
#include "engine/threads/meeting.hpp"
#include "engine/threads/stillness.hpp"
#include "engine/threads/threads_node.hpp"
#include "machine/counters.hpp"
#include "machine/energy.hpp"
#include "machine/hardware.hpp"
#include "machine/interference.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace quantimed {

// This thread is on one processing unit as long as this lives, then where it was allowed to be before.
class OnItsOwnCore {
 public:
  explicit OnItsOwnCore(int processing_unit);
  OnItsOwnCore(const OnItsOwnCore&) = delete;
  OnItsOwnCore& operator=(const OnItsOwnCore&) = delete;
  ~OnItsOwnCore();

 private:
  Bitmap before_;
};

class ThreadsEngine final : public RunLoop, private EndedNodes {
 public:
  // fleet: null: this process alone.
  ThreadsEngine(const Run& run, Watcher& watcher, Fleet* fleet = nullptr);
  Outcome operator()();

 protected:
  NodeCore& core(NodeId i) override { return shared_.nodes[i]->core(); }
  bool is_here(NodeId i) const override { return shared_.layout.has(i); }
  void add_others(Checkpoint& checkpoint) override;
  void add_others(SumOfState& state) override;
  void add_others(std::uint64_t& overflows, std::uint64_t& violations) override;
  Seconds clock() const override { return *std::ranges::max_element(ended_); }
  void save_more(Checkpoint& checkpoint) override;
  void add_figures() override;
  std::optional<Recording> recording() const override;

 private:
  // What a node has been, once it has ended.
  struct Ended {
    Round finished = 0;
    std::int64_t lost_in = -1;
    Seconds at = 0;
    double core_wait = 0;  // share of the run; NaN: its core was to be shared
    std::uint64_t too_slow = 0, dropped = 0, overflows = 0, violations = 0;
    std::uint64_t copies = 0;  // of its model, for the curve
    std::uint64_t heard_here = 0;
    double bytes_heard_here = 0;
    std::uint64_t stride = 1;
    int core = -1;
    bool is_local = true;      // its model, to its core
    ThreadCounts counts = {};  // with --counters
  };

  // ---- EndedNodes ----
  Round finished(NodeId i) const override { return of_node_[i].finished; }
  std::optional<Round> lost_in(NodeId i) const override;
  std::uint64_t coarsen_to_one(std::uint64_t stride) override;
  std::span<const ModelCopy> at(std::uint64_t mark) override;

  // ---- in several processes: threads_spread.cpp ----
  bool is_spread() const { return shared_.is_spread(); }
  bool leads() const { return !fleet_ || fleet_->leads(); }
  // Carries out a step that may fail. Returns where all ranks have come so far; throws where one has not.
  template <class Step>
  void together(Step&& step);
  void break_off_together(std::exception_ptr failure);
  void share_cores();
  void align_clocks();
  bool share_speeds(std::vector<double>& all, bool all_came);
  bool share_choice(bool goes_on);
  void ship_logs_and_records();
  void unload(Parcel& parcel);
  void report_ended();
  void collect_reports();
  void collect_models(std::uint64_t mark);
  void collect_fingerprints(Recording& recording);
  void answer();
  // Of all other ranks, in their order.
  enum Question : std::uint32_t { kStride, kModels, kCheckpoint, kSum, kFingerprints, kLeave };
  std::vector<Parcel> ask(Question what, std::uint64_t argument = 0);
  void report_fleet();

  void prepare();
  void run_nodes();
  void look();
  void tell();
  std::optional<OnItsOwnCore> core_of_courier();
  void rethrow_first_failure();
  ModelCopy copy_at(NodeId i, std::uint64_t mark) const;
  void start_threads(std::vector<std::jthread>& threads);
  void live(NodeId i);
  void keep_failure(NodeId i);
  void break_off() {
    shared_.abort.store(true, std::memory_order_release);
    meeting_.break_off();
  }
  bool is_broken_off() const { return shared_.abort.load(std::memory_order_acquire); }
  bool measures_deadline() const { return run_.uses_deadline() && shared_.deadline_s == 0; }
  void measure_speeds(NodeId i);
  void choose_deadline();
  std::unique_ptr<ThreadNode> make_node(NodeId i);
  void watch();
  std::string end_without_progress(Seconds waited);
  std::uint64_t finished_by_all() const;
  void tell_failures();
  bool is_finished() const;
  void take_records();
  void draw_curve();
  void take_logs();
  void add_record(NodeId i, const RoundRecord& record);
  void add_fingerprints(Recording& recording) const;
  Recording whole_recording();
  void judge(double too_slow, std::uint64_t dropped);
  void add_core_wait();
  void read_energy(bool is_end = false);
  void add_counters();
  void report_placement();
  int core_of(NodeId i) const { return cores_[(i - shared_.layout.first()) % cores_.size()]; }

  Seconds before_s_;  // on the clock when the run was last stopped
  Fleet* fleet_;
  ThreadedRun shared_;
  Hardware hardware_;
  std::vector<int> cores_;
  std::vector<std::vector<int>> numa_nodes_;  // [n]: that hold the node's model; empty: unknown
  Meeting meeting_;                           // of all nodes and the main thread, until the clock runs
  std::vector<std::exception_ptr> failures_;  // [n]
  std::vector<Ended> of_node_;                // [n]
  std::vector<Seconds> ended_;                // [n]
  std::vector<std::vector<double>> speeds_;   // [n], samples per second, while a deadline is chosen
  bool choosing_ = true;                      // by the main thread, between two meetings
  std::atomic<std::uint32_t> living_ = 0;     // nodes that still run
  std::optional<Interference> interference_;  // made and unmade by the main thread
  std::optional<EnergyMeter> meter_;  // with --counters, read by the main thread and by the last node at its end
  std::mutex metering_;               // … each with this
  Seconds expected_round_s_ = 0;
  std::int64_t checkpoints_;
  bool keeps_log_;
  std::vector<std::vector<std::uint8_t>> logs_;  // [n], for a replay
  std::vector<Round> logged_;                    // [n], iterations in them
  std::optional<Stillness> stillness_;
  // Where there are several processes.
  std::optional<Courier> courier_;
  std::vector<ClockOffset> clocks_before_, clocks_after_;  // [ranks]
  std::vector<std::string> cores_of_ranks_;                // [ranks], at rank 0
  std::vector<Crossed> crossed_;                           // [ranks], at rank 0
  std::vector<ModelCopy> copies_;                          // [n], of the last mark
  std::vector<Real> models_;                               // [nodes elsewhere, p], of that mark, at rank 0
  bool are_cores_shared_ = false;                          // with another rank
};

template <class Step>
void ThreadsEngine::together(Step&& step) {
  std::exception_ptr failure;
  try {
    step();
  } catch (const RankLost&) {
    break_off();
    throw;
  } catch (...) {
    failure = std::current_exception();
  }
  break_off_together(failure);
}

}  // namespace quantimed

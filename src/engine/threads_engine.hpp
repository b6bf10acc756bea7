// SPDX-License-Identifier: BSD-3-Clause
// Real time: one node per core, pinned, with lock-free mailboxes and real deadlines.
#pragma once

#include "engine/hardware.hpp"
#include "engine/interference.hpp"
#include "engine/meeting.hpp"
#include "engine/run_loop.hpp"
#include "engine/threads_node.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace quantimed {

class ThreadsEngine final : public RunLoop {
 public:
  ThreadsEngine(const Run& run, Watcher& watcher);
  Outcome operator()();

 protected:
  NodeCore& core(NodeId i) override { return shared_.nodes[i]->core(); }
  Seconds clock() const override { return *std::ranges::max_element(ended_); }
  void save_more(Checkpoint& checkpoint) override;
  void add_figures() override;
  std::optional<Recording> recording() const override;

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
  bool measures_deadline() const { return run_.uses_deadline() && shared_.deadline_s == 0; }
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
  void take_logs();
  Recording whole_recording() const;
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
  bool keeps_log_;
  std::vector<std::vector<std::uint8_t>> logs_;  // [n], for a replay
  std::vector<Round> logged_;                    // [n], iterations in them
};

}  // namespace quantimed

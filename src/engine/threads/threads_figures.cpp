// SPDX-License-Identifier: BSD-3-Clause
// What a run on threads says of itself when it has ended: counts, where its nodes were, and whether its timings count.
#include "engine/threads/threads_engine.hpp"

#include "engine/resumption.hpp"
#include "machine/core_wait.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {

// Of all nodes together.
double gradients_taken(const Records& records) {
  double count = 0;
  for (std::size_t i = 0; i < records.nodes(); ++i) count += static_cast<double>(records[i].finished());
  return count;
}

double share_of_late_gradients(const Records& records, Seconds slack) {
  LateGradients found;
  records.for_each_block([&](const Rounds& rounds, std::size_t) {
    const LateGradients here = late_gradients(rounds, slack);
    found.late += here.late;
    found.all += here.all;
  });
  return found.share();
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

}  // namespace

void ThreadsEngine::report_placement() {
  const auto used = std::min<std::ptrdiff_t>(shared_.layout.here(), std::ssize(cores_));
  if (fleet_ && !is_spread()) outcome_.placement.emplace_back("ranks", std::int64_t{1});
  if (is_spread())
    report_fleet();
  else
    outcome_.placement.emplace_back("node_cores", to_list({cores_.begin(), cores_.begin() + used}));
  outcome_.placement.emplace_back("placement", run_.placement.text);
  outcome_.placement.emplace_back("placement_smt", run_.placement.smt);  // "smt" is whether the machine has it on
  outcome_.placement.emplace_back("node_numa", in_node_order(numa_nodes_));
}

// What the nodes have counted, this time and before a cut.
void ThreadsEngine::add_figures() {
  std::uint64_t too_slow = resumed_count(run_, "gradients_slower_than_asked");
  std::uint64_t dropped = resumed_count(run_, "dropped_messages");
  std::uint64_t copies = resumed_count(run_, "model_copies");
  for (NodeId i = 0; i < of_node_.size(); ++i) {
    copies += of_node_[i].copies;
    too_slow += of_node_[i].too_slow;
    dropped += of_node_[i].dropped;
    if (const auto round = lost_in(i)) outcome_.lost.push_back({i, *round});
  }
  Attributes& measured = outcome_.measured;
  if (run_.uses_deadline()) measured.emplace_back("deadline_s", shared_.deadline_s);
  if (interference_) {
    const auto [asked, had] = interference_->finish();
    measured.emplace_back("interference_asked_s", resumed(run_, "interference_asked_s") + asked);
    measured.emplace_back("interference_had_s", resumed(run_, "interference_had_s") + had);
  }
  measured.emplace_back("gradients_slower_than_asked", static_cast<std::int64_t>(too_slow));
  measured.emplace_back("checkpoints", checkpoints_);
  measured.emplace_back("model_copies", static_cast<std::int64_t>(copies));
  measured.emplace_back("dropped_messages", static_cast<std::int64_t>(dropped));
  judge(static_cast<double>(too_slow), dropped);
  add_core_wait();
  if (run_.counters) add_counters();
  report_placement();
}

// --interference holds its nodes' cores because it was asked to.
void ThreadsEngine::add_core_wait() {
  std::vector<double> waits;
  for (const Ended& node : of_node_) waits.push_back(node.core_wait);
  for (NodeId i = 0; i < waits.size(); ++i)
    for (std::uint32_t k = 0; k < run_.interference.count; ++k)
      if (k % cores_.size() == i % cores_.size()) waits[i] = std::nan("");
  const auto longest = longest_wait(waits);
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
    if (!of_node_[i].is_local)
      verdict.reject(fmt::format("node {} is on core {}, its model in the memory of NUMA node {}, which is not local",
                                 i, of_node_[i].core, fmt::join(numa_nodes_[i], "+")));
}

}  // namespace quantimed

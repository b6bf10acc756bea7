#include "engine/run_loop.hpp"

#include "engine/faults.hpp"
#include "engine/resumption.hpp"

#include <algorithm>

namespace quantimed {

RunLoop::RunLoop(const Run& run, Watcher& watcher)
    : run_(run),
      watcher_(watcher),
      records_(start_records(run)),
      overflows_(resumed_count(run, "overflows")),
      violations_(resumed_count(run, "violations")) {}

void RunLoop::fail(NodeId i, const std::exception& why) {
  outcome_.failure = failure_of(i, core(i).round(), why);
  outcome_.machine_refused = is_out_of_memory(why);
}

bool RunLoop::report(double done, bool a_cut) {
  watcher_.progress(done);
  if (!watcher_.checkpoint_due()) return false;
  watcher_.checkpoint(records_, a_cut && may_go_on(run_) ? std::optional(checkpoint()) : std::nullopt);
  return true;
}

void RunLoop::add_counts(std::uint64_t& overflows, std::uint64_t& violations) {
  overflows += overflows_;
  violations += violations_;
  for (NodeId i = 0; i < run_.network.nodes; ++i) {
    overflows += core(i).overflows();
    violations += core(i).violations();
  }
}

Checkpoint RunLoop::checkpoint() {
  carry_out();
  Checkpoint checkpoint;
  checkpoint.models.reserve(run_.network.nodes * run_.problem.dimension());
  for (NodeId i = 0; i < run_.network.nodes; ++i) {
    const NodeCore& node = core(i);
    checkpoint.models.insert(checkpoint.models.end(), node.x().begin(), node.x().end());
    node.save(checkpoint);
  }
  std::uint64_t overflows = 0, violations = 0;
  add_counts(overflows, violations);
  checkpoint.state = {{"clock", clock()},
                      {"overflows", static_cast<std::int64_t>(overflows)},
                      {"violations", static_cast<std::int64_t>(violations)}};
  save_more(checkpoint);
  return checkpoint;
}

void RunLoop::restore_cores() {
  const Checkpoint& saved = run_.resume->checkpoint;
  const std::size_t n = run_.network.nodes;
  const bool is_one_round = std::ranges::count(saved.iteration, saved.iteration[0]) == std::ssize(saved.iteration);
  if (saved.speed.size() != n || saved.seen_counts.size() != n ||
      (run_.algorithm.delivery == Delivery::round && !is_one_round))
    reject_checkpoint(run_, "its nodes are not at one round");
  std::span<const double> seen_speeds = saved.seen_speeds;
  for (NodeId i = 0; i < n; ++i) core(i).restore(saved, seen_speeds);
}

void RunLoop::end() {
  add_counts(outcome_.overflows, outcome_.violations);
  add_figures();
  if (outcome_.interrupted && !broke_off() && run_.faults.empty()) outcome_.checkpoint = checkpoint();
  outcome_.rounds = std::move(records_);
}

}  // namespace quantimed

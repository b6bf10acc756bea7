// SPDX-License-Identifier: BSD-3-Clause
#include "engine/run_loop.hpp"

#include "engine/resumption.hpp"
#include "timing/faults.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quantimed {

RunLoop::RunLoop(const Run& run, Watcher& watcher)
    : run_(run),
      watcher_(watcher),
      records_(start_records(run)),
      overflows_(resumed_count(run, "overflows")),
      violations_(resumed_count(run, "violations")) {}

void RunLoop::fail(NodeId i, Round round, const std::exception& why) {
  outcome_.failure = failure_of(i, round, why);
  outcome_.machine_refused = is_out_of_memory(why);
}

bool RunLoop::report(double done, bool a_cut) {
  watcher_.progress(done);
  if (!watcher_.checkpoint_due()) return false;
  watcher_.keep(recording());
  watcher_.checkpoint(records_, a_cut && may_go_on(run_) ? std::optional(checkpoint()) : std::nullopt);
  return true;
}

void RunLoop::add_counts(std::uint64_t& overflows, std::uint64_t& violations) {
  overflows += overflows_;
  violations += violations_;
  for (NodeId i = 0; i < run_.network.nodes; ++i) {
    if (!is_here(i)) continue;
    overflows += core(i).overflows();
    violations += core(i).violations();
  }
  add_others(overflows, violations);
}

Checkpoint RunLoop::part_of_checkpoint() {
  Checkpoint checkpoint;
  checkpoint.models.reserve(run_.network.nodes * run_.problem.dimension());
  for (NodeId i = 0; i < run_.network.nodes; ++i) {
    if (!is_here(i)) continue;
    const NodeCore& node = core(i);
    checkpoint.models.insert(checkpoint.models.end(), node.x().begin(), node.x().end());
    node.save(checkpoint);
  }
  return checkpoint;
}

Checkpoint RunLoop::checkpoint() {
  carry_out();
  Checkpoint checkpoint = part_of_checkpoint();
  add_others(checkpoint);
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
  for (NodeId i = 0; i < n; ++i) {
    if (is_here(i))
      core(i).restore(saved, seen_speeds);
    else
      seen_speeds = seen_speeds.subspan(std::min<std::size_t>(saved.seen_counts[i], seen_speeds.size()));
  }
}

namespace {
// A state that goes to zero itself, as where every node's gradient does at the optimum, ends as what float32 rounds off
// the models, and sums to no less: its size is taken to be at least this share of theirs.
constexpr double kOfModel = 1e-2;
}  // namespace

void RunLoop::sum_up(SumOfState& state) {
  for (NodeId i = 0; i < run_.network.nodes; ++i) {
    if (!is_here(i)) continue;
    if (state.vector == 0) {
      state.sum[0] += static_cast<double>(core(i).scalar());
      continue;
    }
    const VectorView &vector = core(i).vector(state.vector), &model = core(i).vector(0);
    for (std::size_t c = 0; c < state.sum.size(); ++c) {
      const double value = vector.wide.empty() ? static_cast<double>(vector.single[c]) : vector.wide[c];
      const double floor = kOfModel * static_cast<double>(model.single[c]);
      state.sum[c] += value;
      state.squares += value * value + floor * floor;
    }
  }
}

double RunLoop::error_of_state(std::size_t k) {
  SumOfState all{k + 1, std::vector<double>(run_.problem.dimension())};
  sum_up(all);
  add_others(all);
  const auto& [vector, sum, squares] = all;
  if (!std::isfinite(squares)) return std::nan("");
  const double sums = std::inner_product(sum.begin(), sum.end(), sum.begin(), 0.0);
  return squares > 0 ? std::sqrt(sums / squares) : 0;
}

double RunLoop::mean_weight() {
  SumOfState all{0, {0}};
  sum_up(all);
  add_others(all);
  return all.sum[0] / static_cast<double>(run_.network.nodes);
}

bool RunLoop::keeps_sums() const {
  return run_.algorithm.weights == Weights::push || std::ranges::any_of(run_.algorithm.states, &StateRow::sums_to_zero);
}

std::optional<double> RunLoop::sum_error() {
  if (!keeps_sums()) return {};
  if (!outcome_.lost.empty()) return std::nan("");
  double most = run_.algorithm.weights == Weights::push ? std::abs(mean_weight() - 1) : 0;
  for (std::size_t k = 0; k < run_.algorithm.states.size(); ++k)
    if (run_.algorithm.states[k].sums_to_zero) {
      const double error = error_of_state(k);
      if (std::isnan(error)) return error;
      most = std::max(most, error);
    }
  return most;
}

// What the row promises of all nodes together: states that sum to zero, push-sum weights that sum to n. Lost nodes take
// their part with them, and what broke off is between two iterations.
void RunLoop::check_invariants() {
  if (broke_off() || !outcome_.lost.empty()) return;
  for (std::size_t k = 0; k < run_.algorithm.states.size(); ++k) {
    const StateRow& state = run_.algorithm.states[k];
    if (!state.sums_to_zero) continue;
    const double error = error_of_state(k);
    outcome_.measured.emplace_back(fmt::format("sum_of_{}", state.name), error);
    if (error > kMostSumError)
      outcome_.verdict.reject(fmt::format("{} sums to zero over the nodes in {}, and here to {:.3g} of its size",
                                          state.name, run_.algorithm.name, error));
  }
  if (run_.algorithm.weights == Weights::push) {
    const double mean = mean_weight(), n = run_.network.nodes;
    outcome_.measured.emplace_back("push_sum_weights", mean);
    if (!(std::abs(mean - 1) <= kMostSumError))
      outcome_.verdict.reject(fmt::format("push-sum weights sum to {:.6g} and not to {}", mean * n, n));
  }
}

void RunLoop::end() {
  check_invariants();
  add_counts(outcome_.overflows, outcome_.violations);
  add_figures();
  if (outcome_.interrupted && !broke_off() && run_.faults.empty()) outcome_.checkpoint = checkpoint();
  outcome_.rounds = std::move(records_);
}

}  // namespace quantimed

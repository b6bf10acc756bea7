// SPDX-License-Identifier: BSD-3-Clause
#include "engine/virtual/virtual_run.hpp"

#include "base/error.hpp"
#include "engine/resumption.hpp"

#include <algorithm>

namespace quantimed {

VirtualNode::VirtualNode(const Run& run, NodeId id)
    : Node(protocol_of(run.algorithm), own_weight(run.network, id), quantimed::first_round(run, id)),
      core(run, id),
      run_(run) {}

Seconds VirtualNode::start_again(const Checkpoint& saved, const char* never_waits) {
  restoring_ = true;
  check(task.resume(), never_waits);
  restoring_ = false;
  core.record.start = saved.start_time[core.id()];
  return saved.event_time[core.id()];
}

void VirtualNode::plan(const GradientRequest& request) {
  const Seconds until = request.deadline == 0 && run_.gradient_until_deadline ? deadline() : request.deadline;
  RoundRecord planned;
  if (core.next_gradient() == 0) {
    planned_ = {};
    earlier_ = {};
  }
  core.set_speed(plan_gradient(run_, core.id(), core.round(), request.batch, earlier_, until, planned));
  batch_ = static_cast<std::size_t>(planned.batch);
  earlier_.deadline += until;
  earlier_.samples += batch_;
  RoundRecord& record = core.record;
  const auto add = [](double& sum, float& kept, float one) {
    sum += static_cast<double>(one);
    kept = static_cast<float>(sum);
  };
  record.speed_asked = planned.speed_asked;
  add(planned_.batch, record.batch, planned.batch);
  add(planned_.compute, record.compute, planned.compute);
  add(planned_.deadline, record.deadline, planned.deadline);
  add(planned_.overshoot, record.overshoot, planned.overshoot);
}

VirtualRun::VirtualRun(const Run& run, Watcher& watcher)
    : RunLoop(run, watcher), p_(run.problem.dimension()), arena_(run.network.nodes, p_), schedule_(run) {
  for (NodeId i = 0; i < run.network.nodes; ++i) models_.push_back(arena_.model(i).data());
}

void VirtualRun::resume(VirtualNode& node) {
  try {
    if (!node.task.resume()) check(node.is_over(), "an algorithm's text ended by itself");
  } catch (const std::exception& error) {
    fail(node.core.id(), error);
  }
}

void VirtualRun::lose(NodeId i, Round t) {
  outcome_.lost.push_back({i, t});
  std::erase(models_, arena_.model(i).data());
}

bool VirtualRun::observe() {
  Cut now = cut();
  now.sum_error = sum_error();
  return watcher_.observe(now);
}

Outcome VirtualRun::operator()() {
  for (bool is_cut = begin(); is_cut; is_cut = advance()) {
    if (schedule_.due(iteration(), clock()) && !observe()) break;
    if (broke_off() || is_finished()) break;
    if (is_time_to_report()) {
      finish_records();
      report(schedule_.done(iteration(), clock()), true);
    }
    if (watcher_.wants_to_stop()) {
      outcome_.interrupted = true;
      break;
    }
  }
  // A curve that breaks off is the beginning of the whole run's: it has no point of its own at the end.
  if (!outcome_.interrupted && !broke_off() && !schedule_.observed(iteration())) observe();
  const Cut last = cut();
  outcome_.end_time = std::max(outcome_.end_time, last.time);
  outcome_.end_time_paper_bits = last.time_paper_bits;
  outcome_.end_time_wire_bits = last.time_wire_bits;
  auto& charged = run_.charge_wire_bits ? outcome_.end_time_wire_bits : outcome_.end_time_paper_bits;
  if (charged) charged = outcome_.end_time;
  finish_records();
  end();
  return std::move(outcome_);
}

}  // namespace quantimed

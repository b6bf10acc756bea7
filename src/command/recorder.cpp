// SPDX-License-Identifier: BSD-3-Clause
#include "command/recorder.hpp"

#include "command/signals.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <exception>

namespace quantimed {

namespace {

// Pages that this process had to be given or to copy: after a fork those that its threads write to while the child
// lives, which costs them time that no clock reading of this thread shows.
long page_faults() {
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_minflt : 0;
}

double seconds_of(Recorder::Clock::time_point start) {
  return std::chrono::duration<double>(Recorder::Clock::now() - start).count();
}

}  // namespace

Recorder::Recorder(Trace& trace, Evaluator& evaluator, const std::string& path, const ProgressReport& report,
                   const Attributes& earlier, Clock::time_point start)
    : trace_(trace),
      evaluator_(evaluator),
      partial_(partial_name(path)),
      report_(report),
      earlier_(earlier),
      start_(start),
      evaluation_s_(number(earlier, "evaluation_time_s", 0)) {}

bool Recorder::observe(const Cut& cut) {
  const auto start = Clock::now();
  const Evaluation point = evaluator_.evaluate(cut.models);
  evaluation_s_ += seconds_of(start);
  add_point(trace_.progress, cut, point);
  trace_.mean_model.assign(evaluator_.mean_model().begin(), evaluator_.mean_model().end());
  const double first = trace_.progress.loss.front();
  diverged_ = !std::isfinite(point.loss) || point.loss > kDiverged * std::max(first, 1e-300);
  return !diverged_;
}

bool Recorder::wants_to_stop() { return signal_came(); }

void Recorder::progress(double done) {
  if (report_) report_(done);
}

bool Recorder::checkpoint_due() { return kGuards && seconds_of(last_) > std::max(2.0, 100 * cost_); }

void Recorder::checkpoint(const RoundsSource& rounds, std::optional<Checkpoint> state) {
  constexpr double kSecondsPerFault = 2e-6;
  const auto start = Clock::now();
  const long faults = page_faults();
  trace_.checkpoint = std::move(state);
  if (trace_.checkpoint) add_account(*trace_.checkpoint);
  try {
    write_trace(partial_, trace_, rounds);
  } catch (const std::exception&) {  // whatever it was, disk or memory: it may be over when it matters
    ++unwritten_;
  }
  trace_.checkpoint.reset();  // as large as all models
  cost_ = seconds_of(start) + kSecondsPerFault * static_cast<double>(page_faults() - faults);
  last_ = Clock::now();
}

void Recorder::add_account(Checkpoint& checkpoint) const {
  for (const char* name : {"resumptions", "resumed_at_iteration", "resumed_at_time_s"})
    if (const Attribute* value = find(earlier_, name)) checkpoint.state.emplace_back(name, *value);
  checkpoint.state.emplace_back("wall_time_s", wall_s());
  checkpoint.state.emplace_back("evaluation_time_s", evaluation_s_);
}

double Recorder::wall_s() const { return number(earlier_, "wall_time_s", 0) + seconds_of(start_); }

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "command/experiment.hpp"

#include "algorithm/own.hpp"
#include "algorithm/table.hpp"
#include "base/build_info.hpp"
#include "base/error.hpp"
#include "blas/blas.hpp"
#include "command/certificate.hpp"
#include "command/optimum_of.hpp"
#include "command/outputs.hpp"
#include "command/preflight.hpp"
#include "command/replay.hpp"
#include "command/resumption.hpp"
#include "command/setup.hpp"
#include "command/signals.hpp"
#include "command/spread.hpp"
#include "command/summary.hpp"
#include "config/option_table.hpp"
#include "engine/engine.hpp"
#include "engine/machine.hpp"
#include "engine/memory_plan.hpp"
#include "statistics/arrival.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <new>
#include <optional>

namespace quantimed {

namespace {

using Clock = std::chrono::steady_clock;

// Pages that this process had to be given or to copy: after a fork those that its threads write to while the child
// lives, which costs them time that no clock reading of this thread shows.
long page_faults() {
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_minflt : 0;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Where a run keeps what it has so far, until its trace is complete.
std::string partial_name(const std::string& path) { return path + ".partial"; }

// Evaluates every cut, ends a run that diverges, and writes what there is now and then.
class Recorder final : public Watcher {
 public:
  // `earlier`: what the run was told of itself when it was stopped; empty for a new one.
  Recorder(Trace& trace, Evaluator& evaluator, const std::string& path, const ProgressReport& report,
           const Attributes& earlier, Clock::time_point start)
      : trace_(trace),
        evaluator_(evaluator),
        partial_(partial_name(path)),
        report_(report),
        earlier_(earlier),
        start_(start),
        evaluation_s_(number(earlier, "evaluation_time_s", 0)) {}

  bool observe(const Cut& cut) override {
    const auto start = Clock::now();
    const Evaluation point = evaluator_.evaluate(cut.models);
    evaluation_s_ += seconds_since(start);
    add_point(trace_.progress, cut, point);
    trace_.mean_model.assign(evaluator_.mean_model().begin(), evaluator_.mean_model().end());
    const double first = trace_.progress.loss.front();
    diverged_ = !std::isfinite(point.loss) || point.loss > kDiverged * std::max(first, 1e-300);
    return !diverged_;
  }
  bool wants_to_stop() override { return signal_came(); }
  void progress(double done) override {
    if (report_) report_(done);
  }

  // The longer a checkpoint takes, the rarer they are: less than 1 % of the run.
  bool checkpoint_due() override { return kGuards && seconds_since(last_) > std::max(2.0, 100 * cost_); }
  void checkpoint(const RoundsSource& rounds, std::optional<Checkpoint> state) override {
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
    cost_ = seconds_since(start) + kSecondsPerFault * static_cast<double>(page_faults() - faults);
    last_ = Clock::now();
  }

  void keep(std::optional<Recording> recording) override { trace_.recording = std::move(recording); }

  // What the run's next part must know of those before.
  void add_account(Checkpoint& checkpoint) const {
    for (const char* name : {"resumptions", "resumed_at_iteration", "resumed_at_time_s"})
      if (const Attribute* value = find(earlier_, name)) checkpoint.state.emplace_back(name, *value);
    checkpoint.state.emplace_back("wall_time_s", wall_s());
    checkpoint.state.emplace_back("evaluation_time_s", evaluation_s_);
  }

  double wall_s() const { return number(earlier_, "wall_time_s", 0) + seconds_since(start_); }
  bool diverged() const { return diverged_; }
  std::int64_t unwritten() const { return unwritten_; }
  double evaluation_s() const { return evaluation_s_; }

 private:
  static constexpr double kDiverged = 1e6;  // times the first loss

  Trace& trace_;
  Evaluator& evaluator_;
  std::string partial_;
  const ProgressReport& report_;
  const Attributes& earlier_;
  Clock::time_point start_;
  bool diverged_ = false;
  std::int64_t unwritten_ = 0;  // checkpoints that could not be written
  double evaluation_s_, cost_ = 0;
  Clock::time_point last_ = Clock::now();
};

// Every reason why a run's figures are not to be used: what was known before it, and what it showed.
void judge(Verdict& verdict, const Outcome& outcome, const Totals& totals) {
  if (!outcome.failure.empty()) verdict.reject(outcome.failure);
  verdict.reject_as(outcome.verdict);
  if (outcome.overflows > 0)
    verdict.reject(fmt::format("{} coordinates did not fit the code and were clamped", outcome.overflows));
  if (outcome.violations > 0)
    verdict.reject(
        fmt::format("{} blocks of messages were decoded wrongly: two neighbours differ by more than --codec can tell, "
                    "give it more bits",
                    outcome.violations));
  if (totals.gradients > 0 && !(totals.samples > 0))
    verdict.reject("every batch was empty, give a longer --deadline or a larger --batch");
}

[[noreturn]] void break_off(const Outcome& outcome) {
  if (outcome.machine_refused) throw MachineRefused("{}; use fewer --nodes or a smaller --model", outcome.failure);
  throw RunFailure(outcome.failure);
}

// Of the parameters a run has those of its algorithm.
bool is_of_its_algorithm(const std::string& option, const Config& resolved) {
  const Parameter* parameter = std::get_if<Parameter>(&find_option(option)->field);
  return !parameter || resolved.parameters.contains(*parameter);
}

Trace start_trace(const Setup& setup, const DataSplit& data) {
  Trace trace;
  trace.software_version = build::kVersion;
  trace.commit = build::kCommit;
  trace.created = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  for (const auto& [name, value] : to_pairs(setup.config))
    if (is_of_its_algorithm(name, setup.config)) trace.config.emplace_back(name, to_attribute(value));
  const Run run = setup.run();
  trace.config.emplace_back("delivery", name_of(setup.row.delivery));
  trace.config.emplace_back("sends_early", run.algorithm.exchanges(run.options, 0).is_sent_early);
  trace.config.emplace_back("weights", name_of(setup.row.weights));
  trace.config.emplace_back("alpha_value", static_cast<double>(run.options.alpha));
  trace.config.emplace_back("epsilon_value", static_cast<double>(run.options.epsilon));
  trace.config.emplace_back("tuned_by",
                            tuning_of(setup.config, {setup.config.seed},
                                      setup.config.tuned_by.empty() ? "" : certified_data(setup.config, data)));
  trace.ini = to_ini(setup.config);
  if (!kGuards) trace.verdict.reject("a build without guards");
  const Machine machine = inspect_machine();
  trace.environment = environment(machine, blas::description(), blas::configuration());
  std::string own;  // the commit is not theirs
  for (const AlgorithmRow& row : own_algorithms()) own += (own.empty() ? "" : ", ") + std::string(row.name);
  if (!own.empty()) trace.environment.emplace_back("own_algorithms", own);
  trace.data = data_attributes(data, fingerprints_of(setup.config, data));
  trace.network = setup.network;
  const std::uint32_t here = layout_of(setup.config).here();
  if (setup.config.engine != "virtual" && machine.cpu_quota && *machine.cpu_quota < here)
    trace.verdict.reject(
        fmt::format("the control group grants {:.2g} cores' time to {} nodes", *machine.cpu_quota, here));
  return trace;
}

// A trace of version 0.1.0 has one clock, the run's; the other one cannot be had from the middle of a run.
void take_over_clocks(const Resumption& resumption, Trace& trace) {
  const Config& config = resumption.config;
  Progress& curve = trace.progress;
  if (config.engine != "virtual" || !config.machine.empty()) return;
  auto& own = config.bits == "wire" ? curve.time_wire_bits : curve.time_paper_bits;
  if (own.empty()) own = curve.time;
  const bool is_round = find_algorithm(config.algorithm).delivery == Delivery::round;
  if (is_round && resumption.trace.checkpoint->start_time_other_bits.empty())
    trace.warnings.push_back(fmt::format("resumed from a checkpoint that keeps one clock: /progress/{} is left out",
                                         config.bits == "wire" ? "time_paper_bits" : "time_wire_bits"));
}

// A trace of an earlier version has none of them.
void take_over_classes(Trace& trace) {
  Progress& curve = trace.progress;
  const std::size_t wanted = curve.iteration.size() * trace.classes.label.size();
  if (curve.class_accuracy.size() != wanted) curve.class_accuracy.assign(wanted, std::nan(""));
}

// The curve and the account of what was before the cut; says where another program or processor had a part, since the
// bits may then be others.
Attributes take_over(const Resumption& resumption, Trace& trace) {
  const Trace& before = resumption.trace;
  if (!is_same_graph(before.network, trace.network))
    throw InputError("--resume {}: --graph {} is no longer the graph that the run began with; give it back",
                     resumption.path, resumption.config.graph);
  if (before.commit != trace.commit) trace.environment.emplace_back("earlier_commit", before.commit);
  for (const char* name : {"cpu", "blas", "flags"})
    if (const std::string was = text(before.environment, name, ""); was != text(trace.environment, name, ""))
      trace.environment.emplace_back(fmt::format("earlier_{}", name), was);
  if (const std::string other = differing_contents(fingerprints_of(before), fingerprints_of(trace)); !other.empty())
    throw InputError("--resume {}: {}; give back what the run began with, or start again", resumption.path, other);
  trace.created = before.created;
  trace.progress = before.progress;
  take_over_clocks(resumption, trace);
  take_over_classes(trace);
  trace.mean_model = before.mean_model;
  Attributes earlier = before.checkpoint->state;
  std::erase_if(earlier, [](const auto& entry) { return entry.first == "resumptions"; });
  earlier.emplace_back("resumptions",
                       static_cast<std::int64_t>(number(before.checkpoint->state, "resumptions", 0)) + 1);
  add_cut(earlier, *before.checkpoint);
  return earlier;
}

// --curve replay. Other bits than the run's, or a log that is none, are no curve of it: the run broke off.
void draw_afterwards(Progress& curve, const Run& run, Outcome& outcome, Watcher& watcher) {
  const auto start = Clock::now();
  curve = {};  // a resumed run's is drawn from its beginning
  curve.drawn_by = "replay";
  std::string why;
  try {
    why = draw_by_replay(run, outcome, watcher);
  } catch (const InputError& error) {
    why = error.what();
  }
  if (outcome.failure.empty() && !why.empty()) outcome.failure = "the replay that was to draw the curve: " + why;
  outcome.measured.emplace_back("curve_time_s", seconds_since(start));
}

}  // namespace

void add_point(Progress& curve, const Cut& cut, const Evaluation& point) {
  curve.iteration.push_back(cut.iteration);
  curve.time.push_back(cut.time);
  if (cut.time_paper_bits) curve.time_paper_bits.push_back(*cut.time_paper_bits);
  if (cut.time_wire_bits) curve.time_wire_bits.push_back(*cut.time_wire_bits);
  curve.loss.push_back(point.loss);
  curve.accuracy.push_back(point.accuracy);
  curve.test_loss.push_back(point.test_loss);
  curve.test_accuracy.push_back(point.test_accuracy);
  curve.consensus_error.push_back(point.consensus_error);
  curve.gradient_norm_squared.push_back(point.gradient_norm_squared);
  curve.class_accuracy.insert(curve.class_accuracy.end(), point.class_accuracy.begin(), point.class_accuracy.end());
}

bool is_same_graph(const Network& a, const Network& b) {
  return a.edges == b.edges && a.weights == b.weights && a.self_weights == b.self_weights;
}

double time_to_target(const Progress& curve, double target) { return arrival(curve.time, curve.loss, target).time; }

Trace run_experiment(const Config& config, const DataSplit& data, const ProgressReport& report,
                     Resumption* resumption) {
  const auto start = Clock::now();
  require_spread_engine(config);
  const OutputLock lock = resumption ? std::move(resumption->lock) : OutputLock(config.output);
  // What an earlier run left there must not be taken for this one's if this one dies before it writes.
  if (!resumption) std::remove(partial_name(config.output).c_str());
  hold_memory_for_traces();
  blas::use_one_thread();
  // Nodes, and afterwards those who evaluate.
  const Layout layout = layout_of(config);
  blas::admit(config.engine == "virtual" ? config.threads : std::max(layout.here(), config.threads),
              config.oversubscribe);
  const Setup setup(config, data);
  Run run = setup.run();
  require_memory(run, config.engine == "virtual" ? plan_virtual(run) : plan_threads(run, layout),
                 Evaluator::bytes(*setup.problem, config.threads));
  if (!run.copies_models)
    require_memory(run, plan_replay(run, config.threads), Evaluator::bytes(*setup.problem, config.threads));
  if (kGuards) {
    check_gradient(*setup.problem, setup.shards, config.seed);
    check_codec(*setup.codec, *setup.problem, config.seed);
  }

  const std::optional<Optimum> optimum = optimum_of(setup, data.train);
  Trace trace = start_trace(setup, data);
  trace.environment.emplace_back("output_lock", lock.kind());
  Evaluator evaluator(*setup.problem, setup.shards, data.test ? &*data.test : nullptr, setup.penalty,
                      static_cast<int>(config.threads), config.evaluate_samples);
  trace.classes = evaluator.classes(data.source.labels);
  Attributes earlier;
  std::optional<Resume> resume;
  if (resumption) {
    if (!resumption->trace.checkpoint) resume_from_log(*resumption, run, evaluator, report);
    earlier = take_over(*resumption, trace);
    resume.emplace(Resume{resumption->path, *resumption->trace.checkpoint, std::move(resumption->trace.rounds),
                          std::move(resumption->trace.recording)});
    run.resume = &*resume;
  }
  Outcome outcome;
  bool diverged = false;
  double evaluation_s = 0, wall_s = 0;
  {
    Recorder recorder(trace, evaluator, config.output, report, earlier, start);
    outcome = run_by_engine(config, data, run, recorder);
    if (!run.copies_models) draw_afterwards(trace.progress, run, outcome, recorder);
    diverged = recorder.diverged();
    evaluation_s = recorder.evaluation_s();
    wall_s = recorder.wall_s();
    outcome.measured.emplace_back("unwritten_checkpoints", recorder.unwritten());
    outcome.measured.emplace_back("unwritten_records", static_cast<std::int64_t>(outcome.rounds.refused()));
    if (trace.progress.loss.empty()) break_off(outcome);  // there is nothing to tell yet
    if (outcome.checkpoint && !diverged) {
      trace.checkpoint = std::move(outcome.checkpoint);
      recorder.add_account(*trace.checkpoint);
    }
  }
  trace.recording = std::move(outcome.recording);
  const Totals totals = add_up(outcome.rounds, run);
  trace.status = RunStatus::complete;
  if (outcome.interrupted || !outcome.failure.empty()) trace.status = RunStatus::interrupted;
  if (diverged) trace.status = RunStatus::diverged;
  judge(trace.verdict, outcome, totals);
  // Times that did not count before the cut do not count now.
  if (resumption && config.engine != "virtual") trace.verdict.reject_as(resumption->trace.verdict);
  trace.environment.insert(trace.environment.end(), outcome.placement.begin(), outcome.placement.end());
  if (config.timeline) trace.timeline = make_timeline(outcome.rounds, run);
  summarise(trace, run, setup.config, outcome, totals, wall_s, evaluation_s);
  if (optimum) add_optimum(trace, setup.config, *optimum);
  for (const char* name : {"resumptions", "resumed_at_iteration", "resumed_at_time_s"})
    if (const Attribute* value = find(earlier, name)) trace.summary.emplace_back(name, *value);
  write_trace(config.output, trace, outcome.rounds);
  std::remove(partial_name(config.output).c_str());
  if (!outcome.failure.empty()) break_off(outcome);
  return trace;
}

}  // namespace quantimed

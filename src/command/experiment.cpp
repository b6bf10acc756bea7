// SPDX-License-Identifier: BSD-3-Clause
#include "command/experiment.hpp"

#include "algorithm/own.hpp"
#include "algorithm/table.hpp"
#include "base/build_info.hpp"
#include "base/error.hpp"
#include "base/streams.hpp"
#include "blas/blas.hpp"
#include "command/certificate.hpp"
#include "command/counts.hpp"
#include "command/optimum_of.hpp"
#include "command/outputs.hpp"
#include "command/preflight.hpp"
#include "command/recorder.hpp"
#include "command/replay.hpp"
#include "command/resumption.hpp"
#include "command/setup.hpp"
#include "command/signals.hpp"
#include "command/spread.hpp"
#include "command/summary.hpp"
#include "config/option_table.hpp"
#include "engine/engine.hpp"
#include "engine/memory_plan.hpp"
#include "machine/machine.hpp"
#include "statistics/arrival.hpp"
#include "timing/machine_file.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <new>
#include <optional>
#include <utility>

namespace quantimed {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

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

// Why the figures that --machine predicts from were not to be trusted when they were measured; "": nothing was wrong.
std::string machine_doubts(const Config& config) {
  return config.machine.empty() ? "" : read_machine_file(config.machine).invalid;
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
  trace.config.emplace_back("samples_per_node_value", std::int64_t{setup.shards.per_node});
  trace.config.emplace_back("tuned_by",
                            tuning_of(setup.config, {setup.config.seed},
                                      setup.config.tuned_by.empty() ? "" : certified_data(setup.config, data)));
  if (const std::string doubts = machine_doubts(setup.config); !doubts.empty())
    trace.config.emplace_back("machine_doubts", doubts);
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

// That the machine has room for the run, before it begins.
void require_room(const Config& config, const Run& run, const Problem& problem, const Layout& layout) {
  const double evaluator = Evaluator::bytes(problem, config.threads);
  require_memory(run, config.engine == "virtual" ? plan_virtual(run) : plan_threads(run, layout), evaluator);
  if (!run.copies_models) require_memory(run, plan_replay(run, config.threads), evaluator);
}

struct Recorded {
  Outcome outcome;
  bool diverged;
  double evaluation_s, wall_s;
};

// The curve, the mean model and the checkpoint go into the trace.
Recorded run_and_record(const Config& config, const DataSplit& data, const Run& run, Trace& trace, Evaluator& evaluator,
                        const ProgressReport& report, const Attributes& earlier, Clock::time_point start) {
  Recorder recorder(trace, evaluator, config.output, report, earlier, start);
  Outcome outcome = run_by_engine(config, data, run, recorder);
  if (!run.copies_models) draw_afterwards(trace.progress, run, outcome, recorder);
  const bool diverged = recorder.diverged();
  const double evaluation_s = recorder.evaluation_s(), wall_s = recorder.wall_s();
  outcome.measured.emplace_back("unwritten_checkpoints", recorder.unwritten());
  outcome.measured.emplace_back("unwritten_records", static_cast<std::int64_t>(outcome.rounds.refused()));
  if (trace.progress.loss.empty()) break_off(outcome);  // there is nothing to tell yet
  if (outcome.checkpoint && !diverged) {
    trace.checkpoint = std::move(outcome.checkpoint);
    recorder.add_account(*trace.checkpoint);
  }
  return {std::move(outcome), diverged, evaluation_s, wall_s};
}

RunStatus status_of(const Outcome& outcome, bool diverged) {
  if (diverged) return RunStatus::diverged;
  return outcome.interrupted || !outcome.failure.empty() ? RunStatus::interrupted : RunStatus::complete;
}

// What a run that was resumed says of its earlier part.
void add_resumptions(Attributes& summary, const Attributes& earlier) {
  for (const char* name : {"resumptions", "resumed_at_iteration", "resumed_at_time_s"})
    if (const Attribute* value = find(earlier, name)) summary.emplace_back(name, *value);
}

// Once, however many runs the command has. `quantimed info` says it, too, and a trace has the kernels' name.
void tell_of_slow_kernels() {
  static bool is_told = false;
  const std::string why = blas::slow_kernels();
  if (!why.empty() && !std::exchange(is_told, true)) tell("quantimed: {}\n", why);
}

}  // namespace

void tell_of_doubts(const std::string& machine, const std::string& doubts) {
  static bool is_told = false;
  if (!doubts.empty() && !std::exchange(is_told, true))
    tell("quantimed: --machine {}: do not trust what it predicts: when it was calibrated, {}\n", machine, doubts);
}

void add_point(Progress& curve, const Cut& cut, const Evaluation& point) {
  // What not all runs tell. Points of a version that had none of it were told nothing.
  const auto add_told = [&](std::vector<double>& column, std::optional<double> value) {
    if (!value) return;
    column.resize(curve.iteration.size() - 1, std::nan(""));
    column.push_back(*value);
  };
  curve.iteration.push_back(cut.iteration);
  curve.time.push_back(cut.time);
  if (cut.time_paper_bits) curve.time_paper_bits.push_back(*cut.time_paper_bits);
  if (cut.time_wire_bits) curve.time_wire_bits.push_back(*cut.time_wire_bits);
  add_told(curve.sum_error, cut.sum_error);
  curve.loss.push_back(point.loss);
  curve.accuracy.push_back(point.accuracy);
  curve.test_loss.push_back(point.test_loss);
  curve.test_accuracy.push_back(point.test_accuracy);
  curve.consensus_error.push_back(point.consensus_error);
  curve.gradient_norm_squared.push_back(point.gradient_norm_squared);
  add_told(curve.distance_to_optimum, point.distance_to_optimum);
  curve.class_accuracy.insert(curve.class_accuracy.end(), point.class_accuracy.begin(), point.class_accuracy.end());
}

bool is_same_graph(const Network& a, const Network& b) {
  return a.edges == b.edges && a.weights == b.weights && a.self_weights == b.self_weights;
}

double time_to_target(const Progress& curve, double target) { return arrival(curve.time, curve.loss, target).time; }

Trace run_experiment(const Config& asked, const DataSplit& data, const ProgressReport& report, Resumption* resumption) {
  Config config = asked;
  const auto start = Clock::now();
  require_spread_engine(config);
  const OutputLock lock = resumption ? std::move(resumption->lock) : OutputLock(config.output);
  // What an earlier run left there must not be taken for this one's if this one dies before it writes.
  if (!resumption) std::remove(partial_name(config.output).c_str());
  hold_memory_for_traces();
  blas::use_one_thread();
  if (!config.quiet) tell_of_slow_kernels();
  // Nodes, and afterwards those who evaluate.
  const Layout layout = layout_of(config);
  admit_workers(config, config.engine == "virtual" ? 0 : layout.here());
  const Setup setup(config, data);
  Run run = setup.run();
  require_room(config, run, *setup.problem, layout);
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
  if (optimum) evaluator.measure_from(optimum->x);
  Attributes earlier;
  std::optional<Resume> resume;
  if (resumption) {
    if (!resumption->trace.checkpoint) resume_from_log(*resumption, run, evaluator, report);
    earlier = take_over(*resumption, trace);
    resume.emplace(Resume{resumption->path, *resumption->trace.checkpoint, std::move(resumption->trace.rounds),
                          std::move(resumption->trace.recording)});
    run.resume = &*resume;
  }
  if (!config.quiet)
    tell_of_doubts(text(trace.config, "machine", ""),
                   text(trace.config, "machine_doubts", ""));  // once nothing more is refused
  auto [outcome, diverged, evaluation_s, wall_s] =
      run_and_record(config, data, run, trace, evaluator, report, earlier, start);
  trace.recording = std::move(outcome.recording);
  const Totals totals = add_up(outcome.rounds, run);
  trace.status = status_of(outcome, diverged);
  judge(trace.verdict, outcome, totals);
  // Times that did not count before the cut do not count now.
  if (resumption && config.engine != "virtual") trace.verdict.reject_as(resumption->trace.verdict);
  trace.environment.insert(trace.environment.end(), outcome.placement.begin(), outcome.placement.end());
  if (config.timeline) trace.timeline = make_timeline(outcome.rounds, run);
  summarise(trace, run, setup.config, outcome, totals, wall_s, evaluation_s);
  if (outcome.counters)
    add_counters(trace, *outcome.counters, outcome.energy, resumption ? &resumption->trace : nullptr);
  if (optimum) add_optimum(trace, setup, data.train, *optimum, outcome.rounds);
  add_resumptions(trace.summary, earlier);
  write_trace(config.output, trace, outcome.rounds);
  std::remove(partial_name(config.output).c_str());
  if (!outcome.failure.empty()) break_off(outcome);
  return trace;
}

}  // namespace quantimed

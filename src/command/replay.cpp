// SPDX-License-Identifier: BSD-3-Clause
#include "command/replay.hpp"

#include "base/build_info.hpp"
#include "base/error.hpp"
#include "base/streams.hpp"
#include "base/worker_choice.hpp"
#include "blas/blas.hpp"
#include "command/commands.hpp"
#include "command/optimum_of.hpp"
#include "command/outputs.hpp"
#include "command/preflight.hpp"
#include "command/progress_line.hpp"
#include "command/resumption.hpp"
#include "command/setup.hpp"
#include "command/signals.hpp"
#include "command/summary.hpp"
#include "engine/replay/log_reader.hpp"
#include "engine/resumption.hpp"
#include "machine/machine.hpp"
#include "trace/columns.hpp"
#include "trace/image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>

namespace quantimed {

namespace {

using Clock = std::chrono::steady_clock;

// Evaluates what a replay shows.
class CurveWatcher final : public Watcher {
 public:
  CurveWatcher(Evaluator* evaluator, Progress& curve, const ProgressReport& report)
      : evaluator_(evaluator), curve_(curve), report_(report) {}
  bool observe(const Cut& cut) override {
    add_point(curve_, cut, evaluator_->evaluate(cut.models));
    return true;
  }
  bool wants_to_stop() override { return signal_came(); }
  void progress(double done) override {
    if (report_) report_(done);
  }
  void checkpoint(const RoundsSource&, std::optional<Checkpoint>) override {}
  bool checkpoint_due() override { return false; }

 private:
  Evaluator* evaluator_;
  Progress& curve_;
  const ProgressReport& report_;
};

// Why a trace cannot be replayed, and what to do instead.
void require_recording(const std::string& path, const Trace& trace) {
  if (trace.recording && (trace.status != RunStatus::running || text(trace.config, "delivery", "") != "pairwise"))
    return;
  if (trace.recording)
    throw InputError(
        "{}: is of a run of averages of two that was killed: its nodes were in the middle of iterations that depend on "
        "each other, and cannot be replayed; run it again",
        path);
  if (text(trace.config, "engine", "") == "virtual")
    throw InputError(
        "{}: is of virtual time, which no clock decides: run its /config/ini again and compare (quantimed run "
        "--config)",
        path);
  if (number(trace.config, "no-record", 0) != 0)
    throw InputError("{}: is of a run with --no-record, which cannot be replayed; run it without", path);
  throw InputError("{}: has no log of what its clock decided, and cannot be replayed; run it again", path);
}

// Of runs one after the other: those of a study read the same.
std::shared_ptr<const DataSplit> data_of(const Config& config) {
  static std::shared_ptr<const DataSplit> newest;
  static std::string its_key;
  const std::string key = data_key(config);
  if (newest && key == its_key) return newest;
  newest = std::make_shared<const DataSplit>(load_data(config));
  its_key = key;
  return newest;
}

std::uint64_t sum_of(const std::vector<std::uint32_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

}  // namespace

TraceReplay::TraceReplay(std::string path, Trace trace, std::uint32_t threads)
    : path_(std::move(path)), trace_(std::move(trace)) {
  require_recording(path_, trace_);
  config_ = config_of(trace_, path_);
  config_.threads = threads;
  config_ = resolve(config_);
  data_ = data_of(config_);
  if (const auto other = differing_contents(fingerprints_of(trace_), fingerprints_of(config_, *data_)); !other.empty())
    throw InputError("{}: {}; give back what the run had", path_, other);
  blas::use_one_thread();
  admit_workers(config_);
  workers_ = std::min(config_.threads, config_.nodes);
  setup_ = std::make_unique<Setup>(config_, *data_);
  if (!is_same_graph(trace_.network, setup_->network))
    throw InputError("{}: --graph {} is no longer the graph that the run had; give it back", path_, config_.graph);
}

TraceReplay::~TraceReplay() = default;

Replayed TraceReplay::operator()(std::uint32_t evaluations, const ProgressReport& report) {
  const auto start = Clock::now();
  const Seconds processor = WorkerChoice::processor_time();
  const Run run = setup_->run();
  const double beside = evaluations > 0 ? Evaluator::bytes(*setup_->problem, config_.threads) : 0;
  require_memory(run, plan_replay(run, workers_), beside);
  std::optional<Evaluator> evaluator;
  std::vector<ReplayPoint> points;
  if (evaluations > 0) {
    evaluator.emplace(*setup_->problem, setup_->shards, data_->test ? &*data_->test : nullptr, setup_->penalty,
                      static_cast<int>(config_.threads), config_.evaluate_samples);
    classes_ = evaluator->classes(data_->source.labels);
    if (const std::optional<Optimum> optimum = optimum_of(*setup_, data_->train)) evaluator->measure_from(optimum->x);
    points = points_of(run, *trace_.recording, trace_.rounds, number(trace_.summary, "end_time_s", 0), evaluations);
  }
  curve_ = {};
  CurveWatcher watcher(evaluator ? &*evaluator : nullptr, curve_, report);
  const Replayed replayed = replay(
      run, {.recording = *trace_.recording, .rounds = trace_.rounds, .points = points, .workers = workers_}, watcher);
  seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
  processor_s_ = WorkerChoice::processor_time() - processor;
  return replayed;
}

std::vector<std::string> TraceReplay::surroundings() const {
  std::vector<std::string> lines;
  const auto compare = [&](const char* what, const std::string& was, const std::string& is) {
    if (was != is) lines.push_back(fmt::format("{}: {} then, {} now", what, was.empty() ? "unknown" : was, is));
  };
  const Attributes here = environment(inspect_machine(), blas::description(), blas::configuration());
  compare("version", trace_.software_version, build::kVersion);
  compare("commit", trace_.commit, build::kCommit);
  for (const auto& [what, name] : {std::pair{"BLAS", "blas"},
                                   {"compiler", "compiler"},
                                   {"flags", "flags"},
                                   {"instructions", "instructions_in_use"},
                                   {"processor", "cpu"}})
    compare(what, text(trace_.environment, name, ""), text(here, name, ""));
  return lines;
}

namespace {

// All that nodes did but wait for each other or for a link. On a busy machine they did not have their cores all the
// time.
Seconds computed_s(const Rounds& rounds) {
  Seconds sum = 0;
  for (const auto phase : kPhaseTimes)
    if (phase != &Rounds::wait_time && phase != &Rounds::exchange_time)
      for (const float lasted : rounds.*phase) sum += std::isnan(lasted) ? 0 : lasted;
  return sum;
}

}  // namespace

std::string verdict_of(const TraceReplay& replay, const Replayed& replayed) {
  const Trace& trace = replay.trace();
  const std::vector<std::string> others = replay.surroundings();
  std::string result;
  if (!replayed.difference) {
    result = fmt::format(
        "bit-exact: {} iterations of {} nodes, {} models compared whole; {:.3g} s on {} worker{}, where the run took "
        "{:.3g} s; {:.3g} s of processor time, where its nodes computed for {:.3g} s; {} messages kept at most\n",
        replayed.iterations, trace.network.nodes, replayed.models, replay.seconds(), replay.workers(),
        replay.workers() == 1 ? "" : "s", number(trace.summary, "end_time_s", 0), replay.processor_s(),
        computed_s(trace.rounds), replayed.most_messages);
    for (const std::string& other : others) result += fmt::format("  although the {}\n", other);
    return result;
  }
  const auto& [node, iteration, what] = *replayed.difference;
  result = fmt::format("differs first at node {}, iteration {}: {}\n", node, iteration, what);
  for (const std::string& other : others) result += fmt::format("  may be the reason: {}\n", other);
  if (!others.empty()) return result;
  return result + (trace.is_sealed ? "  program, compiler, BLAS and processor are the run's: please report this\n"
                                   : "  the trace has been changed since it was written: its seal is gone\n");
}

void keep_verdict(const std::string& path, const Replayed& replayed) {
  constexpr std::string_view kMark = "# quantimed replay\n";
  const std::string seal = seal_of(path), output = path + ".replay";
  if (seal.empty()) return;
  require_own_text(output, kMark);
  std::ofstream file(output);
  file << kMark << "seal = " << seal << "\nverdict = ";
  if (replayed.difference)
    file << fmt::format("differs first at node {}, iteration {}: {}", replayed.difference->node,
                        replayed.difference->iteration, replayed.difference->what);
  else
    file << "bit-exact";
  file << fmt::format("\nversion = {}\ncommit = {}\n", build::kVersion, build::kCommit) << std::flush;
  if (!file) throw InputError("{}: cannot be written; the verdict of the replay is not kept", output);
}

namespace {

// The trace with another curve.
void write_curve(const TraceReplay& replay, const std::string& path) {
  Trace trace = replay.trace();
  trace.progress = replay.curve();
  trace.classes = replay.classes();
  trace.progress.drawn_by = "replay";
  write_trace(path, trace);
}

std::string output_for(const Request& request, const std::string& path) {
  const std::string given = request.config.output;
  const std::filesystem::path of(path);
  const std::string output =
      !given.empty() ? given : (of.parent_path() / (of.stem().string() + "-replayed.h5")).string();
  require_writable_folder(std::filesystem::path(output).parent_path().string(), "--output", output);
  require_not_input(output, "replay: it is the trace itself", path);
  if (std::filesystem::exists(output) && !(request.config.overwrite && claims_to_be_a_trace(output)))
    throw InputError("--output {}: is there already; give another name{}", output,
                     claims_to_be_a_trace(output) ? ", or --overwrite" : "");
  return output;
}

}  // namespace

int replay_command(const Request& request) {
  catch_signals();
  const std::string& path = request.arguments.front();
  const bool draws = std::ranges::any_of(request.given, [](const auto& given) { return given.first == "evaluations"; });
  if (!draws && !request.config.output.empty())
    throw InputError("--output {}: a replay writes a trace only with a new curve; give --evaluations K as well",
                     request.config.output);
  const std::string output = draws ? output_for(request, path) : "";
  ProgressLine line(1, request.config.quiet);
  TraceReplay replay(path, read_trace(path), request.config.threads);
  const Replayed replayed =
      replay(draws ? request.config.evaluations : 0, [&](double done) { line.show(0, "replay", done); });
  line.clear();
  if (replayed.interrupted)
    throw Stopped(fmt::format("stopped after {} of {} iterations; nothing was found to differ so far",
                              replayed.iterations, sum_of(replay.trace().recording->iterations)));
  fmt::print("{}: {}", path, verdict_of(replay, replayed));
  if (replayed.difference) return kInvalid;
  if (draws) {
    write_curve(replay, output);
    fmt::print("  curve of {} points: {}\n", replay.curve().loss.size(), output);
  }
  return replay.trace().is_sealed ? kDone : kInvalid;
}

namespace {

// As it is when nothing is recorded beyond the cut.
void cut_rounds(Rounds& rounds, const std::vector<Round>& cut) {
  const std::size_t n = rounds.nodes, kept = *std::ranges::max_element(cut);
  columns::for_each(columns::kRounds, [&](const auto& column) {
    auto& values = rounds.*column.values;
    values.resize(kept * n);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t t = cut[i]; t < kept; ++t)
        values[t * n + i] = std::numeric_limits<typename std::decay_t<decltype(values)>::value_type>::quiet_NaN();
  });
  rounds.iterations = kept;
}

}  // namespace

void resume_from_log(Resumption& resumption, const Run& run, Evaluator& evaluator, const ProgressReport& report) {
  Trace& trace = resumption.trace;
  Recording recording = std::move(*trace.recording);
  // Records and logs are taken one after the other: an iteration may be in one of them alone.
  for (NodeId i = 0; i < recording.iterations.size(); ++i)
    recording.iterations[i] = std::min(recording.iterations[i], recorded(trace.rounds, i));
  const std::vector<Round> cut = latest_cut(run, recording);
  recording = cut_at(run, recording, cut);
  if (std::ranges::all_of(cut, [](Round t) { return t == 0; }))
    throw InputError("--resume {}: was killed before its first iterations were written; run it again", resumption.path);
  cut_rounds(trace.rounds, cut);
  std::vector<Seconds> ends;
  for (NodeId i = 0; i < cut.size(); ++i) ends.push_back(cut[i] > 0 ? end_of(trace.rounds, i, cut[i] - 1) : 0);
  const Seconds clock = *std::ranges::max_element(ends);
  trace.progress = {};
  CurveWatcher watcher(&evaluator, trace.progress, report);
  std::vector<ReplayPoint> points = points_of(run, recording, trace.rounds, clock, run.evaluations);
  points.pop_back();                       // the cut is no end
  if (!run.copies_models) points.clear();  // its whole curve is drawn at its end
  Replayed replayed = replay(run,
                             {.recording = recording,
                              .rounds = trace.rounds,
                              .points = points,
                              .workers = resumption.config.threads,
                              .wants_checkpoint = true},
                             watcher);
  if (replayed.difference)
    throw InputError(
        "--resume {}: its log does not give the bits of the run: node {}, iteration {} differs ({}); resume with the "
        "program and on the machine that began it, or run it again",
        resumption.path, replayed.difference->node, replayed.difference->iteration, replayed.difference->what);
  if (!replayed.checkpoint)
    throw Stopped(fmt::format("{}: stopped before it was resumed; the same command resumes it", resumption.path));
  trace.checkpoint = std::move(replayed.checkpoint);
  trace.checkpoint->start_time = ends;
  Attributes& state = trace.checkpoint->state;
  state.emplace_back("clock", clock);
  state.emplace_back("wall_time_s", clock);  // what came before the clock ran is not known
  if (run.uses_deadline() && !trace.rounds.deadline.empty())
    state.emplace_back("deadline_s", static_cast<double>(trace.rounds.deadline.front()));
  trace.mean_model.assign(evaluator.mean_model().begin(), evaluator.mean_model().end());
  trace.recording = std::move(recording);
  trace.verdict.reject("it was killed and resumed: what would have spoken against its times until then is not known");
}

}  // namespace quantimed

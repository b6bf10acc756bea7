#include "command/experiment.hpp"

#include "algorithm/table.hpp"
#include "base/build_info.hpp"
#include "base/error.hpp"
#include "blas/blas.hpp"
#include "command/preflight.hpp"
#include "command/signals.hpp"
#include "command/summary.hpp"
#include "engine/engine.hpp"
#include "engine/machine.hpp"
#include "trace/evaluate.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace quantimed {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Where a run keeps what it has so far, until its trace is complete.
std::string partial_name(const std::string& path) { return path + ".partial"; }

// Evaluates every cut, ends a run that diverges, and writes what there is now and then.
class Recorder final : public Watcher {
 public:
  Recorder(Trace& trace, Evaluator& evaluator, const std::string& path, const ProgressReport& report)
      : trace_(trace), evaluator_(evaluator), partial_(partial_name(path)), report_(report) {}

  bool observe(const Cut& cut) override {
    const auto start = Clock::now();
    const Evaluation point = evaluator_.evaluate(cut.models);
    evaluation_s_ += seconds_since(start);
    Progress& curve = trace_.progress;
    curve.iteration.push_back(cut.iteration);
    curve.time.push_back(cut.time);
    curve.loss.push_back(point.loss);
    curve.accuracy.push_back(point.accuracy);
    curve.test_loss.push_back(point.test_loss);
    curve.test_accuracy.push_back(point.test_accuracy);
    curve.consensus_error.push_back(point.consensus_error);
    curve.gradient_norm_squared.push_back(point.gradient_norm_squared);
    trace_.mean_model.assign(evaluator_.mean_model().begin(), evaluator_.mean_model().end());
    diverged_ = !std::isfinite(point.loss) || point.loss > kDiverged * std::max(curve.loss.front(), 1e-300);
    return !diverged_;
  }
  bool wants_to_stop() override { return signal_came(); }
  void progress(double done) override {
    if (report_) report_(done);
  }

  // The longer a checkpoint takes, the rarer they are: less than 2 % of the run.
  bool checkpoint_due() override { return seconds_since(last_) > std::max(2.0, 50 * cost_); }
  void checkpoint(const Rounds& rounds) override {
    const auto start = Clock::now();
    trace_.rounds = rounds;
    write_trace(partial_, trace_);
    cost_ = seconds_since(start);
    last_ = Clock::now();
  }

  bool diverged() const { return diverged_; }
  double evaluation_s() const { return evaluation_s_; }

 private:
  static constexpr double kDiverged = 1e6;  // times the first loss

  Trace& trace_;
  Evaluator& evaluator_;
  std::string partial_;
  const ProgressReport& report_;
  bool diverged_ = false;
  double evaluation_s_ = 0, cost_ = 0;
  Clock::time_point last_ = Clock::now();
};

// T_d of a run on the machine's own speed: the median time of a batch on one core, as it is now.
std::string measured_deadline(const Problem& problem, const Shards& shards, const Config& c) {
  Workspace work = problem.make_workspace();
  AlignedVector<float> x(problem.dimension()), sum(problem.dimension());
  problem.initialise(x, c.seed);
  std::vector<SampleId> batch(c.batch);
  for (std::size_t k = 0; k < batch.size(); ++k) batch[k] = shards.rows[k % shards.rows.size()];
  std::vector<double> times(41);
  for (double& time : times) {
    const auto start = Clock::now();
    problem.gradient_sum(x, batch, false, sum, work);
    time = seconds_since(start);
  }
  std::nth_element(times.begin(), times.begin() + 20, times.end());
  return fmt::format("{:.3e}", times[20]);
}

ModelRequest model_request(const Config& c) {
  return {.model = c.model, .activation = c.activation, .loss = c.loss, .initial_half_widths = c.initial};
}

// The objects of one run, in the order in which they need each other.
struct Experiment {
  Experiment(const Config& resolved, const DataSplit& split)
      : config(resolved),
        row(find_algorithm(config.algorithm)),
        problem(make_problem(model_request(config), split.train)),
        network(make_network(parse_graph(config.graph), parse_mixing(config.mixing), config.nodes, config.seed)),
        shards(make_shards(split.train, parse_partition(config.partition), config.nodes, config.samples_per_node,
                           config.seed)),
        codec(make_codec(row.quantizes ? config.codec : "exact")),
        speed(make_speed_model(config.speed, config.seed)),
        penalty{.lambda = config.l2, .per = config.l2_per == "batch" ? Penalty::Per::batch : Penalty::Per::dataset} {
    if (row.uses_deadline && config.deadline.empty()) config.deadline = measured_deadline(*problem, shards, config);
  }

  Run run() const {
    return {.algorithm = row,
            .options = {.alpha = static_cast<float>(step_size("--alpha", config.alpha, config.iterations)),
                        .epsilon = static_cast<float>(step_size("--epsilon", config.epsilon, config.iterations)),
                        .batch = config.batch,
                        .deadline_s = row.uses_deadline ? std::stod(config.deadline) : 0},
            .problem = *problem,
            .network = network,
            .shards = shards,
            .codec = *codec,
            .penalty = penalty,
            .speed = speed.get(),
            .link = parse_link(config.link),
            .charge_wire_bits = config.bits == "wire",
            .sync = config.sync == "barrier" ? Sync::barrier : Sync::neighbourhood,
            .iterations = config.iterations,
            .max_time = config.max_time,
            .evaluations = config.evaluations,
            .seed = config.seed,
            .threads = config.threads,
            .oversubscribe = config.oversubscribe,
            .interference = parse_interference(config.interference, config.nodes)};
  }

  Config config;
  const AlgorithmRow& row;
  std::unique_ptr<Problem> problem;
  Network network;
  Shards shards;
  std::unique_ptr<Codec> codec;
  std::unique_ptr<SpeedModel> speed;
  Penalty penalty;
};

// A number where the whole text is one, true or false as such: readers of the trace should not have to parse.
Attribute typed(const std::string& text) {
  const char *first = text.data(), *last = first + text.size();
  if (text == "true" || text == "false") return text == "true";
  const auto all_of = [&](auto& value) {
    const auto [end, error] = std::from_chars(first, last, value);
    return end == last && error == std::errc{};
  };
  if (std::int64_t whole = 0; all_of(whole)) return whole;
  if (double value = 0; all_of(value)) return value;
  return text;
}

// Why a run's figures are not to be used; empty where they are.
std::string invalid_because(const Outcome& outcome, const Rounds& rounds) {
  if (!outcome.invalid.empty()) return outcome.invalid;
  if (outcome.overflows > 0)
    return fmt::format("{} coordinates did not fit the code and were clamped", outcome.overflows);
  if (!rounds.batch.empty() && std::none_of(rounds.batch.begin(), rounds.batch.end(), [](float b) { return b > 0; }))
    return "every batch was empty; give a longer --deadline or a larger --batch";
  return "";
}

Trace start_trace(const Experiment& experiment) {
  Trace trace;
  trace.software_version = build::kVersion;
  trace.commit = build::kCommit;
  trace.created = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  for (const auto& [name, value] : to_pairs(experiment.config)) trace.config.emplace_back(name, typed(value));
  const Run run = experiment.run();
  trace.config.emplace_back("alpha_value", static_cast<double>(run.options.alpha));
  trace.config.emplace_back("epsilon_value", static_cast<double>(run.options.epsilon));
  trace.ini = to_ini(experiment.config);
  const Machine machine = inspect_machine();
  trace.environment = environment(machine, blas::description());
  trace.network = experiment.network;
  if (experiment.config.engine == "threads" && machine.cpu_quota && *machine.cpu_quota < experiment.config.nodes)
    trace.verdict = fmt::format("INVALID: the control group grants {:.2g} cores' time to {} nodes", *machine.cpu_quota,
                                experiment.config.nodes);
  return trace;
}

}  // namespace

double time_to_target(const Progress& curve, double target) {
  for (std::size_t k = 0; k < curve.loss.size(); ++k) {
    if (std::isnan(target)) return target;
    if (!(curve.loss[k] <= target)) continue;
    if (k == 0) return curve.time[0];
    const double share = (curve.loss[k - 1] - target) / (curve.loss[k - 1] - curve.loss[k]);
    return curve.time[k - 1] + share * (curve.time[k] - curve.time[k - 1]);
  }
  return kForever;
}

Trace run_experiment(const Config& config, const DataSplit& data, const ProgressReport& report) {
  const auto start = Clock::now();
  blas::use_one_thread();
  const Experiment experiment(config, data);
  check_gradient(*experiment.problem, experiment.shards, config.seed);
  check_codec(*experiment.codec, *experiment.problem, config.seed);

  Trace trace = start_trace(experiment);
  const Run run = experiment.run();
  Evaluator evaluator(*experiment.problem, experiment.shards, data.test ? &*data.test : nullptr, experiment.penalty,
                      static_cast<int>(config.threads));
  Outcome outcome;
  bool diverged = false;
  double evaluation_s = 0;
  {
    Recorder recorder(trace, evaluator, config.output, report);
    outcome = config.engine == "virtual" ? run_virtual(run, recorder) : run_threads(run, recorder);
    diverged = recorder.diverged();
    evaluation_s = recorder.evaluation_s();
  }
  trace.rounds = std::move(outcome.rounds);
  trace.status = diverged ? RunStatus::diverged : outcome.interrupted ? RunStatus::interrupted : RunStatus::complete;
  if (const std::string why = invalid_because(outcome, trace.rounds); !why.empty()) trace.verdict = "INVALID: " + why;
  trace.environment.insert(trace.environment.end(), outcome.placement.begin(), outcome.placement.end());
  if (config.timeline) trace.timeline = make_timeline(trace.rounds, run.algorithm.delivery);
  summarise(trace, run, experiment.config, outcome, seconds_since(start), evaluation_s);
  write_trace(config.output, trace);
  std::remove(partial_name(config.output).c_str());
  return trace;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The same algorithm text in virtual time, with this machine's measured costs, and on its cores: what was predicted
// beside what was measured.
#include "algorithm/table.hpp"
#include "base/build_info.hpp"
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "base/streams.hpp"
#include "command/calibration.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"
#include "command/outputs.hpp"
#include "command/predict_table.hpp"
#include "command/predicted_ranks.hpp"
#include "command/progress_line.hpp"
#include "command/resumption.hpp"
#include "command/setup.hpp"
#include "command/signals.hpp"
#include "config/algorithm_options.hpp"
#include "machine/machine.hpp"
#include "statistics/text.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdio>

namespace quantimed {

namespace {

// Of one run, over all nodes and iterations.
struct RoundTimes {
  Seconds median, mean;
  std::array<Seconds, kPhases> phases;  // means, in the order of kPhaseNames; they add up to the mean round
  double staleness, batch;              // means
};

double mean_of(const std::vector<float>& column) {
  double sum = 0, count = 0;
  for (const float value : column)
    if (!std::isnan(value)) sum += static_cast<double>(value), ++count;
  return sum / count;
}

RoundTimes round_times(const Trace& trace) {
  const Rounds& rounds = trace.rounds;
  std::vector<double> durations;
  for (std::size_t at = 0; at + rounds.nodes < rounds.start_time.size(); ++at)
    durations.push_back(rounds.start_time[at + rounds.nodes] - rounds.start_time[at]);
  RoundTimes times{.median = median(std::move(durations)),
                   .mean = 0,
                   .phases = {},
                   .staleness = mean_of(rounds.staleness),
                   .batch = mean_of(rounds.batch)};
  for (std::size_t k = 0; k < kPhases; ++k) times.mean += times.phases[k] = mean_of(rounds.*kPhaseTimes[k]);
  return times;
}

struct PredictedTimes {
  std::string algorithm;
  RoundTimes predicted;
  std::vector<RoundTimes> measured;  // of the runs that are VALID
  std::string invalid;               // why the others are not
};

void print_line(const std::string& what, double predicted, const std::vector<RoundTimes>& measured, double scale,
                auto figure) {
  std::vector<double> values;
  values.reserve(measured.size());
  for (const RoundTimes& run : measured) values.push_back(scale * figure(run));
  const Estimate s = estimate_median(std::move(values));
  fmt::print("  {:<16}{:>12.2f}{:>12.2f}   [{:.2f} - {:.2f}]", what, scale * predicted, s.median, s.low, s.high);
  if (s.median > 0 && predicted > 0) fmt::print("{:>12.1f} %", 100 * (scale * predicted / s.median - 1));
  fmt::print("\n");
}

void print_comparison(const PredictedTimes& c) {
  fmt::print("\n{}\n", c.algorithm);
  if (c.measured.empty()) {
    fmt::print("  predicted round: {:.2f} us; no measured run is VALID: {}\n", 1e6 * c.predicted.median, c.invalid);
    return;
  }
  fmt::print("  {:<16}{:>12}{:>12}   {}  difference\n", "us a round", "predicted", "measured",
             c.measured.size() > kMostForRange ? "[95 % or more]" : "[least - most]");
  constexpr double kMicro = 1e6;
  print_line("round, median", c.predicted.median, c.measured, kMicro, [](const RoundTimes& r) { return r.median; });
  print_line("round, mean", c.predicted.mean, c.measured, kMicro, [](const RoundTimes& r) { return r.mean; });
  for (std::size_t k = 0; k < kPhases; ++k)
    print_line(fmt::format("  {}", kPhaseNames[k]), c.predicted.phases[k], c.measured, kMicro,
               [k](const RoundTimes& r) { return r.phases[k]; });
  print_line("batch", c.predicted.batch, c.measured, 1, [](const RoundTimes& r) { return r.batch; });
  print_line("staleness", c.predicted.staleness, c.measured, 1, [](const RoundTimes& r) { return r.staleness; });
  if (!c.invalid.empty()) fmt::print("  some runs are left out: {}\n", c.invalid);
}

Config in_one_process(Config config) {
  config.ranks = 0;
  config.hosts = 1;
  return config;
}

class Prediction {
 public:
  explicit Prediction(const Request& request);
  int operator()();

 private:
  bool is_over_ranks() const { return given_.ranks > 0; }
  void require_ranks() const;
  Config measured_config(const std::string& algorithm, std::uint32_t repeat) const;
  Config predicted_config(const std::string& algorithm, std::uint32_t nodes) const;
  Config extrapolated_config(const std::string& algorithm, std::uint64_t cores) const;
  void take_own_machine_file();
  void require_own_files() const;
  bool calibrate(ProgressLine& line);
  Trace run(ProgressLine& line, const Config& config, const std::string& what);
  void compare(ProgressLine& line, const std::string& algorithm);
  void extrapolate(ProgressLine& line, const std::string& algorithm);

  Config given_;
  std::vector<std::string> algorithms_;
  std::string folder_, machine_;
  std::uint32_t nodes_ = 0;
  std::size_t piece_ = 0;
  DataSplit data_;
  std::vector<PredictedTimes> results_;
  std::vector<Extrapolation> extrapolations_;
  bool interrupted_ = false;
  std::string kept_machine_;  // when the machine file was made that an earlier study has left; "": there was none
  Continued continued_;
};

Prediction::Prediction(const Request& request)
    : given_(request.config),
      algorithms_(chosen_algorithms("predict", given_)),
      folder_(given_.output.empty() ? "runs/predict" : given_.output),
      machine_(given_.machine) {
  given_.engine = "threads";
  given_.machine = "";
  Config first = in_one_process(given_);
  first.algorithm = algorithms_.front();
  nodes_ = resolve(first).nodes;
}

Config Prediction::measured_config(const std::string& algorithm, std::uint32_t repeat) const {
  Config c = in_one_process(given_);
  c.algorithm = algorithm;
  c.nodes = nodes_;
  c.output = fmt::format("{}/measured-{}-repeat{}.h5", folder_, algorithm, repeat + 1);
  c = resolve(c);
  c.repeats = 1;
  return c;
}

Config Prediction::predicted_config(const std::string& algorithm, std::uint32_t nodes) const {
  Config c = in_one_process(given_);
  c.engine = "virtual";
  c.oversubscribe = false;
  c.machine = machine_;
  c.algorithm = algorithm;
  c.nodes = nodes;
  c.output = fmt::format("{}/predicted-{}-n{}.h5", folder_, algorithm, nodes);
  c = resolve(c);
  c.repeats = 1;
  return c;
}

// On as many nodes as were measured it is the run that was set beside the measurement.
Config Prediction::extrapolated_config(const std::string& algorithm, std::uint64_t cores) const {
  Config c = predicted_config(algorithm, static_cast<std::uint32_t>(cores));
  if (cores != nodes_ || is_over_ranks()) c.evaluations = 1;  // no curve is wanted
  if (!is_over_ranks()) return c;
  c.ranks = given_.ranks;
  c.hosts = given_.hosts;
  c.output = fmt::format("{}/predicted-{}-n{}-ranks{}-hosts{}.h5", folder_, algorithm, cores, c.ranks, c.hosts);
  return resolve(c);
}

void Prediction::require_ranks() const {
  require_ranks_of_predict(given_, machine_);
  if (!is_over_ranks()) return;
  const std::optional<MachineFile> machine = read_machine_file(machine_);
  for (const std::string& algorithm : algorithms_)
    for (const std::uint64_t cores : given_.cores)
      (void)predicted_ranks(extrapolated_config(algorithm, cores), machine);
}

// What an earlier study in this folder has measured is taken again, where it is of this machine and of what is asked
// for.
void Prediction::take_own_machine_file() {
  const std::string path = folder_ + "/machine.ini";
  if (!machine_.empty()) return;
  require_own_machine_file(path);
  if (given_.overwrite || kind_of_path("--output", path) == PathKind::nothing) return;
  const MachineFile file = read_machine_file(path);
  const std::string program = fmt::format("{} {}", build::kVersion, build::kCommit), cpu = inspect_machine().cpu;
  const struct {
    const char* what;
    std::string had, now;
  } parts[] = {{"processor", file.cpu, cpu},
               {"number of cores", fmt::format("{}", file.cores), fmt::format("{}", nodes_)},
               {"--dataset", file.dataset, given_.dataset},
               {"--model", file.model, given_.model},
               {"--augment", file.augment, given_.augment.empty() ? "none" : given_.augment},
               {"--precision", file.precision, given_.precision},
               {"--batch", fmt::format("{}", file.batch), fmt::format("{}", given_.batch)},
               {"--placement", file.placement, given_.placement},
               {"contents of the data (fingerprint)", file.data, fingerprint(data_)},
               {"program", file.software, program}};
  for (const auto& [what, had, now] : parts)
    if (had != now)
      throw InputError(
          "--output {}: was measured with another {}: {}, not {}; add --machine {} to predict for it, name another "
          "folder, or measure again with --overwrite",
          path, what, had, now, path);
  machine_ = path;
  kept_machine_ = file.created;
}

void Prediction::require_own_files() const {
  std::vector<Config> runs;
  for (const std::string& algorithm : algorithms_) {
    for (std::uint32_t repeat = 0; repeat < given_.repeats; ++repeat)
      runs.push_back(measured_config(algorithm, repeat));
    runs.push_back(predicted_config(algorithm, nodes_));
    for (const std::uint64_t cores : given_.cores) runs.push_back(extrapolated_config(algorithm, cores));
  }
  require_replaceable(runs, true);
}

bool Prediction::calibrate(ProgressLine& line) {
  if (!machine_.empty()) return true;
  Config c = given_;
  c.nodes = nodes_;
  const auto machine = calibrate_machine(c, data_, [&](double done) {
    line.show(piece_, "calibrating", done);
    return !signal_came();
  });
  if (!machine) return false;
  machine_ = folder_ + "/machine.ini";
  write_machine_file(machine_, *machine);
  ++piece_;
  return true;
}

Trace Prediction::run(ProgressLine& line, const Config& config, const std::string& what) {
  Trace trace = run_or_continue(config, data_, line, piece_, fmt::format("{}, {}", config.algorithm, what), continued_);
  ++piece_;
  interrupted_ = interrupted_ || trace.status == RunStatus::interrupted;
  trace.rounds = read_trace(config.output).rounds;
  return trace;
}

void Prediction::extrapolate(ProgressLine& line, const std::string& algorithm) {
  for (const std::uint64_t cores : given_.cores) {
    if (interrupted_) return;
    const Config config = extrapolated_config(algorithm, cores);
    CrossingMessages messages;
    if (is_over_ranks())
      messages = crossing_messages(
          make_network(parse_graph(config.graph), parse_mixing(config.mixing), config.nodes, config.seed),
          {.ranks = config.ranks, .hosts = config.hosts});
    const Trace trace = run(line, config, fmt::format("{} cores", cores));
    const double time = number(trace.summary, "end_time_s", std::nan(""));
    extrapolations_.push_back({.algorithm = algorithm,
                               .cores = config.nodes,
                               .rounds_per_s = number(trace.summary, "iterations", std::nan("")) / time,
                               .samples_per_s = number(trace.summary, "total_samples", std::nan("")) / time,
                               .wait_share = number(trace.summary, "wait_share", std::nan("")),
                               .messages = messages});
  }
}

void Prediction::compare(ProgressLine& line, const std::string& algorithm) {
  PredictedTimes result{.algorithm = algorithm,
                        .predicted = round_times(run(line, predicted_config(algorithm, nodes_), "predicted")),
                        .measured = {},
                        .invalid = {}};
  for (std::uint32_t repeat = 0; repeat < given_.repeats && !interrupted_; ++repeat) {
    const Trace trace = run(line, measured_config(algorithm, repeat), "measured");
    if (trace.verdict == "VALID")
      result.measured.push_back(round_times(trace));
    else
      result.invalid = trace.verdict;
  }
  results_.push_back(std::move(result));
}

int Prediction::operator()() {
  for (const std::string& algorithm : algorithms_) {  // all that is wrong, first
    if (!find_algorithm(algorithm).sends_its_model)
      throw InputError("--algorithms {}: what it costs on a machine is not measured; give some of {}", algorithm,
                       fmt::join(compared_algorithms(), ", "));
    (void)measured_config(algorithm, 0);
  }
  if (!machine_.empty()) (void)read_machine_file(machine_);
  require_ranks();
  if (given_.dry_run) {
    for (const std::string& algorithm : algorithms_) {
      const Config config = measured_config(algorithm, 0);
      fmt::print("# {}\n{}\n", config.output, to_ini(config));
    }
    return kDone;
  }
  make_folder("--output", folder_);
  require_writable_folder(folder_, "--output", folder_);
  data_ = load_data(given_);
  take_own_machine_file();
  require_own_files();
  for (const std::string& algorithm : algorithms_) {
    const Config config = measured_config(algorithm, 0);
    require_codecs({&config, 1}, data_);
  }
  catch_signals();
  {
    const std::size_t runs = algorithms_.size() * (1 + given_.repeats + given_.cores.size());
    ProgressLine line((machine_.empty() ? 1 : 0) + runs, given_.quiet);
    if (!calibrate(line)) return kInterrupted;
    for (const std::string& algorithm : algorithms_)
      if (!interrupted_) compare(line, algorithm);
    for (const std::string& algorithm : algorithms_) extrapolate(line, algorithm);
  }
  const MachineFile machine = read_machine_file(machine_);
  tell_of_doubts(machine_, machine.invalid);  // unless a run has
  const Config c = predicted_config(algorithms_.front(), nodes_);
  fmt::print("{} nodes, one a core; {} on {}, batch {}, {} iterations, speed {}, link {}; {} measured run{} of each\n",
             nodes_, c.model, c.dataset, c.batch, c.iterations, speed_in_words(c.speed), in_words(parse_link(c.link)),
             given_.repeats, given_.repeats == 1 ? "" : "s");
  fmt::print("{}", own_options_text(given_, algorithms_));
  for (const PredictedTimes& result : results_) print_comparison(result);
  if (!extrapolations_.empty())
    fmt::print(
        "\nPredicted for other numbers of cores, each like those measured; that more cores share caches, memory and\n"
        "clock frequency is not in it.\n{}",
        extrapolation_table(extrapolations_, is_over_ranks()));
  if (!extrapolations_.empty() && is_over_ranks()) fmt::print("\n{}", assumptions_over_ranks(given_, machine.links));
  fmt::print("\n{}Machine file {}{}; traces: {}/\n", continued_text(continued_), machine_,
             kept_machine_.empty() ? "" : fmt::format(", kept from {} (--overwrite measures again)", kept_machine_),
             folder_);
  return interrupted_ ? kInterrupted : kDone;
}

}  // namespace

int predict_command(const Request& request) { return Prediction(request)(); }

}  // namespace quantimed

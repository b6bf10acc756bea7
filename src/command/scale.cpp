// SPDX-License-Identifier: BSD-3-Clause
// Throughput over numbers of cores, in real time: one node a core, strong and weak studies, each point repeated.
#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "command/commands.hpp"
#include "command/experiment.hpp"
#include "command/outputs.hpp"
#include "command/progress_line.hpp"
#include "command/resumption.hpp"
#include "command/scaling.hpp"
#include "command/setup.hpp"
#include "command/signals.hpp"
#include "command/spread.hpp"
#include "command/study_file.hpp"
#include "command/table_text.hpp"
#include "config/algorithm_options.hpp"
#include "dataset/shards.hpp"
#include "machine/hardware.hpp"
#include "machine/placement.hpp"
#include "statistics/text.hpp"
#include "topology/network.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

namespace quantimed {

namespace {

constexpr Seconds kShort = 0.2;  // of a run: what is shorter is easily disturbed

// Over all ranks, which look for cores themselves.
std::vector<std::uint32_t> choose_cores_of_ranks(const Config& given) {
  std::vector<std::uint32_t> cores(given.cores.begin(), given.cores.end());
  std::sort(cores.begin(), cores.end());
  const Rank ranks = spread_engine() ? spread_engine()->ranks() : 1;
  if (cores.empty())
    throw InputError("--cores auto: with --engine mpi give how many nodes there are, over all ranks: --cores {}",
                     2 * ranks);
  if (cores.front() < ranks)
    throw InputError("--cores {}: {} ranks were started, and each needs a node; give at least {}", cores.front(), ranks,
                     ranks);
  return cores;
}

// --cores, ascending; as many as there are where none are given.
std::vector<std::uint32_t> choose_cores(const Config& given) {
  if (given.engine == "mpi") return choose_cores_of_ranks(given);
  const Hardware hardware = load_hardware();
  const std::size_t units = place(hardware, parse_placement(given.placement, given.smt)).size();
  if (given.cores.empty()) {
    Config any = given;
    any.algorithm = chosen_algorithms("scale", given).front();
    any.nodes = 0;  // as many as there are, and as have time
    return cores_up_to(resolve(any).nodes);
  }
  std::vector<std::uint32_t> cores(given.cores.begin(), given.cores.end());
  std::sort(cores.begin(), cores.end());
  if (cores.back() > units && !given.oversubscribe)
    throw InputError(
        "--cores {}: only {} may be used ({}); give at most {}, or --oversubscribe (their timings are then INVALID)",
        fmt::join(given.cores, ","), units, hardware.rule.text, units);
  return cores;
}

// Everything that a user can have got wrong for one of the points is found before the first run.
void check_networks(const std::vector<ScalingPoint>& points) {
  for (const auto& [study, c] : points) {
    try {
      (void)make_network(parse_graph(c.graph), parse_mixing(c.mixing), c.nodes, c.seed);
    } catch (const InputError& error) {
      throw InputError("{} (needed for --cores {})", error.what(), c.nodes);
    }
  }
}
void check_shards(const std::vector<ScalingPoint>& points, const Dataset& data) {
  for (const auto& [study, c] : points)
    (void)make_shards(data, parse_partition(c.partition), c.nodes, c.samples_per_node, c.seed);
}

std::string describe(const Config& c) {
  const std::string samples = c.samples_per_node ? fmt::format("{}", c.samples_per_node) : "equal shares of all";
  return fmt::format("nodes {}, each: {} samples, batch {}, deadline {}", c.nodes, samples, c.batch,
                     c.deadline.empty() ? "auto" : c.deadline);
}

void print_plan(const std::vector<ScalingPoint>& points, const Config& given) {
  fmt::print("# runs of each: {}, after {} that are thrown away\n", given.repeats, given.warm_up);
  for (const ScalingPoint& point : points)
    fmt::print("# {}: {}\n{}\n", point.config.output, describe(point.config), to_ini(point.config));
}

// What is common to all points.
std::string setting(const Config& c, const Config& given) {
  return fmt::format(
             "real time, one node a core{}, {}, {}, {}, {} iterations, speed {}, link {}, seed {}\n"
             "of one core: {} samples, batch {}, deadline {}\n"
             "runs of each: {}, after {} to warm up; medians, {}; speed-up and efficiency in samples/s, paired by "
             "repeat\n",
             c.engine == "mpi" ? fmt::format(", over {} ranks", spread_engine()->ranks()) : "", c.dataset, c.model,
             c.graph, c.iterations, speed_in_words(c.speed), in_words(parse_link(c.link)), c.seed,
             given.samples_per_node ? fmt::format("{}", given.samples_per_node) : "all", given.batch,
             given.deadline.empty() ? "auto" : given.deadline, given.repeats, given.warm_up, kSpreadRule) +
         own_options_text(given, chosen_algorithms("scale", given));
}

ScalingResult measure(const Trace& trace, const ScalingRun& run) {
  const double end = number(trace.summary, "end_time_s", std::nan(""));
  std::string verdict = trace.verdict;
  if (verdict == "VALID" && trace.status == RunStatus::diverged) verdict = "diverged; give smaller steps, --alpha";
  if (verdict == "VALID" && trace.status == RunStatus::interrupted) verdict = "stopped by a signal";
  return {.point = run.point,
          .repeat = *run.repeat,
          .iterations_per_s = number(trace.summary, "iterations", std::nan("")) / end,
          .samples_per_s = number(trace.summary, "total_samples", std::nan("")) / end,
          .wait_share = number(trace.summary, "wait_share", std::nan("")),
          .verdict = verdict};
}

struct Measured {
  std::vector<ScalingResult> results;
  Seconds shortest = kForever;
  bool diverged = false, interrupted = false;
  Continued continued;
};

std::string warm_up_name(const std::string& folder) { return folder + "/warm-up.h5"; }

// The configuration of one of the runs, with its place.
Config config_of(const std::vector<ScalingPoint>& points, const ScalingRun& run, const std::string& folder) {
  Config config = points[run.point].config;
  config.output = run.repeat ? folder + "/" + trace_name(points[run.point], *run.repeat) : warm_up_name(folder);
  config.overwrite = config.overwrite || !run.repeat;  // one that a killed study left is of no use
  return config;
}

// Nothing is left to warm up for.
bool are_finished(const ScalingPoint& point, std::uint32_t repeats, const std::string& folder, const DataSplit& data) {
  const std::vector<ScalingPoint> one = {point};
  for (std::uint32_t repeat = 0; repeat < repeats; ++repeat) {
    const Config config = config_of(one, {.point = 0, .repeat = repeat}, folder);
    if (!finished_run(config, fingerprints_of(config, data), true)) return false;
  }
  return true;
}

void require_own_files(const std::vector<ScalingPoint>& points, const Config& given, const std::string& folder) {
  for (const ScalingRun& run : scaling_runs(points.size(), given.warm_up, given.repeats)) {
    const Config config = config_of(points, run, folder);
    require_replaceable({&config, 1}, true);
  }
}

Config study_of(const std::vector<ScalingPoint>& points, const Config& given, const std::vector<std::uint32_t>& cores) {
  std::vector<std::string> algorithms;
  for (const ScalingPoint& point : points)
    if (std::ranges::find(algorithms, point.config.algorithm) == algorithms.end())
      algorithms.push_back(point.config.algorithm);
  Config study = study_config(given, algorithms, points.front().config);
  study.cores.assign(cores.begin(), cores.end());
  study.nodes = given.nodes;  // follow from the cores
  return study;
}

// All runs, or those until a signal came. What is finished already is taken as it is.
Measured run_all(const std::vector<ScalingPoint>& points, const Config& given, const std::string& folder,
                 const DataSplit& data) {
  Measured measured;
  const std::vector<ScalingRun> runs = scaling_runs(points.size(), given.warm_up, given.repeats);
  ProgressLine line(runs.size(), given.quiet);
  for (std::size_t k = 0; k < runs.size() && !measured.interrupted; ++k) {
    const ScalingPoint& point = points[runs[k].point];
    const Config config = config_of(points, runs[k], folder);
    const std::string name = fmt::format("{} {} on {}", to_string(point.study), config.algorithm, config.nodes);
    if (!runs[k].repeat && are_finished(point, given.repeats, folder, data)) continue;
    const Trace trace = run_or_continue(config, data, line, k, name, measured.continued);
    measured.interrupted =
        trace.status == RunStatus::interrupted || (signal_came() && k + 1 < runs.size());  // while it was evaluated
    if (!runs[k].repeat) {
      std::remove(config.output.c_str());
      continue;
    }
    measured.diverged |= trace.status == RunStatus::diverged;
    measured.shortest = std::min(measured.shortest, number(trace.summary, "end_time_s", kForever));
    measured.results.push_back(measure(trace, runs[k]));
  }
  return measured;
}

std::string report(const std::vector<ScalingPoint>& points, const Config& given, const Measured& measured) {
  std::string text = setting(points.front().config, given);
  if (const CoreRule rule = load_hardware().rule; given.engine != "mpi" && rule.usable < rule.present)
    text += fmt::format("Cores that may be used: {}.\n", rule.text);
  for (const Study study : {Study::strong, Study::weak}) {
    const std::vector<ScalingRow> rows = scaling_rows(points, measured.results, study, given.repeats);
    if (rows.empty()) continue;
    text += fmt::format("\n{}\n\n{}{}",
                        study == Study::strong ? "Strong: n cores share the samples and the batch of one core"
                                               : "Weak: each core has the samples and the batch of one core",
                        scaling_table(rows), scaling_conclusion(rows, study, given.repeats));
  }
  if (measured.shortest < kShort)
    text +=
        fmt::format("\nThe shortest run took {:.2g} s; more --iterations give steadier figures.\n", measured.shortest);
  return text;
}

}  // namespace

int scale_command(const Request& request) {
  const Config& given = request.config;
  const std::string folder = given.output.empty() ? "runs/scale" : given.output;
  const std::vector<std::uint32_t> cores = choose_cores(given);
  std::vector<ScalingPoint> points = plan_scaling(given, cores);
  for (ScalingPoint& point : points) {
    point.config.output = folder + "/" + trace_name(point, 0);
    point.config = resolve(point.config);
  }
  check_networks(points);
  if (given.dry_run) {
    print_plan(points, given);
    return kDone;
  }
  StudyFile study("scale", folder, study_of(points, given, cores));
  require_own_files(points, given, folder);
  const DataSplit data = load_data(points.front().config);
  check_shards(points, data.train);
  for (const ScalingPoint& point : points) require_codecs({&point.config, 1}, data);
  study.require_same(data);
  make_folder("--output", folder);
  require_writable_folder(folder, "--output", folder);
  study.write();
  catch_signals();

  const Measured measured = run_all(points, given, folder, data);
  const std::string text = report(points, given, measured);
  write_text(folder + "/table.md", table_mark("scale") + text);
  if (const std::string lines = continued_text(measured.continued); !lines.empty()) fmt::print("{}\n", lines);
  if (measured.interrupted)
    fmt::print("Stopped by a signal after {} of {} runs; {}.\n\n", measured.results.size(),
               points.size() * given.repeats, continuing_text(given));
  fmt::print("{}\nTraces and this table: {}/\n", text, folder);
  return measured.interrupted ? kInterrupted : measured.diverged ? kDiverged : kDone;
}

}  // namespace quantimed

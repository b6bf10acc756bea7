// SPDX-License-Identifier: BSD-3-Clause
#include "command/scaling.hpp"

#include "base/error.hpp"
#include "command/table_text.hpp"
#include "config/algorithm_options.hpp"
#include "timing/deadline_rule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {

std::uint32_t split(const char* option, std::uint32_t of_one_core, std::uint32_t cores) {
  if (of_one_core % cores != 0)
    throw InputError(
        "--{} {}: the strong study splits it over {} cores, but {} / {} is no whole number; give a "
        "multiple of {}, other --cores, or --study weak",
        option, of_one_core, cores, of_one_core, cores, cores);
  return of_one_core / cores;
}

// auto and auto:quantile:Q follow from the batch.
std::string split_deadline(const Config& one_core, std::uint32_t cores) {
  const DeadlineRule rule = parse_deadline(one_core.deadline, one_core.batch);
  if (rule.fixed_s > 0) return fmt::format("{}", rule.fixed_s / cores);
  if (rule.quantile > 0 || one_core.deadline.empty() || one_core.deadline == "auto") return one_core.deadline;
  return fmt::format("auto:{}", rule.batch / cores);
}

std::vector<Study> studies_of(const Config& given) {
  if (given.study == "strong") return {Study::strong};
  if (given.study == "weak") return {Study::weak};
  return {Study::strong, Study::weak};
}

using Results = std::vector<const ScalingResult*>;

bool counts(const ScalingResult& run) { return run.verdict == "VALID"; }

Results results_of(std::span<const ScalingResult> results, std::size_t point) {
  Results runs;
  for (const ScalingResult& run : results)
    if (run.point == point) runs.push_back(&run);
  return runs;
}

Estimate estimate_of(const Results& runs, double ScalingResult::*figure) {
  std::vector<double> values;
  for (const ScalingResult* run : runs)
    if (counts(*run)) values.push_back(run->*figure);
  return estimate_median(std::move(values));
}

std::vector<double> paired_speed_ups(const Results& runs, const Results& fewest) {
  std::vector<double> ratios;
  for (const ScalingResult* run : runs)
    for (const ScalingResult* other : fewest)
      if (run->repeat == other->repeat && counts(*run) && counts(*other))
        ratios.push_back(run->samples_per_s / other->samples_per_s);
  return ratios;
}

// Fills in verdict and why.
void judge(ScalingRow& row, const Results& runs, std::uint32_t repeats) {
  const auto counted = static_cast<std::uint32_t>(
      std::count_if(runs.begin(), runs.end(), [](const ScalingResult* run) { return counts(*run); }));
  row.verdict = counted == repeats ? "VALID" : fmt::format("{} of {} VALID", counted, repeats);
  if (counted == repeats) return;
  row.why = runs.size() < repeats ? "not all was run" : "";
  for (const ScalingResult* run : runs)
    if (!counts(*run)) row.why = run->verdict;
  if (counted == 0) row.verdict = runs.empty() ? "not run" : row.why.substr(0, row.why.find_first_of(":;"));
}

std::string percent(const Estimate& share) {
  if (std::isnan(share.median)) return "—";
  return fmt::format("{:.1f} % [{:.1f}–{:.1f}]", 100 * share.median, 100 * share.low, 100 * share.high);
}

std::string cores_text(std::uint32_t cores) { return fmt::format("{} core{}", cores, cores == 1 ? "" : "s"); }

}  // namespace

const char* to_string(Study study) { return study == Study::strong ? "strong" : "weak"; }

std::vector<std::uint32_t> cores_up_to(std::uint32_t most) {
  std::vector<std::uint32_t> cores;
  for (std::uint64_t n = 1; n < most; n *= 2) cores.push_back(static_cast<std::uint32_t>(n));
  cores.push_back(most);
  return cores;
}

Config config_on(const Config& one_core, Study study, std::uint32_t cores) {
  Config config = one_core;
  config.nodes = cores;
  if (one_core.samples_per_node == kAutoSamples)
    throw InputError("--samples-per-node auto: its number would depend on the cores; give a number{}",
                     study == Study::strong ? ", or all" : "");
  if (study == Study::strong) {
    config.samples_per_node = split("samples-per-node", one_core.samples_per_node, cores);  // of all: equal shares, too
    config.batch = split("batch", one_core.batch, cores);
    config.deadline = split_deadline(one_core, cores);
  } else if (one_core.samples_per_node == kAllSamples) {
    throw InputError(
        "--samples-per-node all: the weak study has as many on each core; give a number, or --study strong");
  }
  return config;
}

std::vector<ScalingPoint> plan_scaling(const Config& given, std::span<const std::uint32_t> cores) {
  const std::vector<std::string> algorithms = chosen_algorithms("scale", given);
  std::vector<ScalingPoint> points;
  for (const Study study : studies_of(given))
    for (const std::string& algorithm : algorithms)
      for (const std::uint32_t n : cores) {
        points.push_back({study, config_on(given, study, n)});
        points.back().config.algorithm = algorithm;
        points.back().config.repeats = 1;
      }
  return points;
}

std::vector<ScalingRun> scaling_runs(std::size_t points, std::uint32_t warm_up, std::uint32_t repeats) {
  std::vector<ScalingRun> runs;
  for (std::uint64_t pass = 0; pass < std::uint64_t{warm_up} + repeats; ++pass)
    for (std::size_t point = 0; point < points; ++point)
      runs.push_back(
          {point, pass < warm_up ? std::nullopt : std::optional(static_cast<std::uint32_t>(pass - warm_up))});
  return runs;
}

std::string trace_name(const ScalingPoint& point, std::uint32_t repeat) {
  return fmt::format("{}-{}-n{}-repeat{}.h5", to_string(point.study), point.config.algorithm, point.config.nodes,
                     repeat + 1);
}

std::vector<ScalingRow> scaling_rows(std::span<const ScalingPoint> points, std::span<const ScalingResult> results,
                                     Study study, std::uint32_t repeats) {
  std::vector<ScalingRow> rows;
  Results fewest;  // of this algorithm
  std::uint32_t fewest_cores = 0;
  for (std::size_t at = 0; at < points.size(); ++at) {
    if (points[at].study != study) continue;
    const Config& config = points[at].config;
    const Results runs = results_of(results, at);
    if (rows.empty() || rows.back().algorithm != config.algorithm) fewest = runs, fewest_cores = config.nodes;
    const std::vector<double> speed_ups = paired_speed_ups(runs, fewest);
    std::vector<double> efficiencies = speed_ups;
    for (double& share : efficiencies) share *= static_cast<double>(fewest_cores) / config.nodes;
    rows.push_back({.algorithm = config.algorithm,
                    .cores = config.nodes,
                    .iterations_per_s = estimate_of(runs, &ScalingResult::iterations_per_s),
                    .samples_per_s = estimate_of(runs, &ScalingResult::samples_per_s),
                    .speed_up = estimate_median(speed_ups),
                    .efficiency = estimate_median(efficiencies),
                    .pairs = speed_ups.size(),
                    .wait_share = estimate_of(runs, &ScalingResult::wait_share).median,
                    .verdict = {},
                    .why = {}});
    judge(rows.back(), runs, repeats);
  }
  return rows;
}

std::string scaling_table(std::span<const ScalingRow> rows) {
  std::vector<std::vector<std::string>> lines = {
      {"algorithm", "cores", "iterations/s", "samples/s", "speed-up", "efficiency", "waiting", "verdict"}};
  for (const ScalingRow& row : rows)
    lines.push_back({row.algorithm, fmt::format("{}", row.cores), estimate_text(row.iterations_per_s),
                     estimate_text(row.samples_per_s), estimate_text(row.speed_up, "×"), percent(row.efficiency),
                     std::isnan(row.wait_share) ? "—" : fmt::format("{:.1f} %", 100 * row.wait_share), row.verdict});
  std::string text = table_text(lines) + "\n";
  for (const ScalingRow& row : rows)
    if (!row.why.empty()) text += fmt::format("{} on {}: {}\n", row.algorithm, cores_text(row.cores), row.why);
  return text;
}

std::string scaling_conclusion(std::span<const ScalingRow> rows, Study study, std::uint32_t repeats) {
  const std::string title = study == Study::strong ? "Strong scaling" : "Weak scaling";
  std::uint32_t fewest = rows.front().cores, most = fewest;
  std::vector<ScalingRow> furthest;  // of each algorithm, on the most cores that count
  for (const ScalingRow& row : rows) {
    fewest = std::min(fewest, row.cores);
    most = std::max(most, row.cores);
  }
  for (const ScalingRow& row : rows) {
    if (row.cores == fewest || std::isnan(row.efficiency.median)) continue;
    if (!furthest.empty() && furthest.back().algorithm == row.algorithm) furthest.pop_back();
    furthest.push_back(row);
  }
  if (fewest == most) return fmt::format("{}: none on {} alone; give more --cores.\n", title, cores_text(fewest));
  if (furthest.empty())
    return fmt::format("{}: no conclusion, since no VALID run pairs with one on {}.\n", title, cores_text(fewest));
  std::stable_sort(furthest.begin(), furthest.end(),
                   [](const ScalingRow& a, const ScalingRow& b) { return a.efficiency.median > b.efficiency.median; });
  std::string text;
  for (const ScalingRow& row : furthest)
    text += fmt::format("{}{} {:.2f}× on {}, {} efficient{}", text.empty() ? "" : "; ", row.algorithm,
                        row.speed_up.median, cores_text(row.cores), percent(row.efficiency),
                        row.pairs < repeats ? fmt::format(" ({} of {} pairs)", row.pairs, repeats) : "");
  return fmt::format("{} of samples/s from {}: {}.\n", title, cores_text(fewest), text);
}

}  // namespace quantimed

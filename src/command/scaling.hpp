// SPDX-License-Identifier: BSD-3-Clause
// Strong and weak scaling: which runs a study takes, and what follows from their times. No clock, no files.
#pragma once

#include "config/config.hpp"
#include "statistics/median.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quantimed {

// strong: the same data and the same work an iteration, split over the cores. weak: as much on each core.
enum class Study { strong, weak };
const char* to_string(Study study);

// An algorithm on a number of cores in a study. It is run several times.
struct ScalingPoint {
  Study study;
  Config config;  // of one run, not resolved: nodes are the cores
};

// 1, 2, 4, … below `most`, and `most`.
std::vector<std::uint32_t> cores_up_to(std::uint32_t most);

// A node's share: in the strong study samples, batch and deadline of `one_core` are split.
// Throws InputError where they cannot be.
Config config_on(const Config& one_core, Study study, std::uint32_t cores);

// --study, --cores (ascending) and --algorithms of `given`, in the order of the runs.
std::vector<ScalingPoint> plan_scaling(const Config& given, std::span<const std::uint32_t> cores);

struct ScalingRun {
  std::size_t point;                    // index into the plan
  std::optional<std::uint32_t> repeat;  // none: a warm-up, thrown away
};
// Warm-ups first. Then all points in turn, again and again, so that drift of the machine meets all alike.
std::vector<ScalingRun> scaling_runs(std::size_t points, std::uint32_t warm_up, std::uint32_t repeats);

// "strong-dsgd-n2-repeat1.h5"
std::string trace_name(const ScalingPoint& point, std::uint32_t repeat);

// What a finished run says.
struct ScalingResult {
  std::size_t point;
  std::uint32_t repeat;
  double iterations_per_s, samples_per_s, wait_share;
  std::string verdict;  // "VALID", or why the run does not count
};

// One line of the table. NaN where no run counts.
struct ScalingRow {
  std::string algorithm;
  std::uint32_t cores;
  Estimate iterations_per_s, samples_per_s;
  Estimate speed_up;    // samples per second over those on the fewest cores, paired by repeat
  Estimate efficiency;  // speed-up / (cores / fewest cores)
  std::size_t pairs;    // of repeats that both count
  double wait_share;    // of the nodes' time, median
  std::string verdict;  // a few words
  std::string why;      // not VALID; else empty
};

// By algorithm, then by cores.
std::vector<ScalingRow> scaling_rows(std::span<const ScalingPoint> points, std::span<const ScalingResult> results,
                                     Study study, std::uint32_t repeats);
// With a line below it for each row that is not VALID throughout.
std::string scaling_table(std::span<const ScalingRow> rows);
// How far each algorithm has come, best first: one sentence.
std::string scaling_conclusion(std::span<const ScalingRow> rows, Study study, std::uint32_t repeats);

}  // namespace quantimed

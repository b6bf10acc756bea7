// SPDX-License-Identifier: BSD-3-Clause
// What runs say about their algorithms: who was the fastest to each of several targets, on each clock.
//
// Targets are given before the runs, or five shares of the fall from the start to the best loss that any run which
// counts has reached; never the end of somebody's curve. All rows have the same pairs: a pair that an entry lacks is
// left out of every row, and counted. A run that is INVALID, diverged or ended early stays in, as one that never
// arrived. Where there are several seeds, the seed is the pair, with the median of its repeats: repeats of one seed are
// no new seeds. With a single seed its repeats are the pairs.
#pragma once

#include "statistics/arrival.hpp"
#include "statistics/race.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace quantimed {

// What was compared: an algorithm, or one of its settings.
struct Entry {
  std::string name;
  double only_target = kNoFigure;  // takes part in the race to this target alone; NaN: in all
};

struct TimedCurve {
  std::vector<double> time, loss;  // s, ascending
};

struct JudgedRun {
  std::size_t entry = 0;
  std::uint64_t seed = 1;
  std::uint32_t repeat = 0;
  Fate fate = Fate::arrived;       // of the run as such: arrived (it counts), diverged, invalid or unfinished
  std::vector<TimedCurve> curves;  // one a clock
};

struct Inquiry {
  std::vector<Entry> entries;
  std::vector<std::string> clocks;
  std::vector<JudgedRun> runs;
  std::vector<double> targets;  // empty: shares of the fall
  // Entries whose times the speed-ups are over: in the race to a target takes part one of them at most.
  std::vector<std::size_t> baselines;
};

// How many runs of the pairs in use ended how.
struct FateCounts {
  std::size_t runs = 0, counted = 0, diverged = 0, invalid = 0, unfinished = 0;
};

struct TargetRace {
  double target = kNoFigure;
  std::vector<std::size_t> entries;  // those that take part; Race's indices count these
  Race race;
  std::vector<std::vector<Finish>> finishes;  // [entry][pair]
  std::vector<std::vector<Finish>> runs;      // [entry][run in use]
  std::vector<std::size_t> arrived;           // runs
  std::optional<std::size_t> baseline;        // of those that take part
  std::vector<Estimate> speed_ups;            // over the baseline; of the baseline and without one: no figure
};

struct Judgement {
  std::vector<double> targets;  // descending; empty: nothing to race to
  bool were_targets_given = false;
  std::vector<double> unusable;  // given ones at or above a start
  double start = kNoFigure, best = kNoFigure;
  bool are_pairs_seeds = true;                 // else repeats of one seed
  std::vector<std::uint64_t> pairs;            // seeds, or repeats
  std::vector<std::uint64_t> left_out;         // seeds that an entry lacks a run of
  std::vector<FateCounts> counts;              // [entry], over the pairs in use
  std::vector<std::size_t> missing;            // entries without any run
  std::vector<std::vector<TargetRace>> races;  // [clock][target]
};

// Whether more than half of an entry's times (of those that take part) lie before what their curves resolve.
bool is_unresolved_time(const TargetRace& at, std::size_t entry);

// Shares of the fall at which targets lie.
inline constexpr double kFalls[] = {0.50, 0.75, 0.90, 0.95, 0.99};

// From easy to hard, rounded to figures that can be quoted; empty where no run fell.
std::vector<double> targets_between(double start, double best);

// Throws InputError for two runs of one entry, seed and repeat.
Judgement judge(const Inquiry& inquiry);

// The runs of the pairs that are in use, in the order of the pairs; for other figures of the same rows.
std::vector<const JudgedRun*> runs_in_use(const Inquiry& inquiry, const Judgement& judgement, std::size_t entry);

// A figure of each run in use → one of each pair, by the same rule as the times.
std::vector<double> by_pair(const std::vector<const JudgedRun*>& runs, const std::vector<double>& figures,
                            bool are_pairs_seeds);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Who was the fastest to one target on one clock, and whether that may be said.
//
// Every algorithm has the same pairs (a seed, or a repeat), in the same order. A run that missed the target, diverged
// or is INVALID never arrived: its time is ∞. The first is the entry with the least median time. It is named the winner
// where, over each of the others,
//   1. the interval of the paired ratios (their range up to five pairs) lies above 1, by what print shows, and
//   2. the ratios lie above 1 beyond chance: p ≤ 5 % after Holm's correction for the number of others. With a single
//      other there would be none, and several targets give several chances: then it is for the number of targets.
// Else it is too close to call. What is not known exactly counts against the winner: where another missed the target,
// its time is taken to be the end of its run; where both missed it, or the winner did, the ratio is taken to be 0;
// where a time is not resolved by its curve's points, the bracket's edge. tests/statistics/null_test.cpp shows by
// simulation how rarely one of several equals is named. A comparison in which no run of any pair arrived can be neither
// won nor lost whoever is faster, so it is none that Holm's correction counts (Tarone, Biometrics 46, 1990).
#pragma once

#include "statistics/median.hpp"
#include "statistics/paired.hpp"

#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace quantimed {

enum class Fate { arrived, missed, diverged, invalid, unfinished };

// One run and the target.
struct Finish {
  Fate fate = Fate::missed;
  double time = std::numeric_limits<double>::infinity();  // s; ∞ unless arrived
  double from = time, until = time;                       // the bracket around it
  bool is_resolved = true;
  double end = 0;  // s: until then it is known not to have arrived, where it did not
};

// The first entry against one of the others.
struct Against {
  std::size_t other;
  Estimate ratio;  // other's time over the first's; ∞: only the first arrived
  PairedP test;
  bool can_be_won = true;  // false: no run of any pair arrived
  double corrected_p = 1;
  bool is_clear = false;  // both conditions hold
};

struct Race {
  std::vector<Estimate> times;       // an entry each; ∞: never
  std::vector<bool> is_judged;       // false: half of its runs or more are INVALID or unfinished, so nothing is known
  std::optional<std::size_t> first;  // least median time; none where no entry arrived in more than half of its runs
  std::vector<Against> against;      // the first against each other judged entry
  bool has_winner = false;           // the first is named
};

// finishes[entry][pair], as many pairs for each.
Race race(std::span<const std::vector<Finish>> finishes);

// One list of ratios as a comparison of its own, and several corrected together. NaN: neither run of that pair arrived,
// which speaks for nobody (ratio 0).
Against against_one(std::span<const double> ratios);
void correct_together(std::span<Against> against);

// Races of one clock to several targets: where all have two judged entries, corrected for the targets instead.
void correct_over_targets(std::span<Race* const> races);

// Of those whom the first does not clearly beat: who did not arrive in more than half of the runs, and of whom more is
// not known, as their runs had ended before the first arrived, or too few of them did.
std::vector<std::size_t> ended_early(const Race& race);

// b's time over a's, a pair each, with what is unknown as bounds.
struct RatioBounds {
  std::vector<double> least, most;  // what the times allow; equal where the ratio is known, ∞ or 0 included
  std::vector<double> at_least;     // finite: with the end of b's run as its time where it did not arrive
  Estimate estimate() const { return estimate_median(least, most); }
};
RatioBounds ratio_bounds(std::span<const Finish> a, std::span<const Finish> b);

}  // namespace quantimed

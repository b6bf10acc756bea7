// SPDX-License-Identifier: BSD-3-Clause
// Step sizes by trial: which steps a search tries, and which win. No clock, no files.
//
// Every algorithm gets the same number of trials over its own step sizes: three quarters of them on a logarithmic grid
// of alpha, and of the step of its mixing where it has one (epsilon or gamma); the last quarter between the best of
// these and their neighbours. All trials run with one seed. Those that lead, as many of each algorithm, run with all
// seeds, and the medians decide. Where --search names parameters of the algorithm, too, all its trials are points of a
// Sobol sequence over all that is looked for: a grid of three or more is too coarse for any budget.
#pragma once

#include "algorithm/table.hpp"
#include "config/config.hpp"
#include "config/steps.hpp"
#include "trace/trace.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quantimed {

// What a search tries: alpha, and the step of the mixing, epsilon or gamma, where the algorithm has one that is not
// given.
struct Steps {
  const AlgorithmRow& algorithm;
  enum class Mixing { none, epsilon, gamma } mixing;
  std::vector<SearchedRange> searched = {};  // parameters beside them, of --search
  bool is_quasi_random() const { return !searched.empty(); }
  bool searches(Parameter parameter) const {
    return std::ranges::any_of(searched, [&](const SearchedRange& range) { return range.parameter == parameter; });
  }
  bool has_two() const { return mixing != Mixing::none; }
};
Steps steps_of(const AlgorithmRow& algorithm, bool is_gamma_given = false);
std::string published_mixing(const Steps& steps);  // or usual

// One choice of step sizes, as options take them.
struct Trial {
  std::string alpha;
  std::string mixing;                    // epsilon or gamma; an algorithm with neither, or with a given gamma: 1
  std::vector<std::string> others = {};  // [Steps::searched]; of the published steps none: the usual ones
  bool is_published = false;             // the authors' own: run with all seeds for comparison, beside the budget
};

// How many of the trials are kept back for the second pass.
constexpr std::uint32_t fine_trials(std::uint32_t trials) { return trials / 4; }

// Throws InputError where it is no LEAST,MOST, both above 0.
void check_range(const char* option, const std::vector<double>& range);

// The grid: `trials` at most (fewer where a grid of both does not come out even). Ranges: [least, most], both > 0.
std::vector<Trial> plan_grid(const Steps& steps, std::uint32_t trials, std::span<const double> alpha_range,
                             std::span<const double> mixing_range);

// `trials` different points of the Sobol sequence over alpha, the step of the mixing and all that is searched: in their
// logarithms, momentum in that of 1 − β, and a range from 0 evenly. Fewer only where the ranges hold no more values.
std::vector<Trial> plan_quasi_random(const Steps& steps, std::uint32_t trials, std::span<const double> alpha_range,
                                     std::span<const double> mixing_range);

// `count` new trials beside the leaders, the first of them first: half a step of the grid away, then a quarter, …, then
// one and a half. `tried`: the grid, which is not tried again. Fewer only where the ranges are single points.
std::vector<Trial> plan_around(const Steps& steps, std::span<const Trial> tried, std::span<const std::size_t> leaders,
                               std::size_t count, std::span<const double> alpha_range,
                               std::span<const double> mixing_range);

// Five losses between the start and the best that any trial reached, rounded; empty where nothing fell.
std::vector<double> tuning_targets(double start, double best);

// What a trial is worth over its seeds, less is better: first how many targets it misses, then the mean logarithm of
// its median times to the others, then its final loss. Infinite: it diverged, or is INVALID.
struct Score {
  double missed = 0, log_time = 0, loss = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): takes <=> for a comparison with 0
  auto operator<=>(const Score&) const = default;
};

// What is known of one run of a trial.
struct TrialRun {
  // [targets], s; ∞: missed. Where a time lies before the third point of the curve, that of the point after it: nobody
  // is chosen by a straight line to the first points.
  std::vector<double> times;
  std::vector<bool> is_resolved = {};  // [targets]: it does not; empty: nowhere does it
  double final_loss = kForever;
  bool counts = false;  // complete and VALID
};
TrialRun trial_run(const Progress& curve, bool is_complete_and_valid, std::span<const double> targets);

// Over the seeds so far; with `target` < targets for that one alone. Nothing has run: the worst.
inline constexpr std::size_t kAllTargets = ~std::size_t{0};
Score score(std::span<const TrialRun> runs, std::size_t target = kAllTargets);
double median_time(std::span<const TrialRun> runs, std::size_t target);
// Whether that is the time of a run, and not only a point before which it lies.
bool is_resolved(std::span<const TrialRun> runs, std::size_t target);

// The trials that have run with the most seeds, best first; ties keep their order.
std::vector<std::size_t> ranking(std::span<const std::vector<TrialRun>> runs, std::size_t target = kAllTargets);

// `count` leaders of all rankings in turn: the best for all targets, the best for the first, …, the second best for
// all.
std::vector<std::size_t> leaders(std::span<const std::vector<TrialRun>> runs, std::size_t targets, std::size_t count);
constexpr std::size_t finalists(std::size_t trials) { return trials < 9 ? (trials < 3 ? trials : 3) : trials / 3; }

// The range of alpha, at the winner's step of the mixing, in which the first seed's times are within 5 % of the
// winner's: "0.9–1.5".
std::string plateau(std::span<const Trial> trials, std::span<const std::vector<TrialRun>> runs, std::size_t winner);

// Whether a winner lies at the edge of what was tried, so that the best may lie beyond: "--alpha-range",
// "--epsilon-range", or nothing. A step of the mixing of 1 is the edge of what makes sense, not of the grid.
std::string edge_of_grid(const Trial& winner, std::span<const Trial> trials);
// The same of quasi-random trials, of which none lies at an end: whether the winner is nearer to an end of a range than
// one of so many trials alone would be, and the range could be wider there; "--search momentum" of what --search names.
std::string edge_of_search(const Steps& steps, const Trial& winner, std::size_t trials,
                           std::span<const double> alpha_range, std::span<const double> mixing_range);

}  // namespace quantimed

// Step sizes by trial: which runs a search takes, and which step sizes win. No clock, no files.
//
// Every algorithm gets the same number of trials over its own step sizes: alpha on a logarithmic grid, and where the
// algorithm has an epsilon a grid of both. All trials run once; the better third runs with half of the seeds, and the
// better third of these with all (successive halving: Jamieson, Talwalkar, AISTATS 2016, with seeds as the resource, so
// that the horizon, on which the best steps depend, is the same for all).
#pragma once

#include "algorithm/table.hpp"
#include "config/config.hpp"
#include "trace/trace.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quantimed {

// One choice of step sizes, as --alpha and --epsilon take them.
struct Trial {
  std::string alpha, epsilon;
  bool is_published = false;  // the authors' own: run with all seeds for comparison, beside the budget
};

// `trials` of the grid at most (fewer where a grid of both does not come out even), then the published ones.
// Ranges: [least, most], both > 0.
std::vector<Trial> plan_trials(const AlgorithmRow& algorithm, std::uint32_t trials, std::span<const double> alpha_range,
                               std::span<const double> epsilon_range);

// What a run is worth: less is better. First the time to the target where there is one (∞: missed or diverged), then
// the final loss (∞: diverged).
struct Score {
  double time = 0, loss = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): takes <=> for a comparison with 0
  auto operator<=>(const Score&) const = default;
};
Score score(RunStatus status, const Progress& curve, double target_loss);  // target_loss 0: none
Score median(std::vector<Score> scores);

// How many seeds rung 0, 1, … gives to how many of `trials` trials.
struct Rung {
  std::size_t survivors, seeds;
};
std::vector<Rung> plan_rungs(std::size_t trials, std::size_t seeds);

// The trials of a rung: the best of those before, by the median of their scores; ties keep their order.
// scores[k]: of candidate k, over the seeds so far; empty: has not run.
std::vector<std::size_t> best(std::span<const std::vector<Score>> scores, std::span<const std::size_t> candidates,
                              std::size_t count);

// Whether a winner lies at the edge of its grid, so that the best may lie beyond: "--alpha-range", "--epsilon-range",
// or nothing. An epsilon of 1 is the edge of what makes sense, not of the grid.
std::string edge_of_grid(const Trial& winner, std::span<const Trial> trials);

}  // namespace quantimed

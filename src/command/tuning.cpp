#include "command/tuning.hpp"

#include "base/error.hpp"
#include "command/experiment.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quantimed {

namespace {

constexpr std::size_t kKept = 3;  // one in so many goes on to the next rung

// "0.01", "0.0215", …: `count` values, evenly spaced in their logarithm, both ends included.
std::vector<std::string> log_grid(double least, double most, std::size_t count) {
  std::vector<std::string> values;
  for (std::size_t k = 0; k < count; ++k) {
    const double share = count == 1 ? 0.5 : static_cast<double>(k) / static_cast<double>(count - 1);
    values.push_back(fmt::format("{:.3g}", least * std::pow(most / least, share)));
  }
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

bool is_at_an_end(const std::string& value, std::span<const Trial> trials, std::string Trial::*step) {
  double least = kForever, most = 0;
  for (const Trial& trial : trials)
    if (!trial.is_published) {
      least = std::min(least, std::stod(trial.*step));
      most = std::max(most, std::stod(trial.*step));
    }
  const double at = std::stod(value);
  return least < most && (at <= least || at >= most);
}

}  // namespace

std::vector<Trial> plan_trials(const AlgorithmRow& algorithm, std::uint32_t trials, std::span<const double> alpha_range,
                               std::span<const double> epsilon_range) {
  check(trials > 0 && alpha_range.size() == 2 && epsilon_range.size() == 2, "a grid without ends");
  // Twice as many steps of alpha as of epsilon: its range is the wider one.
  const std::size_t epsilons =
      algorithm.uses_epsilon ? std::max<std::size_t>(1, static_cast<std::size_t>(std::sqrt(trials / 2.0))) : 1;
  std::vector<Trial> plan;
  const std::vector<std::string> epsilon_grid = algorithm.uses_epsilon
                                                    ? log_grid(epsilon_range[0], epsilon_range[1], epsilons)
                                                    : std::vector<std::string>{algorithm.epsilon};
  for (const std::string& alpha : log_grid(alpha_range[0], alpha_range[1], trials / epsilons))
    for (const std::string& epsilon : epsilon_grid) plan.push_back({.alpha = alpha, .epsilon = epsilon});
  plan.push_back({.alpha = algorithm.alpha, .epsilon = algorithm.epsilon, .is_published = true});
  return plan;
}

Score score(RunStatus status, const Progress& curve, double target_loss) {
  if (status == RunStatus::diverged || curve.loss.empty() || !std::isfinite(curve.loss.back()))
    return {.time = kForever, .loss = kForever};
  return {.time = target_loss > 0 ? time_to_target(curve, target_loss) : 0, .loss = curve.loss.back()};
}

Score median(std::vector<Score> scores) {
  check(!scores.empty(), "the median of no scores");
  std::sort(scores.begin(), scores.end());
  return scores[(scores.size() - 1) / 2];
}

std::vector<Rung> plan_rungs(std::size_t trials, std::size_t seeds) {
  check(trials > 0 && seeds > 0, "a search without trials or seeds");
  const auto kept = [](std::size_t count) { return (count + kKept - 1) / kKept; };
  std::vector<Rung> rungs = {{trials, 1}};
  if (seeds > 2) rungs.push_back({kept(trials), 1 + (seeds - 1) / 2});
  if (seeds > 1) rungs.push_back({kept(rungs.back().survivors), seeds});
  return rungs;
}

std::vector<std::size_t> best(std::span<const std::vector<Score>> scores, std::span<const std::size_t> candidates,
                              std::size_t count) {
  std::vector<std::size_t> order(candidates.begin(), candidates.end());
  std::erase_if(order, [&](std::size_t k) { return scores[k].empty(); });
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return median(scores[a]) < median(scores[b]); });
  order.resize(std::min(order.size(), count));
  return order;
}

std::string edge_of_grid(const Trial& winner, std::span<const Trial> trials) {
  if (is_at_an_end(winner.alpha, trials, &Trial::alpha)) return "--alpha-range";
  if (std::stod(winner.epsilon) < 1 && is_at_an_end(winner.epsilon, trials, &Trial::epsilon)) return "--epsilon-range";
  return {};
}

}  // namespace quantimed

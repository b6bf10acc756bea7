// SPDX-License-Identifier: BSD-3-Clause
#include "command/tuning.hpp"

#include "base/error.hpp"
#include "command/experiment.hpp"
#include "statistics/judgement.hpp"
#include "statistics/median.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <boost/random/sobol.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

namespace quantimed {

namespace {

constexpr double kPlateau = 0.05;
constexpr int kHalvings = 6;  // of a grid's step: beyond them trials are the same

std::string step_text(double step) { return fmt::format("{:.3g}", step); }

// "0.01", "0.0215", …: `count` values, evenly spaced in their logarithm, both ends included.
std::vector<std::string> log_grid(double least, double most, std::size_t count) {
  std::vector<std::string> values;
  for (std::size_t k = 0; k < count; ++k) {
    const double share = count == 1 ? 0.5 : static_cast<double>(k) / static_cast<double>(count - 1);
    values.push_back(step_text(least * std::pow(most / least, share)));
  }
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

// Twice as many steps of alpha as of the mixing: its range is the wider one.
struct GridSize {
  std::size_t alphas, mixings;
};
GridSize grid_size(const Steps& steps, std::size_t trials) {
  if (!steps.has_two()) return {trials, 1};
  const std::size_t epsilons =
      std::max<std::size_t>(1, static_cast<std::size_t>(std::sqrt(static_cast<double>(trials) / 2.0)));
  return {trials / epsilons, epsilons};
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

// With whether it is what it says. Of equal times the one that is comes first.
std::pair<double, bool> median_arrival(std::span<const TrialRun> runs, std::size_t target) {
  std::vector<std::pair<double, bool>> times;
  for (const TrialRun& run : runs) {
    const bool is_resolved = run.is_resolved.empty() || run.is_resolved[target];
    times.emplace_back(run.times[target], !is_resolved);
  }
  std::sort(times.begin(), times.end());
  const auto low = times[(times.size() - 1) / 2], high = times[times.size() / 2];
  return {median({low.first, high.first}), !low.second && !high.second};
}

}  // namespace

Steps steps_of(const AlgorithmRow& algorithm, bool is_gamma_given) {
  if (algorithm.uses_epsilon) return {algorithm, Steps::Mixing::epsilon};
  const auto is_gamma = [](const ParameterUse& use) { return use.parameter == Parameter::gamma; };
  const bool has_gamma = std::ranges::any_of(algorithm.parameters, is_gamma);
  return {algorithm, has_gamma && !is_gamma_given ? Steps::Mixing::gamma : Steps::Mixing::none};
}

std::string published_mixing(const Steps& steps) {
  if (steps.mixing == Steps::Mixing::epsilon) return steps.algorithm.epsilon;
  for (const ParameterUse& use : steps.algorithm.parameters)
    if (steps.mixing == Steps::Mixing::gamma && use.parameter == Parameter::gamma) return fmt::format("{}", use.usual);
  return "1";
}

void check_range(const char* option, const std::vector<double>& range) {
  if (range.size() != 2 || !(range[0] > 0) || !(range[1] >= range[0]))
    throw InputError("{} {}: give LEAST,MOST, both above 0", option, fmt::join(range, ","));
}

std::vector<Trial> plan_grid(const Steps& steps, std::uint32_t trials, std::span<const double> alpha_range,
                             std::span<const double> mixing_range) {
  check(trials > 0 && alpha_range.size() == 2 && mixing_range.size() == 2, "a grid without ends");
  const auto [alphas, mixings] = grid_size(steps, trials);
  std::vector<Trial> plan;
  const std::vector<std::string> mixing_grid =
      steps.has_two() ? log_grid(mixing_range[0], mixing_range[1], mixings) : std::vector<std::string>{"1"};
  for (const std::string& alpha : log_grid(alpha_range[0], alpha_range[1], alphas))
    for (const std::string& mixing : mixing_grid) plan.push_back({.alpha = alpha, .mixing = mixing});
  return plan;
}

namespace {

// u in [0, 1) of a range.
std::string value_at(const SearchedRange& range, double u) {
  const ParameterRow& row = row_of(range.parameter);
  const auto [least, most] = std::pair(range.least, range.most);
  if (row.is_whole) {  // every number between them is as wide as the others, or as its share of the logarithm
    const double low = least - 0.5, high = most + 0.5;
    const double value = low > 0 ? low * std::pow(high / low, u) : low + u * (high - low);
    return fmt::format("{}", static_cast<std::int64_t>(std::clamp(std::round(value), least, most)));
  }
  if (!row.has_most) {  // 1 − β in three digits
    const double left = (row.most - least) * std::pow((row.most - most) / (row.most - least), u);
    return fmt::format("{:.9g}", row.most - std::stod(step_text(left)));
  }
  const double value = least > 0 ? least * std::pow(most / least, u) : least + u * (most - least);
  const std::string text = step_text(value);  // three digits, where they do not leave the range
  return std::stod(text) < least || std::stod(text) > most ? fmt::format("{:.9g}", value) : text;
}

constexpr std::uint32_t kMostRepeats = 64;  // points that are drawn for a new one

}  // namespace

std::vector<Trial> plan_quasi_random(const Steps& steps, std::uint32_t trials, std::span<const double> alpha_range,
                                     std::span<const double> mixing_range) {
  check(alpha_range.size() == 2 && mixing_range.size() == 2, "a search without ends");
  const std::size_t first_other = steps.has_two() ? 2 : 1;
  boost::random::sobol sequence(first_other + steps.searched.size());
  std::vector<double> point(sequence.dimension());
  std::vector<Trial> plan;
  const auto is_new = [&](const Trial& trial) {
    return std::ranges::none_of(plan, [&](const Trial& other) {
      return other.alpha == trial.alpha && other.mixing == trial.mixing && other.others == trial.others;
    });
  };
  for (std::uint64_t drawn = 0; plan.size() < trials && drawn < std::uint64_t{trials} * kMostRepeats; ++drawn) {
    for (double& u : point) u = static_cast<double>(sequence()) * 0x1p-64;
    const auto within = [&](std::span<const double> range, double u) {
      return step_text(range[0] * std::pow(range[1] / range[0], u));
    };
    Trial trial{.alpha = within(alpha_range, point[0]),
                .mixing = steps.has_two() ? within(mixing_range, point[1]) : "1"};
    for (std::size_t k = 0; k < steps.searched.size(); ++k)
      trial.others.push_back(value_at(steps.searched[k], point[first_other + k]));
    if (is_new(trial)) plan.push_back(std::move(trial));
  }
  return plan;
}

std::vector<Trial> plan_around(const Steps& steps, std::span<const Trial> tried, std::span<const std::size_t> leaders,
                               std::size_t count, std::span<const double> alpha_range,
                               std::span<const double> mixing_range) {
  std::vector<Trial> found;
  const auto [alphas, mixings] = grid_size(steps, tried.size());
  const auto ratio = [](std::span<const double> range, std::size_t values) {
    return values < 2 ? range[1] / range[0] : std::pow(range[1] / range[0], 1 / static_cast<double>(values - 1));
  };
  const double alpha_ratio = ratio(alpha_range, alphas), mixing_ratio = ratio(mixing_range, mixings);
  const auto add = [&](double alpha, double mixing, const std::string& otherwise) {
    const Trial trial{.alpha = step_text(alpha),
                      .mixing = steps.has_two() ? step_text(std::min(mixing, mixing_range[1])) : otherwise};
    const auto is_same = [&](const Trial& other) {
      return !other.is_published && other.alpha == trial.alpha && other.mixing == trial.mixing;
    };
    if (found.size() < count && std::ranges::none_of(tried, is_same) && std::ranges::none_of(found, is_same))
      found.push_back(trial);
  };
  std::vector<double> distances;  // in steps of the grid
  for (int halving = 1; halving <= kHalvings; ++halving) distances.push_back(std::pow(0.5, halving));
  for (std::size_t away = 1; away < alphas + count; ++away) distances.push_back(static_cast<double>(away) + 0.5);
  for (const double step : distances)
    for (const std::size_t leader : leaders) {
      const double alpha = std::stod(tried[leader].alpha);
      const std::string& own = tried[leader].mixing;
      const double mixing = steps.has_two() ? std::stod(own) : 1;
      for (const double sign : {1.0, -1.0}) add(alpha * std::pow(alpha_ratio, sign * step), mixing, own);
      if (steps.has_two())
        for (const double sign : {1.0, -1.0}) add(alpha, mixing * std::pow(mixing_ratio, sign * step), own);
    }
  return found;
}

std::vector<double> tuning_targets(double start, double best) {
  std::vector<double> targets;
  if (!std::isfinite(start) || !(best < start)) return targets;
  for (const double fall : kFalls) {
    const std::string text = fmt::format("{:.3g}", start - fall * (start - best));
    double target = 0;
    std::from_chars(text.data(), text.data() + text.size(), target);
    if (target > 0 && target < start && (targets.empty() || target < targets.back())) targets.push_back(target);
  }
  return targets;
}

TrialRun trial_run(const Progress& curve, bool is_complete_and_valid, std::span<const double> targets) {
  TrialRun run;
  run.counts = is_complete_and_valid && !curve.loss.empty() && std::isfinite(curve.loss.back());
  if (run.counts) run.final_loss = curve.loss.back();
  for (const double target : targets) {
    const Arrival at = run.counts ? arrival(curve.time, curve.loss, target) : Arrival{};
    run.times.push_back(at.is_resolved ? at.time : at.until);
    run.is_resolved.push_back(at.is_resolved);
  }
  return run;
}

double median_time(std::span<const TrialRun> runs, std::size_t target) {
  return runs.empty() ? kForever : median_arrival(runs, target).first;
}

bool is_resolved(std::span<const TrialRun> runs, std::size_t target) {
  return runs.empty() || median_arrival(runs, target).second;
}

Score score(std::span<const TrialRun> runs, std::size_t target) {
  const Score worst{.missed = kForever, .log_time = kForever, .loss = kForever};
  if (runs.empty()) return worst;
  std::vector<double> losses;
  for (const TrialRun& run : runs) losses.push_back(run.counts ? run.final_loss : kForever);
  Score result{.loss = median(losses)};
  if (std::isinf(result.loss)) return worst;
  double reached = 0;
  for (std::size_t k = 0; k < runs.front().times.size(); ++k) {
    if (target != kAllTargets && k != target) continue;
    const double time = median_time(runs, k);
    if (std::isinf(time)) {
      ++result.missed;
      continue;
    }
    ++reached;
    result.log_time += std::log(std::max(time, 1e-300));
  }
  if (reached > 0) result.log_time /= reached;
  return result;
}

std::vector<std::size_t> ranking(std::span<const std::vector<TrialRun>> runs, std::size_t target) {
  std::size_t most = 0;
  for (const auto& trial : runs) most = std::max(most, trial.size());
  std::vector<std::size_t> order;
  for (std::size_t k = 0; k < runs.size(); ++k)
    if (most > 0 && runs[k].size() == most) order.push_back(k);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return score(runs[a], target) < score(runs[b], target); });
  return order;
}

std::vector<std::size_t> leaders(std::span<const std::vector<TrialRun>> runs, std::size_t targets, std::size_t count) {
  std::vector<std::vector<std::size_t>> rankings = {ranking(runs)};
  for (std::size_t target = 0; target < targets; ++target) rankings.push_back(ranking(runs, target));
  std::vector<std::size_t> found;
  for (std::size_t place = 0; place < rankings.front().size(); ++place)
    for (const auto& order : rankings)
      if (found.size() < count && std::ranges::find(found, order[place]) == found.end()) found.push_back(order[place]);
  return found;
}

std::string plateau(std::span<const Trial> trials, std::span<const std::vector<TrialRun>> runs, std::size_t winner) {
  if (!trials[winner].others.empty()) return "—";  // no two points share all but alpha
  const auto first = [&](std::size_t k) {
    return score(std::span(runs[k]).first(std::min<std::size_t>(1, runs[k].size())));
  };
  const Score best = first(winner);
  double least = std::stod(trials[winner].alpha), most = least;
  for (std::size_t k = 0; k < trials.size() && k < runs.size(); ++k) {
    const Score here = first(k);
    if (trials[k].is_published || trials[k].mixing != trials[winner].mixing || here.missed > best.missed ||
        here.log_time > best.log_time + std::log1p(kPlateau))
      continue;
    least = std::min(least, std::stod(trials[k].alpha));
    most = std::max(most, std::stod(trials[k].alpha));
  }
  return least < most ? fmt::format("{:g}–{:g}", least, most) : fmt::format("{:g} alone", least);
}

std::string edge_of_grid(const Trial& winner, std::span<const Trial> trials) {
  if (is_at_an_end(winner.alpha, trials, &Trial::alpha)) return "--alpha-range";
  if (std::stod(winner.mixing) < 1 && is_at_an_end(winner.mixing, trials, &Trial::mixing)) return "--epsilon-range";
  return {};
}

namespace {

// Where a value lies between the ends of a range, 0 to 1, on the scale on which value_at() draws.
double place_of(double value, double least, double most) {
  if (!(least < most)) return 0.5;
  return least > 0 ? std::log(value / least) / std::log(most / least) : (value - least) / (most - least);
}

}  // namespace

std::string edge_of_search(const Steps& steps, const Trial& winner, std::size_t trials,
                           std::span<const double> alpha_range, std::span<const double> mixing_range) {
  if (winner.is_published) return {};  // no point of the search
  const double near = 1 / static_cast<double>(trials + 1);
  const auto is_near = [&](double place, bool goes_lower, bool goes_higher) {
    return (goes_lower && place < near) || (goes_higher && place > 1 - near);
  };
  if (is_near(place_of(std::stod(winner.alpha), alpha_range[0], alpha_range[1]), true, true)) return "--alpha-range";
  if (steps.has_two() &&
      is_near(place_of(std::stod(winner.mixing), mixing_range[0], mixing_range[1]), true, mixing_range[1] < 1))
    return "--epsilon-range";
  for (std::size_t k = 0; k < winner.others.size(); ++k) {
    const SearchedRange& range = steps.searched[k];
    const ParameterRow& row = row_of(range.parameter);
    const double value = std::stod(winner.others[k]);
    const double place = row.has_most ? place_of(value, range.least, range.most)
                                      : 1 - place_of(row.most - value, row.most - range.most, row.most - range.least);
    if (is_near(place, range.least > row.least, !row.has_most || range.most < row.most))
      return fmt::format("--search {}", row.option);
  }
  return {};
}

}  // namespace quantimed

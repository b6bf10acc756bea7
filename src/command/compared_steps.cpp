// SPDX-License-Identifier: BSD-3-Clause
#include "command/compared_steps.hpp"

#include "algorithm/table.hpp"
#include "base/error.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace quantimed {

namespace {

std::vector<double> targets_of(const Config& given, const std::string& algorithm) {
  std::vector<double> targets = step_targets(given.alpha, algorithm);
  for (const double target : step_targets(given.epsilon, algorithm)) targets.push_back(target);
  return targets;
}

void check_targets(const Config& given, const std::vector<double>& targets, const std::string& algorithm) {
  for (const double target : targets)
    if (std::ranges::find(given.target_loss, target) == given.target_loss.end())
      throw InputError("--target-loss {}: {} has step sizes for {}; name that target, too",
                       given.target_loss.empty() ? "none" : fmt::format("{}", fmt::join(given.target_loss, ",")),
                       algorithm, target);
}

std::string name_of(const ComparedSteps& steps) {
  const auto text = [](const std::string& step) { return step.empty() ? "published" : step; };
  const std::string alpha = "alpha " + text(steps.alpha);
  return find_algorithm(steps.algorithm).uses_epsilon ? alpha + ", epsilon " + text(steps.epsilon) : alpha;
}

}  // namespace

std::vector<ComparedSteps> plan_steps(const Config& given, const std::vector<std::string>& algorithms) {
  bool has_targets = false;
  for (const std::string& algorithm : algorithms) {
    const std::vector<double> targets = given.one_setting ? std::vector<double>{} : targets_of(given, algorithm);
    check_targets(given, targets, algorithm);
    has_targets = has_targets || !targets.empty();
  }
  std::vector<ComparedSteps> plan;
  for (std::size_t index = 0; index < algorithms.size(); ++index) {
    const std::string& algorithm = algorithms[index];
    const std::size_t first = plan.size();
    const auto use = [&](double target) {
      const std::string alpha = for_algorithm(given.alpha, algorithm, target),
                        epsilon = for_algorithm(given.epsilon, algorithm, target);
      auto same = std::find_if(plan.begin() + static_cast<std::ptrdiff_t>(first), plan.end(),
                               [&](const auto& steps) { return steps.alpha == alpha && steps.epsilon == epsilon; });
      if (same == plan.end()) {
        plan.push_back({algorithm, index, plan.size() - first, alpha, epsilon, {}});
        same = plan.end() - 1;
      }
      same->uses.push_back({.setting = has_targets ? name_of(*same) : "", .for_target = target});
    };
    use(0);
    if (has_targets)
      for (const double target : given.target_loss) use(target);
  }
  return plan;
}

Config with_steps(Config given, const ComparedSteps& steps) {
  given.algorithm = steps.algorithm;
  given.alpha = steps.alpha;
  given.epsilon = steps.epsilon;
  given.one_setting = false;  // chose among the runs; nothing in one depends on it
  return given;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "command/tune_notes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

namespace quantimed {

std::string time_text(std::span<const TrialRun> runs, std::size_t target) {
  if (std::isinf(score(runs).loss)) return "—";
  const double time = median_time(runs, target);
  if (std::isinf(time)) return "missed";
  return fmt::format("{}{:.4g} s", is_resolved(runs, target) ? "" : "< ", time);
}

namespace {

// "quantimed-dsgd 8.68; dsgd 0.0046, 9.1": the alphas of the second pass that lie outside of --alpha-range.
std::string beyond_the_range(const TuneReport& report) {
  std::string text;
  for (const Search& search : report.searches) {
    double least = kForever, most = 0;  // as the first pass tried them: in three digits
    for (std::size_t k = 0; k < search.grid; ++k) {
      least = std::min(least, std::stod(search.trials[k].alpha));
      most = std::max(most, std::stod(search.trials[k].alpha));
    }
    std::set<double> beyond;
    for (const Trial& trial : search.trials) {
      if (trial.is_published) continue;
      if (const double alpha = std::stod(trial.alpha); alpha < least || alpha > most) beyond.insert(alpha);
    }
    if (!beyond.empty())
      text += fmt::format("{}{} {:g}", text.empty() ? "" : "; ", search.algorithm.name, fmt::join(beyond, ", "));
  }
  return text;
}

// Whether a table marks a time.
bool has_unresolved(const TuneReport& report) {
  return std::ranges::any_of(report.searches, [&](const Search& search) {
    for (std::size_t k = 0; search.winner && k < report.targets.size(); ++k)
      for (const std::size_t trial : {*search.winner, search.winners[k].value_or(*search.winner), *search.published})
        if (std::isfinite(median_time(search.runs[trial], k)) && !is_resolved(search.runs[trial], k)) return true;
    return false;
  });
}

// The option whose range the best trial is at the end of; "": none.
std::string option_at_edge(const TuneReport& report, const Search& search) {
  const Trial& best = search.trials[*search.winner];
  return search.steps.is_quasi_random() ? edge_of_search(search.steps, best, search.trials.size(),
                                                         report.given.alpha_range, report.given.epsilon_range)
                                        : edge_of_grid(best, search.trials);
}

// Where the published or usual steps, which are beside the budget, would have won: the first target that they reach
// sooner.
std::optional<std::size_t> usual_is_better(const TuneReport& report, const Search& search) {
  const Score best = score(search.runs[*search.winner]), usual = score(search.runs[*search.published]);
  if (usual.missed > best.missed) return {};
  if (usual.missed == best.missed && !(usual.log_time + std::log(kWorthARun) < best.log_time)) return {};
  for (std::size_t k = 0; k < report.targets.size(); ++k)
    if (median_time(search.runs[*search.published], k) < median_time(search.runs[*search.winner], k)) return k;
  return {};
}

}  // namespace

SearchDoubts doubts_of(const TuneReport& report) {
  SearchDoubts doubts;
  for (const Search& search : report.searches) {
    if (!search.winner) continue;
    if (!option_at_edge(report, search).empty()) doubts.at_edge.emplace_back(search.algorithm.name);
    if (usual_is_better(report, search)) doubts.usual_better.emplace_back(search.algorithm.name);
  }
  return doubts;
}

std::string tune_notes(const TuneReport& report) {
  std::string text;
  if (has_unresolved(report))
    text += "< before the third point of its curve: the point after it counts; more --evaluations resolve it\n";
  if (const std::string beyond = beyond_the_range(report); !beyond.empty())
    text += fmt::format("Trials of the second pass went beyond --alpha-range {:g},{:g}: {}\n",
                        report.given.alpha_range[0], report.given.alpha_range[1], beyond);
  for (const Search& search : report.searches) {
    if (!search.winner) {
      text += fmt::format("{}: no trial works; widen --alpha-range\n", search.algorithm.name);
      continue;
    }
    if (const std::string option = option_at_edge(report, search); !option.empty())
      text += fmt::format("{}: the best lies at the edge of what was tried; widen {}\n", search.algorithm.name, option);
    if (const auto target = usual_is_better(report, search))
      text += fmt::format(
          "{}: its published or usual steps reach {:g} in {}, the best for all targets: {}; give more --trials, or "
          "another --alpha-range\n",
          search.algorithm.name, report.targets[*target], time_text(search.runs[*search.published], *target),
          time_text(search.runs[*search.winner], *target));
  }
  return text;
}

}  // namespace quantimed

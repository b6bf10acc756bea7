// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/race.hpp"

#include "base/error.hpp"
#include "statistics/arrival.hpp"

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {

constexpr double kPrintsAboveOne = 1.005;  // "1.01×": what prints as 1.00 is no lead

bool arrived(const Finish& run) { return run.fate == Fate::arrived; }

// An entry about which the runs say nothing, as most of them do not count.
bool says_enough(const std::vector<Finish>& runs) {
  const auto silent = std::count_if(runs.begin(), runs.end(), [](const Finish& run) {
    return run.fate == Fate::invalid || run.fate == Fate::unfinished;
  });
  return 2 * static_cast<std::size_t>(silent) < runs.size();
}

struct Bounds {
  double least, most, at_least;
};

Bounds bounds(const Finish& a, const Finish& b) {
  if (!arrived(a) && !arrived(b)) return {0, kNever, 0};
  if (!arrived(a)) return a.end >= b.time ? Bounds{0, 0, 0} : Bounds{0, kNever, 0};
  const double slowest = a.is_resolved ? a.time : a.until, quickest = a.is_resolved ? a.time : a.from;
  if (!arrived(b)) {
    const double at_least = b.end / slowest;
    return {b.end >= a.time ? kNever : at_least, kNever, at_least};
  }
  if (a.is_resolved && b.is_resolved) return {b.time / a.time, b.time / a.time, b.time / a.time};
  const double least = (b.is_resolved ? b.time : b.from) / slowest;
  const double most = quickest > 0 ? (b.is_resolved ? b.time : b.until) / quickest : kNever;
  return {least, most, least};
}

Against compare(std::span<const Finish> first, std::span<const Finish> other, std::size_t name) {
  const RatioBounds ratios = ratio_bounds(first, other);
  return {.other = name,
          .ratio = ratios.estimate(),
          .test = ratios_above_one(ratios.at_least),
          .can_be_won = std::ranges::any_of(first, arrived) || std::ranges::any_of(other, arrived)};
}

// Holm's correction over those of these comparisons that can be won, together.
void correct(std::span<Against* const> against) {
  std::vector<double> p;
  for (const Against* one : against)
    if (one->can_be_won) p.push_back(one->test.p);
  const std::vector<double> corrected = holm(p);
  std::size_t k = 0;
  for (Against* one : against) {
    if (!one->can_be_won) continue;
    one->corrected_p = corrected[k++];
    one->is_clear = one->corrected_p <= 1 - kLevel && one->ratio.low >= kPrintsAboveOne;
  }
}

void name_winner(Race& race) {
  race.has_winner = !race.against.empty() && std::all_of(race.against.begin(), race.against.end(),
                                                         [](const Against& one) { return one.is_clear; });
}

}  // namespace

RatioBounds ratio_bounds(std::span<const Finish> a, std::span<const Finish> b) {
  check(a.size() == b.size(), "pairs of which one is missing");
  RatioBounds ratios;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const Bounds found = bounds(a[k], b[k]);
    ratios.least.push_back(found.least);
    ratios.most.push_back(found.most);
    ratios.at_least.push_back(found.at_least);
  }
  return ratios;
}

Race race(std::span<const std::vector<Finish>> finishes) {
  Race found;
  for (const std::vector<Finish>& runs : finishes) {
    std::vector<double> times;
    for (const Finish& run : runs) times.push_back(arrived(run) ? run.time : kNever);
    found.times.push_back(estimate_median(std::move(times)));
    found.is_judged.push_back(says_enough(runs));
  }
  for (std::size_t k = 0; k < finishes.size(); ++k)
    if (found.is_judged[k] && std::isfinite(found.times[k].median) &&
        (!found.first || found.times[k].median < found.times[*found.first].median))
      found.first = k;
  if (!found.first) return found;
  for (std::size_t k = 0; k < finishes.size(); ++k)
    if (found.is_judged[k] && k != *found.first)
      found.against.push_back(compare(finishes[*found.first], finishes[k], k));
  correct_together(found.against);
  name_winner(found);
  return found;
}

Against against_one(std::span<const double> ratios) {
  const auto is_open = [](double ratio) { return std::isnan(ratio); };
  std::vector<double> known(ratios.begin(), ratios.end());
  std::ranges::replace_if(known, is_open, 0.0);
  return {.other = 0,
          .ratio = estimate_median(known, known),
          .test = ratios_above_one(known),
          .can_be_won = !std::ranges::all_of(ratios, is_open)};
}

void correct_together(std::span<Against> against) {
  std::vector<Against*> all;
  for (Against& one : against) all.push_back(&one);
  correct(all);
}

void correct_over_targets(std::span<Race* const> races) {
  std::vector<Against*> all;
  for (Race* race : races) {
    if (race->against.size() > 1) return;
    for (Against& one : race->against) all.push_back(&one);
  }
  correct(all);
  for (Race* race : races) name_winner(*race);
}

std::vector<std::size_t> ended_early(const Race& race) {
  std::vector<std::size_t> found;
  for (const Against& one : race.against)
    if (!one.is_clear && std::isinf(race.times[one.other].median)) found.push_back(one.other);
  return found;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/judgement.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

namespace quantimed {

namespace {

constexpr double kQuotable = 200;  // targets are rounded to a power of ten below this part of the fall

using Key = std::pair<std::uint64_t, std::uint32_t>;  // seed, repeat
Key key(const JudgedRun& run) { return {run.seed, run.repeat}; }

// Which pairs every entry that has runs has.
void find_pairs(const Inquiry& inquiry, Judgement& found) {
  std::vector<std::set<Key>> of_entry(inquiry.entries.size());
  for (const JudgedRun& run : inquiry.runs)
    if (!of_entry[run.entry].insert(key(run)).second)
      throw InputError("two runs of {} have seed {} and repeat {}; leave one out", inquiry.entries[run.entry].name,
                       run.seed, run.repeat);
  std::map<Key, std::size_t> entries_with;
  for (std::size_t e = 0; e < of_entry.size(); ++e) {
    if (of_entry[e].empty()) found.missing.push_back(e);
    for (const Key& pair : of_entry[e]) ++entries_with[pair];
  }
  const std::size_t all = of_entry.size() - found.missing.size();
  std::set<std::uint64_t> left_out, seeds, repeats;
  for (const auto& [pair, count] : entries_with) {
    (count < all ? left_out : seeds).insert(pair.first);
    if (count == all) repeats.insert(pair.second);
  }
  found.are_pairs_seeds = seeds.size() > 1 || repeats.size() < 2;
  if (!found.are_pairs_seeds) {  // repeats of one seed
    found.pairs.assign(repeats.begin(), repeats.end());
    return;
  }
  for (const std::uint64_t seed : left_out) seeds.erase(seed);  // a seed is there with all of its repeats
  found.left_out.assign(left_out.begin(), left_out.end());
  found.pairs.assign(seeds.begin(), seeds.end());
}

bool is_in_use(const JudgedRun& run, const Judgement& judgement) {
  const auto has = [](const std::vector<std::uint64_t>& values, std::uint64_t value) {
    return std::binary_search(values.begin(), values.end(), value);
  };
  return has(judgement.pairs, judgement.are_pairs_seeds ? run.seed : run.repeat);
}

void find_targets(const Inquiry& inquiry, Judgement& found) {
  double start = kNever, best = kNever;
  for (const JudgedRun& run : inquiry.runs)
    for (const TimedCurve& curve : run.curves)
      if (run.fate == Fate::arrived && is_in_use(run, found) && !curve.loss.empty()) {
        start = std::min(start, curve.loss.front());
        best = std::min(best, lowest_loss(curve.loss));
      }
  if (!std::isfinite(start)) return;
  found.start = start;
  found.best = best;
  found.were_targets_given = !inquiry.targets.empty();
  std::vector<double> targets = found.were_targets_given ? inquiry.targets : targets_between(start, best);
  std::sort(targets.begin(), targets.end(), std::greater<>());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  for (const double target : targets) (target < start ? found.targets : found.unusable).push_back(target);
}

Finish finish(const JudgedRun& run, const TimedCurve& curve, double target, double horizon) {
  Finish result{.fate = run.fate};
  result.end = curve.time.empty() ? 0 : curve.time.back();
  if (run.fate == Fate::diverged || run.fate == Fate::invalid) result.end = horizon;  // never, whenever it ended
  if (run.fate != Fate::arrived) return result;
  const Arrival at = arrival(curve.time, curve.loss, target);
  if (!at.is_there()) {
    result.fate = Fate::missed;
    return result;
  }
  result.time = at.time;
  result.from = at.from;
  result.until = at.until;
  result.is_resolved = at.is_resolved;
  return result;
}

// Several repeats of a seed as one run.
Finish middle(const std::vector<Finish>& repeats) {
  if (repeats.size() == 1) return repeats.front();
  const auto of = [&](double Finish::*member) {
    std::vector<double> values;
    for (const Finish& run : repeats) values.push_back(run.*member);
    return median(std::move(values));
  };
  Finish result{
      .time = of(&Finish::time), .from = of(&Finish::from), .until = of(&Finish::until), .end = of(&Finish::end)};
  result.is_resolved = std::all_of(repeats.begin(), repeats.end(), [](const Finish& run) { return run.is_resolved; });
  result.fate = std::isfinite(result.time) ? Fate::arrived : Fate::missed;
  // Where most repeats do not count, neither does the seed.
  const auto silent = std::count_if(repeats.begin(), repeats.end(), [](const Finish& run) {
    return run.fate == Fate::invalid || run.fate == Fate::unfinished;
  });
  if (result.fate == Fate::missed && 2 * static_cast<std::size_t>(silent) >= repeats.size())
    result.fate = Fate::invalid;
  return result;
}

TargetRace race_to(const Inquiry& inquiry, const Judgement& judgement,
                   const std::vector<std::vector<const JudgedRun*>>& runs, std::size_t clock, double target,
                   double horizon) {
  TargetRace found;
  found.target = target;
  for (std::size_t e = 0; e < inquiry.entries.size(); ++e) {
    const double only = inquiry.entries[e].only_target;
    if (runs[e].empty() || (!std::isnan(only) && only != target)) continue;
    if (std::ranges::find(inquiry.baselines, e) != inquiry.baselines.end()) {
      check(!found.baseline, "two baselines in one race");
      found.baseline = found.entries.size();
    }
    found.entries.push_back(e);
    std::vector<Finish> pairs;
    found.runs.emplace_back();
    std::size_t arrived = 0;
    for (std::size_t k = 0; k < runs[e].size();) {
      std::vector<Finish> repeats;
      const std::uint64_t seed = runs[e][k]->seed;
      do {
        repeats.push_back(finish(*runs[e][k], runs[e][k]->curves[clock], target, horizon));
        arrived += repeats.back().fate == Fate::arrived;
        found.runs.back().push_back(repeats.back());
        ++k;
      } while (judgement.are_pairs_seeds && k < runs[e].size() && runs[e][k]->seed == seed);
      pairs.push_back(middle(repeats));
    }
    found.finishes.push_back(std::move(pairs));
    found.arrived.push_back(arrived);
  }
  found.race = race(found.finishes);
  for (std::size_t k = 0; k < found.entries.size(); ++k)
    found.speed_ups.push_back(found.baseline && *found.baseline != k
                                  ? ratio_bounds(found.finishes[k], found.finishes[*found.baseline]).estimate()
                                  : Estimate{});
  return found;
}

FateCounts count(const std::vector<const JudgedRun*>& runs) {
  FateCounts counts{.runs = runs.size()};
  for (const JudgedRun* run : runs) {
    counts.counted += run->fate == Fate::arrived;
    counts.diverged += run->fate == Fate::diverged;
    counts.invalid += run->fate == Fate::invalid;
    counts.unfinished += run->fate == Fate::unfinished;
  }
  return counts;
}

}  // namespace

bool is_unresolved_time(const TargetRace& at, std::size_t entry) {
  const std::vector<Finish>& pairs = at.finishes[entry];
  const auto unresolved = std::ranges::count_if(pairs, [](const Finish& run) { return !run.is_resolved; });
  return 2 * static_cast<std::size_t>(unresolved) > pairs.size();
}

std::vector<double> targets_between(double start, double best) {
  if (!(best < start) || !std::isfinite(best)) return {};
  const double step = std::pow(10, std::floor(std::log10((start - best) / kQuotable)));
  std::vector<double> targets;
  for (const double fall : kFalls) {
    // Divided by a whole number, so that 1.85 is the double that is written so.
    const double at = start - fall * (start - best), target = std::ceil(at / step - 1e-9);
    targets.push_back(step < 1 ? target / std::round(1 / step) : target * step);
  }
  return targets;
}

Judgement judge(const Inquiry& inquiry) {
  for (const JudgedRun& run : inquiry.runs)
    check(run.entry < inquiry.entries.size() && run.curves.size() == inquiry.clocks.size(), "a run without its clocks");
  Judgement found;
  find_pairs(inquiry, found);
  find_targets(inquiry, found);
  std::vector<std::vector<const JudgedRun*>> runs;
  for (std::size_t e = 0; e < inquiry.entries.size(); ++e) {
    runs.push_back(runs_in_use(inquiry, found, e));
    found.counts.push_back(count(runs.back()));
  }
  for (std::size_t clock = 0; clock < inquiry.clocks.size(); ++clock) {
    double horizon = 0;
    for (const JudgedRun& run : inquiry.runs)
      if (!run.curves[clock].time.empty()) horizon = std::max(horizon, run.curves[clock].time.back());
    found.races.emplace_back();
    for (const double target : found.targets)
      found.races.back().push_back(race_to(inquiry, found, runs, clock, target, horizon));
    std::vector<Race*> races;
    for (TargetRace& one : found.races.back()) races.push_back(&one.race);
    correct_over_targets(races);
  }
  return found;
}

std::vector<const JudgedRun*> runs_in_use(const Inquiry& inquiry, const Judgement& judgement, std::size_t entry) {
  std::vector<const JudgedRun*> runs;
  for (const JudgedRun& run : inquiry.runs)
    if (run.entry == entry && is_in_use(run, judgement)) runs.push_back(&run);
  std::sort(runs.begin(), runs.end(), [](const JudgedRun* a, const JudgedRun* b) { return key(*a) < key(*b); });
  return runs;
}

std::vector<double> by_pair(const std::vector<const JudgedRun*>& runs, const std::vector<double>& figures,
                            bool are_pairs_seeds) {
  std::vector<double> result;
  for (std::size_t k = 0; k < runs.size();) {
    std::vector<double> repeats;
    const std::uint64_t seed = runs[k]->seed;
    do repeats.push_back(figures[k++]);
    while (are_pairs_seeds && k < runs.size() && runs[k]->seed == seed);
    result.push_back(median(std::move(repeats)));
  }
  return result;
}

}  // namespace quantimed

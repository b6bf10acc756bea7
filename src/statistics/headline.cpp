// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/headline.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {

enum class Outcome {
  won,
  close,
  few,    // ahead in all pairs, of which there are too few
  early,  // the others' runs ended before it arrived
  thin,   // the others did not arrive, but the first missed it in some runs, too
  alone,
  nobody
};

// Targets next to each other with one outcome.
struct Stretch {
  Outcome outcome;
  std::vector<std::size_t> entries;  // the winner; or those between whom it is too close; as Inquiry counts
  std::size_t first, last;           // targets
};

// Whether a run of one of these, still on its way, had ended before the first arrived in that pair.
bool have_ended_before(const TargetRace& at, const std::vector<std::size_t>& others) {
  const std::vector<Finish>& first = at.finishes[*at.race.first];
  for (const std::size_t other : others)
    for (std::size_t k = 0; k < first.size(); ++k) {
      const Finish& run = at.finishes[other][k];
      if (first[k].fate == Fate::arrived && run.fate == Fate::missed && run.end < first[k].time) return true;
    }
  return false;
}

Stretch stretch_at(const TargetRace& at, std::size_t target) {
  const Race& race = at.race;
  if (!race.first) return {Outcome::nobody, {}, target, target};
  std::vector<std::size_t> entries = {at.entries[*race.first]};
  if (race.against.empty()) return {Outcome::alone, entries, target, target};
  if (race.has_winner) return {Outcome::won, entries, target, target};
  const bool leads =
      std::all_of(race.against.begin(), race.against.end(), [](const Against& one) { return one.ratio.low > 1; });
  if (leads && at.finishes.front().size() < kLeastPairs) return {Outcome::few, entries, target, target};
  const std::vector<std::size_t> early = ended_early(race);
  for (const Against& one : race.against)
    if (!one.is_clear) entries.push_back(at.entries[one.other]);
  if (early.size() + 1 == entries.size()) {
    const bool has_missed =
        std::ranges::any_of(at.finishes[*race.first], [](const Finish& run) { return run.fate != Fate::arrived; });
    return {has_missed && !have_ended_before(at, early) ? Outcome::thin : Outcome::early, entries, target, target};
  }
  std::sort(entries.begin(), entries.end());
  return {Outcome::close, entries, target, target};
}

std::vector<Stretch> stretches(const std::vector<TargetRace>& races) {
  std::vector<Stretch> found;
  for (std::size_t k = 0; k < races.size(); ++k) {
    const Stretch here = stretch_at(races[k], k);
    if (!found.empty() && found.back().outcome == here.outcome && found.back().entries == here.entries)
      found.back().last = k;
    else
      found.push_back(here);
  }
  return found;
}

std::string place_text(const Stretch& part, const std::vector<double>& targets) {
  const std::string first = figure_text(targets[part.first]), last = figure_text(targets[part.last]);
  const bool begins = part.first == 0, ends = part.last + 1 == targets.size();
  if (begins && ends)
    return targets.size() == 1 ? "to loss " + last : fmt::format("to every target, loss {} to {}", first, last);
  if (begins) return (part.first == part.last ? "to loss " : "down to loss ") + last;
  if (part.first == part.last) return "at " + last;
  return ends ? fmt::format("from {} down", first) : fmt::format("from {} to {}", first, last);
}

// The winner's least lead over the next, where it was least.
std::string lead_text(const Inquiry& inquiry, const std::vector<TargetRace>& races, const Stretch& part) {
  struct Lead {
    Estimate ratio;
    std::size_t next;
    double target;
    std::size_t others_arrived;  // runs
  };
  std::vector<Lead> leads;
  for (std::size_t k = part.first; k <= part.last; ++k) {
    const Race& race = races[k].race;
    const auto place = [&](const Against& one) {  // of those that missed it, who missed it least
      return std::pair(race.times[one.other].median, -static_cast<double>(races[k].arrived[one.other]));
    };
    const auto next = std::min_element(race.against.begin(), race.against.end(),
                                       [&](const Against& a, const Against& b) { return place(a) < place(b); });
    std::size_t arrived = 0;
    for (const Against& one : race.against) arrived += races[k].arrived[one.other];
    leads.push_back({next->ratio, races[k].entries[next->other], races[k].target, arrived});
  }
  const auto least = std::min_element(leads.begin(), leads.end(),
                                      [](const Lead& a, const Lead& b) { return a.ratio.low < b.ratio.low; });
  const std::string& next = inquiry.entries[least->next].name;
  if (std::isinf(least->ratio.median)) {
    if (least->others_arrived == 0)
      return inquiry.entries.size() > 2 ? "; nobody else arrived" : fmt::format("; {} did not arrive", next);
    return fmt::format("; the next, {}, missed it in half of its runs or more", next);
  }
  const std::string where =
      leads.size() > 1 ? fmt::format(" (at {}, where its lead is least sure)", figure_text(least->target)) : "";
  if (std::isnan(least->ratio.median))
    return fmt::format(", at least {} as fast as the next, {}{}", ratio_text(least->ratio.low), next, where);
  return fmt::format(", {} as fast as the next, {}{}", ratio_text(least->ratio), next, where);
}

std::string names(const Inquiry& inquiry, const std::vector<std::size_t>& entries) {
  std::vector<std::string> found;
  for (const std::size_t e : entries) found.push_back(inquiry.entries[e].name);
  return fmt::format("{}", fmt::join(found, ", "));
}

std::string stretch_text(const Inquiry& inquiry, const std::vector<TargetRace>& races,
                         const std::vector<double>& targets, const Stretch& part) {
  const std::string place = place_text(part, targets);
  switch (part.outcome) {
    case Outcome::won:
      return fmt::format("fastest {}: {}{}", place, names(inquiry, part.entries), lead_text(inquiry, races, part));
    case Outcome::few:
      return fmt::format("ahead {}: {}{}", place, names(inquiry, part.entries), lead_text(inquiry, races, part));
    case Outcome::close:
      return fmt::format("too close to call {}: {}", place, names(inquiry, part.entries));
    case Outcome::early:
      return fmt::format("first {}: {}; the runs of {} ended too early to tell", place,
                         names(inquiry, {part.entries.front()}),
                         names(inquiry, {part.entries.begin() + 1, part.entries.end()}));
    case Outcome::thin:
      return fmt::format("first {}: {}; {} did not arrive in most runs, but {} missed it in some, too", place,
                         names(inquiry, {part.entries.front()}),
                         names(inquiry, {part.entries.begin() + 1, part.entries.end()}),
                         names(inquiry, {part.entries.front()}));
    case Outcome::alone:
      return fmt::format("only one to judge {}: {}", place, names(inquiry, part.entries));
    case Outcome::nobody:
      break;
  }
  return fmt::format("nobody arrived in more than half of the runs {}", place);
}

// " (1 INVALID, 2 diverged)": runs that count as missed whatever their curves say.
std::string lost_text(const FateCounts& of) {
  std::vector<std::string> lost;
  for (const auto& [count, kind] :
       {std::pair{of.invalid, "INVALID"}, std::pair{of.diverged, "diverged"}, std::pair{of.unfinished, "unfinished"}})
    if (count > 0) lost.push_back(fmt::format("{} {}", count, kind));
  return lost.empty() ? "" : fmt::format(" ({})", fmt::join(lost, ", "));
}

std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

}  // namespace

std::string headline(const Inquiry& inquiry, const Judgement& judgement, std::size_t clock) {
  if (judgement.targets.empty())
    return std::isnan(judgement.start) ? "No run counts, so there is nothing to compare."
                                       : "No target: a run starts at or below it, or no loss fell.";
  const std::vector<TargetRace>& races = judgement.races[clock];
  std::string text;
  for (const Stretch& part : stretches(races))
    text += (text.empty() ? "" : "; ") + stretch_text(inquiry, races, judgement.targets, part);
  text = capital(text) + ".";
  const std::size_t pairs = judgement.pairs.size();
  if (pairs < kLeastPairs)
    text += fmt::format(" {} {}: too few to name a winner; give {} or more, and 10 for a claim.", pairs,
                        pairs == 1 ? "pair of runs" : "pairs of runs", kLeastPairs);
  return text;
}

std::string misses_text(const Inquiry& inquiry, const Judgement& judgement, std::size_t clock) {
  std::string text;
  for (const TargetRace& at : judgement.races.empty() ? std::vector<TargetRace>{} : judgement.races[clock]) {
    std::vector<std::string> all, some;
    for (std::size_t k = 0; k < at.entries.size(); ++k) {
      const FateCounts& of = judgement.counts[at.entries[k]];
      const std::size_t runs = of.runs;
      const std::string name = inquiry.entries[at.entries[k]].name + lost_text(of);
      if (at.arrived[k] == 0)
        all.push_back(name);
      else if (at.arrived[k] < runs)
        some.push_back(fmt::format("{} of {} of {}", runs - at.arrived[k], runs, name));
    }
    if (!all.empty()) some.insert(some.begin(), fmt::format("all runs of {}", fmt::join(all, ", ")));
    if (!some.empty())
      text += fmt::format("{}{} by {}", text.empty() ? "" : "; ", figure_text(at.target), fmt::join(some, " and "));
  }
  return text.empty() ? "" : "Missed: loss " + text + ".";
}

std::string turns_round(const Inquiry& inquiry, const Judgement& judgement) {
  if (judgement.races.size() < 2) return "";
  std::vector<std::string> turned, open;
  for (std::size_t k = 0; k < judgement.targets.size(); ++k) {
    const Stretch a = stretch_at(judgement.races[0][k], k), b = stretch_at(judgement.races[1][k], k);
    const std::string at = figure_text(judgement.targets[k]);
    if (a.outcome == Outcome::won && b.outcome == Outcome::won && a.entries != b.entries)
      turned.push_back(fmt::format("{} ({}: {}, {}: {})", at, inquiry.clocks[0], names(inquiry, a.entries),
                                   inquiry.clocks[1], names(inquiry, b.entries)));
    else if ((a.outcome == Outcome::won) != (b.outcome == Outcome::won))
      open.push_back(at);
  }
  std::string text;
  if (!turned.empty()) text = fmt::format("The result turns round with the clock at loss {}.", fmt::join(turned, "; "));
  if (!open.empty())
    text += fmt::format("{}Only one of the two clocks names a winner at loss {}.", text.empty() ? "" : " ",
                        fmt::join(open, ", "));
  return text;
}

}  // namespace quantimed

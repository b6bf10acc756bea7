// SPDX-License-Identifier: BSD-3-Clause
// What keeps a comparison from saying what it seems to say.
#include "algorithm/parameters.hpp"
#include "command/certificate.hpp"
#include "command/comparison.hpp"
#include "command/objective_note.hpp"
#include "command/table_text.hpp"
#include "statistics/headline.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace quantimed {

namespace {

constexpr double kPapersExactBits = 16;  // that the paper charges a coordinate of an exact model

// Options in which runs may differ: an algorithm's own steps, what follows from them, and what does not matter.
constexpr const char* kOwn[] = {"algorithm",      "alpha",          "epsilon",
                                "deadline",       "deadline-adapt", "deadline-slack",
                                "codec",          "bits",           "iterations",
                                "max-time",       "seed",           "repeats",
                                "output",         "threads",        "quiet",
                                "timeline",       "trials",         "alpha-range",
                                "seeds",          "target-loss",    "algorithms",
                                "epsilon-range",  "tuned_by",       "tuned-by",
                                "alpha_value",    "epsilon_value",  "samples_per_node_value",
                                "placement",      "evaluations",    "gradient",
                                "delivery",       "sends_early",    "weights",
                                "machine_doubts", "counters",       "optimum"};

bool is_own(const std::string& option) {
  const auto is_it = [&](const ParameterRow& row) { return option == row.option; };
  return std::find(std::begin(kOwn), std::end(kOwn), option) != std::end(kOwn) ||
         std::ranges::any_of(parameter_table(), is_it);
}

// Step sizes that are best for several targets are several entries of one name.
void add_once(std::vector<std::string>& lines, const std::string& line) {
  if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
}

std::string value_of(const ComparedRun& run, const std::string& option) {
  const Attribute* found = find(run.config, option);
  return found ? to_text(*found) : "";
}

// "30: async-dsgd; 50: dsgd, q-dsgd"; empty where all rows have one value.
std::string split_by(const Comparison& made, const std::vector<std::string>& values) {
  std::map<std::string, std::vector<std::string>> rows;
  for (std::size_t e = 0; e < values.size(); ++e)
    if (std::find(made.judgement.missing.begin(), made.judgement.missing.end(), e) == made.judgement.missing.end())
      add_once(rows[values[e]], made.inquiry.entries[e].name);
  if (rows.size() < 2) return "";
  std::vector<std::string> parts;
  for (const auto& [value, names] : rows)
    parts.push_back(fmt::format("{}: {}", value.empty() ? "none" : value, fmt::join(names, ", ")));
  return fmt::format("{}", fmt::join(parts, "; "));
}

// The value of each row; several of one row are told as such.
std::vector<std::string> values_of_rows(const Comparison& made, std::span<const ComparedRun* const> runs,
                                        const std::string& option) {
  std::vector<std::string> values(made.rows.size());
  for (std::size_t k = 0; k < runs.size(); ++k) {
    std::string& value = values[made.inquiry.runs[k].entry];
    const std::string here = value_of(*runs[k], option);
    if (value.empty())
      value = here;
    else if (value != here)
      value = "several values";
  }
  return values;
}

// T in steps like 0.3*T^(-1/6). At equal time it follows from the time, and is as much of a step as its formula.
bool is_horizon_a_choice(std::span<const ComparedRun* const> runs) {
  const bool has_power = std::ranges::any_of(runs, [](const ComparedRun* run) {
    return (value_of(*run, "alpha") + value_of(*run, "epsilon")).find('T') != std::string::npos;
  });
  return has_power && std::ranges::any_of(runs, [](const ComparedRun* run) {
           return value_of(*run, "budget") != "time" || !std::isfinite(number(run->config, "max-time", kForever));
         });
}

void add_differences(std::vector<std::string>& found, const Comparison& made,
                     std::span<const ComparedRun* const> runs) {
  std::vector<std::string> options;
  for (const ComparedRun* run : runs)
    for (const auto& [name, value] : run->config)
      if (!is_own(name) && (name != "horizon" || is_horizon_a_choice(runs)) &&
          std::find(options.begin(), options.end(), name) == options.end())
        options.push_back(name);
  for (const std::string& option : options)
    if (const std::string rows = split_by(made, values_of_rows(made, runs, option)); !rows.empty())
      found.push_back(fmt::format("--{} differs: {}", option, rows));
  for (const char* name : {"tuned_by", "tuned-by"})
    if (const std::string rows = split_by(made, values_of_rows(made, runs, name)); !rows.empty())
      found.push_back("Step sizes were not tuned with one budget: " + rows);
}

void add_objective(std::vector<std::string>& found, std::span<const ComparedRun* const> runs) {
  const bool is_split = std::any_of(runs.begin(), runs.end(), [](const ComparedRun* run) {
    return value_of(*run, "l2-per") == "batch" && number(run->config, "l2", 0) > 0;
  });
  if (is_split)
    found.push_back(
        "--l2-per batch: the l2 term is LAMBDA/|batch|, so each algorithm minimises a function of its own batches; "
        "--l2-per dataset gives all of them one");
}

void add_minimisers(std::vector<std::string>& found, std::span<const ComparedRun* const> runs) {
  for (const ComparedRun* run : runs)
    if (const std::string note = objective_note(value_of(*run, "algorithm"), value_of(*run, "engine"),
                                                value_of(*run, "speed"), value_of(*run, "partition"));
        !note.empty())
      add_once(found, note);
  for (const ComparedRun* run : runs)
    if (const std::string note = loss_note(value_of(*run, "algorithm"), text(run->summary, "lost_nodes", ""));
        !note.empty())
      add_once(found, note);
}

void add_ends(std::vector<std::string>& found, const Comparison& made) {
  for (std::size_t clock = 0; clock < made.inquiry.clocks.size(); ++clock) {
    double least = kForever, most = 0;
    for (const RowFigures& row : made.rows)
      if (std::isfinite(row.end_s[clock])) {
        least = std::min(least, row.end_s[clock]);
        most = std::max(most, row.end_s[clock]);
      }
    if (!(least < kSameEnd * most)) continue;
    if (std::isfinite(made.equal_until[clock]) && clock == made.main_clock) {
      found.push_back(
          fmt::format("Runs are judged up to {} s, where the first one ends by the {} clock: the last iterations of "
                      "others take longer. Their final losses are of their own ends",
                      figure_text(made.equal_until[clock]), made.inquiry.clocks[clock]));
      continue;
    }
    if (std::isfinite(made.equal_until[clock])) {
      found.push_back(fmt::format(
          "By the {} clock runs are judged up to {} s, where the first one ends: they were given "
          "equal time by the {} clock",
          made.inquiry.clocks[clock], figure_text(made.equal_until[clock]), made.inquiry.clocks[made.main_clock]));
      continue;
    }
    std::vector<std::string> ends;
    for (std::size_t e = 0; e < made.rows.size(); ++e)
      if (std::isfinite(made.rows[e].end_s[clock]))
        add_once(ends, fmt::format("{} {} s", made.inquiry.entries[e].name, figure_text(made.rows[e].end_s[clock])));
    const std::string way_out =
        clock == made.main_clock
            ? "give --max-time"
            : fmt::format("the runs have their time by the {} clock, and by this one with --bits {}",
                          made.inquiry.clocks[made.main_clock], made.inquiry.clocks[clock]);
    found.push_back(
        fmt::format("Unequal time ({} clock): runs end after {}. Who ends first misses what it had no time for; {}",
                    made.inquiry.clocks[clock], fmt::join(ends, ", "), way_out));
  }
}

// A search with the same budget for all can still be too small for some.
void add_search_doubts(std::vector<std::string>& found, std::span<const ComparedRun* const> runs) {
  for (const ComparedRun* run : runs)
    if (const std::string doubts = search_doubts_of(text(run->config, "tuned_by", "")); !doubts.empty())
      add_once(found, fmt::format("Steps were tuned with equal budgets, but {}; tune with more --trials or a wider "
                                  "--alpha-range before a winner is quoted",
                                  doubts));
}

// Steps are tuned by one clock.
void add_tuning_clock(std::vector<std::string>& found, const Comparison& made,
                      std::span<const ComparedRun* const> runs) {
  if (made.inquiry.clocks.size() < 2) return;
  const bool is_tuned = std::ranges::any_of(
      runs, [](const ComparedRun* run) { return is_tuned_fairly(text(run->config, "tuned_by", "")); });
  for (std::size_t clock = 0; is_tuned && clock < made.inquiry.clocks.size(); ++clock)
    if (clock != made.main_clock)
      found.push_back(fmt::format("Steps were tuned by the {} clock; by the {} clock others may be better",
                                  made.inquiry.clocks[made.main_clock], made.inquiry.clocks[clock]));
}

void add_bits(std::vector<std::string>& found, const Comparison& made, std::span<const ComparedRun* const> runs) {
  const bool is_double =
      std::ranges::any_of(runs, [](const ComparedRun* run) { return value_of(*run, "precision") == "double"; });
  const double exact_bits = is_double ? 64 : 32;
  struct Charged {
    double paper, least_wire, most_wire;
  };
  std::vector<std::pair<std::string, Charged>> favoured;  // by algorithm: its step sizes make small differences
  for (std::size_t e = 0; e < made.rows.size(); ++e) {
    const RowFigures& row = made.rows[e];
    if (row.vector_bits > 1.01 * exact_bits)
      add_once(found,
               fmt::format("{} sends {} bits a coordinate, more than float{}'s {}: its code makes messages longer",
                           made.inquiry.entries[e].name, figure_text(row.vector_bits), exact_bits, exact_bits));
    if (row.vectors != 1)
      add_once(found, fmt::format("{} sends {} vectors in an iteration: its bits a coordinate are of all of them",
                                  made.inquiry.entries[e].name, figure_text(row.vectors)));
    if (!(row.paper_bits < kPapersExactBits / exact_bits * 0.98 * row.wire_bits)) continue;
    const Entry& entry = made.inquiry.entries[e];
    const std::string name = std::isnan(entry.only_target) ? entry.name : common_name(made, row.algorithm);
    const auto known = std::ranges::find_if(
        favoured, [&](const auto& one) { return one.first == name && one.second.paper == row.paper_bits; });
    if (known == favoured.end()) {
      favoured.push_back({name, {row.paper_bits, row.wire_bits, row.wire_bits}});
    } else {
      known->second.least_wire = std::min(known->second.least_wire, row.wire_bits);
      known->second.most_wire = std::max(known->second.most_wire, row.wire_bits);
    }
  }
  if (favoured.empty()) return;
  std::vector<std::string> charged;
  for (const auto& [name, bits] : favoured) {
    const std::string least = figure_text(bits.least_wire), most = figure_text(bits.most_wire);
    charged.push_back(
        fmt::format("{} {} of {}{}", name, figure_text(bits.paper), least, least == most ? "" : " to " + most));
  }
  found.push_back(
      fmt::format("The paper's count of bits favours some codes: it charges {} bits on the wire, and 16 of {} for an "
                  "exact model",
                  fmt::join(charged, ", "), exact_bits));
}

void add_runs(std::vector<std::string>& found, const Comparison& made, std::span<const ComparedRun* const> runs) {
  std::vector<std::string> invalid;
  for (const ComparedRun* run : runs)
    if (run->verdict != "VALID") invalid.push_back(run->verdict);
  for (const auto& [why, count] : tally(invalid))
    found.push_back(fmt::format("{} ({} of {} runs)", why, count, runs.size()));
  const bool no_run_counts =
      std::ranges::all_of(made.judgement.counts, [](const FateCounts& of) { return of.counted == 0; });
  if (no_run_counts) found.push_back("Nothing is judged: no run counts");
  for (std::size_t e = 0; e < made.rows.size() && !no_run_counts; ++e) {
    const FateCounts& of = made.judgement.counts[e];
    if (of.runs == of.counted) continue;
    std::vector<std::string> kinds;
    for (const auto& [count, kind] :
         {std::pair{of.invalid, "INVALID"}, std::pair{of.diverged, "diverged"}, std::pair{of.unfinished, "unfinished"}})
      if (count > 0) kinds.push_back(fmt::format("{} {}", count, kind));
    add_once(found, fmt::format("{}: {} of {} runs do not count ({}); each is taken as one that never arrived",
                                made.inquiry.entries[e].name, of.runs - of.counted, of.runs, fmt::join(kinds, ", ")));
    if (2 * (of.invalid + of.unfinished) >= of.runs)
      add_once(found, fmt::format("{} is not judged: half of its runs or more are INVALID or unfinished",
                                  made.inquiry.entries[e].name));
  }
  for (const std::size_t e : made.judgement.missing)
    found.push_back(fmt::format("{} has no run", made.inquiry.entries[e].name));
  if (!made.judgement.left_out.empty())
    found.push_back(fmt::format("Seeds {} are left out of every row: a row lacks a run of them",
                                fmt::join(made.judgement.left_out, ", ")));
}

void add_machine(std::vector<std::string>& found, std::span<const ComparedRun* const> runs) {
  for (const ComparedRun* run : runs)
    if (const std::string doubts = text(run->config, "machine_doubts", ""); !doubts.empty())
      add_once(found, fmt::format("The predicted times are not to be trusted: when {} was calibrated, {}",
                                  text(run->config, "machine", "the machine"), doubts));
}

void add_statistics(std::vector<std::string>& found, const Comparison& made) {
  const Judgement& judged = made.judgement;
  if (!judged.are_pairs_seeds) found.push_back("All runs have one seed: its repeats say nothing of other seeds");
  if (!judged.unusable.empty()) {
    std::vector<std::string> losses;
    for (const double target : judged.unusable) losses.push_back(figure_text(target));
    found.push_back(fmt::format("No race to loss {}: a run starts there or below", fmt::join(losses, ", ")));
  }
  bool is_unresolved = false;
  for (const std::vector<TargetRace>& races : judged.races)
    for (const TargetRace& at : races)
      for (std::size_t row = 0; row < at.finishes.size(); ++row) is_unresolved |= is_unresolved_time(at, row);
  if (is_unresolved)
    found.push_back(
        "Times marked < lie before the third point of their curves, which do not resolve them; give more "
        "--evaluations");
}

}  // namespace

std::vector<std::string> warnings(const Comparison& made, std::span<const ComparedRun* const> runs) {
  std::vector<std::string> found;
  add_runs(found, made, runs);
  add_differences(found, made, runs);
  add_objective(found, runs);
  add_minimisers(found, runs);
  add_machine(found, runs);
  add_ends(found, made);
  add_search_doubts(found, runs);
  add_tuning_clock(found, made, runs);
  add_bits(found, made, runs);
  add_statistics(found, made);
  return found;
}

std::vector<std::string> warnings_of_choice(const Comparison& each, const Comparison& one) {
  std::vector<std::string> found;
  const std::size_t clock = each.main_clock;
  if (one.judgement.races.size() <= clock || one.judgement.targets != each.judgement.targets) return found;
  for (std::size_t t = 0; t < each.judgement.targets.size(); ++t) {
    const TargetRace &here = each.judgement.races[clock][t], &there = one.judgement.races[clock][t];
    std::vector<std::string> slower;
    for (std::size_t k = 0; k < here.entries.size(); ++k)
      for (std::size_t j = 0; j < there.entries.size(); ++j)
        if (each.rows[here.entries[k]].algorithm == one.rows[there.entries[j]].algorithm &&
            there.race.times[j].median < here.race.times[k].median)
          add_once(slower, common_name(each, each.rows[here.entries[k]].algorithm));
    if (!slower.empty())
      found.push_back(fmt::format("{} at {}", fmt::join(slower, ", "), figure_text(each.judgement.targets[t])));
  }
  if (found.empty()) return found;
  return {
      fmt::format("What was best on the seeds of the search is not on these: the setting for all targets was faster "
                  "for {}; give tune more --trials and --seeds",
                  fmt::join(found, "; "))};
}

}  // namespace quantimed

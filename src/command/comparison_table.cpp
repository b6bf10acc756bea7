// SPDX-License-Identifier: BSD-3-Clause
// A comparison as people read it: the answer, then times to each target on every clock, then the other figures.
#include "command/comparison.hpp"
#include "command/table_text.hpp"
#include "statistics/headline.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <ranges>
#include <set>
#include <utility>

namespace quantimed {

namespace {

// Whether a target has one entry of each algorithm, so that step sizes need not be part of names.
bool is_one_each(const Comparison& made) {
  std::set<std::pair<std::string, double>> seen;
  for (std::size_t e = 0; e < made.rows.size(); ++e) {
    const double target = made.inquiry.entries[e].only_target;
    if (!seen.emplace(made.rows[e].algorithm, std::isnan(target) ? 0 : target).second) return false;
  }
  return true;
}

// As tables and sentences name the entries; step sizes then stand in a column of their own.
Inquiry short_names(const Comparison& made) {
  Inquiry inquiry = made.inquiry;
  if (!is_one_each(made)) return inquiry;
  for (std::size_t e = 0; e < made.rows.size(); ++e)
    if (!made.rows[e].setting.empty()) inquiry.entries[e].name = made.rows[e].algorithm;
  return inquiry;
}

bool has_settings(const Comparison& made) {
  return is_one_each(made) &&
         std::any_of(made.rows.begin(), made.rows.end(), [](const RowFigures& row) { return !row.setting.empty(); });
}

std::string clock_name(const std::string& clock) {
  if (clock == "paper") return "paper's bits";
  if (clock == "wire") return "bits on the wire";
  if (clock == "real") return "real time";
  return clock == "machine" ? "predicted time" : clock;
}

const char* mark(const Race& race, std::size_t row) {
  if (!race.first) return "";
  const auto open = static_cast<std::size_t>(
      std::count_if(race.against.begin(), race.against.end(), [](const Against& one) { return !one.is_clear; }));
  if (*race.first == row) return race.has_winner ? "✓ " : open == ended_early(race).size() ? "" : "≈ ";
  const auto found =
      std::find_if(race.against.begin(), race.against.end(), [&](const Against& one) { return one.other == row; });
  return found != race.against.end() && !found->is_clear ? "≈ " : "";
}

std::string time_cell(const TargetRace& at, std::size_t row) {
  const Estimate& time = at.race.times[row];
  std::vector<double> until;
  for (const Finish& run : at.finishes[row]) until.push_back(run.until);
  if (is_unresolved_time(at, row)) return fmt::format("{}< {} s", mark(at.race, row), figure_text(median(until)));
  if (std::isinf(time.median)) return std::isinf(time.low) ? "missed" : "missed " + bracket_text(time);
  return fmt::format("{}{}", mark(at.race, row), estimate_text(time, " s"));
}

std::string ratio_cell(const Estimate& ratio, const std::string& baseline) {
  if (ratio.spread == SpreadKind::none) return "—";
  // Below 1 a lower bound decides nothing, and reads as a loss.
  if (std::isnan(ratio.median))
    return ratio.low >= 1 ? fmt::format("at least {}", ratio_text(ratio.low)) : std::string("—");
  if (std::isinf(ratio.median)) return baseline + " missed";
  if (ratio.median == 0) return "missed";
  return ratio_text(ratio);
}

std::string speed_up_cell(const TargetRace& at, std::size_t row, const std::string& baseline) {
  const bool has_time = std::isfinite(at.race.times[row].median);
  if (!has_time && at.baseline && std::isinf(at.race.times[*at.baseline].median)) return "—";  // nothing is known
  if (at.baseline != row) return ratio_cell(at.speed_ups[row], baseline);
  return has_time ? "1×" : "—";
}

// "5 of 5", or "5 / 3 of 5" where the clocks differ.
std::string arrived_cell(const Comparison& made, std::size_t target, std::size_t row) {
  std::vector<std::size_t> arrived;
  for (const auto& races : made.judgement.races) arrived.push_back(races[target].arrived[row]);
  const std::size_t runs = made.judgement.counts[made.judgement.races[0][target].entries[row]].runs;
  if (std::adjacent_find(arrived.begin(), arrived.end(), std::not_equal_to<>()) == arrived.end()) arrived.resize(1);
  return fmt::format("{} of {}", fmt::join(arrived, " / "), runs);
}

std::string energy_cell(const Estimate& joules) {
  return std::isinf(joules.median) ? "missed" : estimate_text(joules, " J", "—");
}

std::string target_table(const Comparison& made) {
  const auto& races = made.judgement.races;
  const Inquiry named = short_names(made);
  const bool has_baseline = !made.inquiry.baselines.empty();
  const std::string baseline = has_baseline ? named.entries[made.inquiry.baselines.front()].name : "";
  std::vector<std::string> head = {"to loss", "algorithm"};
  for (const std::string& clock : made.inquiry.clocks) head.push_back("time, " + clock_name(clock));
  if (has_baseline)
    for (const std::string& clock : made.inquiry.clocks)
      head.push_back(
          fmt::format("speed-up over {}{}", baseline, made.inquiry.clocks.size() > 1 ? ", " + clock_name(clock) : ""));
  const bool has_energy = !made.energy_to_target.empty();
  if (has_energy) head.push_back("joules to target");
  head.push_back("arrived");
  const bool has_steps = has_settings(made);
  if (has_steps) head.push_back("step sizes");
  std::vector<std::vector<std::string>> lines = {head};
  for (std::size_t t = 0; t < made.judgement.targets.size(); ++t)
    for (std::size_t row = 0; row < races[0][t].entries.size(); ++row) {
      std::vector<std::string> line = {row == 0 ? figure_text(made.judgement.targets[t]) : "",
                                       named.entries[races[0][t].entries[row]].name};
      for (const auto& clock : races) line.push_back(time_cell(clock[t], row));
      if (has_baseline)
        for (const auto& clock : races) line.push_back(speed_up_cell(clock[t], row, baseline));
      if (has_energy) line.push_back(energy_cell(made.energy_to_target[t][row]));
      line.push_back(arrived_cell(made, t, row));
      if (has_steps) line.push_back(made.rows[races[0][t].entries[row]].setting);
      lines.push_back(std::move(line));
    }
  return fmt::format(
      "{}✓ the fastest; ≈ too close to call with the fastest{}; < before the third point of its curve; "
      "missed: not by half or more of the runs in the time that they are judged by{}\n",
      table_text(lines), has_baseline ? ", which need not be " + baseline : "",
      has_energy ? "; joules are of whole processor packages, other programs included" : "");
}

std::string percent_cell(const Estimate& share) {
  if (!std::isfinite(share.median)) return "—";
  return fmt::format("{:.1f} %", 100 * share.median);
}

std::string counts_cell(const FateCounts& of) {
  std::string text = fmt::format("{} of {}", of.counted, of.runs);
  for (const auto& [count, kind] :
       {std::pair{of.invalid, "INVALID"}, std::pair{of.diverged, "diverged"}, std::pair{of.unfinished, "unfinished"}})
    if (count > 0) text += fmt::format(", {} {}", count, kind);
  return text;
}

std::string row_table(const Comparison& made) {
  // Asynchronous algorithms end elsewhere by the other clock.
  const std::string by =
      made.inquiry.clocks.size() > 1 ? ", " + clock_name(made.inquiry.clocks[made.main_clock]) : std::string();
  std::vector<std::vector<std::string>> lines = {{"algorithm", "final loss" + by, "test accuracy" + by,
                                                  "bits: paper / wire", "waiting", "ends after", "valid runs"}};
  const Inquiry named = short_names(made);
  const bool has_steps = has_settings(made);
  if (has_steps) lines.front().emplace_back("step sizes");
  std::set<std::pair<std::string, std::string>> shown;  // what is best for several targets is one row
  for (std::size_t e = 0; e < made.rows.size(); ++e) {
    const RowFigures& row = made.rows[e];
    if (!shown.emplace(row.setting.empty() ? named.entries[e].name : row.algorithm, row.setting).second) continue;
    std::vector<std::string> ends;
    for (const double end : row.end_s) ends.push_back(figure_text(end));
    lines.push_back({named.entries[e].name,
                     std::isinf(row.final_loss.median) ? "—" : estimate_text(row.final_loss, "", "—"),
                     percent_cell(row.test_accuracy),
                     std::isnan(row.wire_bits) ? "—" : fmt::format("{:.4g} / {:.2f}", row.paper_bits, row.wire_bits),
                     std::isnan(row.wait_share) ? "—" : fmt::format("{:.1f} %", 100 * row.wait_share),
                     fmt::format("{} s", fmt::join(ends, " / ")), counts_cell(made.judgement.counts[e])});
    if (has_steps) lines.back().push_back(row.setting);
  }
  return table_text(lines);
}

// Whom the clocks agree on is said once.
std::string answer(const Comparison& made) {
  const Inquiry named = short_names(made);
  const auto& clocks = named.clocks;
  std::vector<std::string> lines;
  for (std::size_t c = 0; c < clocks.size(); ++c)
    lines.push_back(headline(named, made.judgement, c) + "\n" + [](const std::string& misses) {
      return misses.empty() ? "" : misses + "\n";
    }(misses_text(named, made.judgement, c)));
  std::string text;
  for (std::size_t c = 0; c < clocks.size(); ++c)
    text += clocks.size() == 1
                ? lines[c]
                : fmt::format("With {}{}: {}", clocks[c] == "paper" ? "the " : "", clock_name(clocks[c]), lines[c]);
  if (const std::string turned = turns_round(named, made.judgement); !turned.empty()) text += turned + "\n";
  return text;
}

std::string pairs_text(const Comparison& made) {
  const Judgement& judged = made.judgement;
  std::size_t runs = 0;
  for (const FateCounts& of : judged.counts) runs = std::max(runs, of.runs);
  return fmt::format(
      "{} runs of each ({} {}); medians; {}; of a ratio it is as wide as the points of the two curves leave it", runs,
      judged.are_pairs_seeds ? "seeds" : "one seed, repeats", fmt::join(judged.pairs, ", "),
      spread_kind_text(judged.pairs.size(), judged.are_pairs_seeds ? "seed" : "repeat"));
}

std::string targets_text(const Judgement& judged) {
  if (judged.targets.empty()) return "";
  if (judged.were_targets_given) return "Targets: as given\n";
  return fmt::format(
      "Targets: 50, 75, 90, 95 and 99 % of the fall from the start, {}, to the best loss of any run, {}\n",
      figure_text(judged.start), figure_text(judged.best));
}

}  // namespace

std::string comparison_text(const std::vector<Comparison>& comparisons) {
  std::string text;
  for (const Comparison& made : std::views::reverse(comparisons)) {  // one setting for all targets first: it is quoted
    if (!made.title.empty()) text += fmt::format("{}## {}\n\n", text.empty() ? "" : "\n", made.title);
    text += answer(made) + "\n";
    if (!made.judgement.targets.empty()) text += target_table(made) + "\n";
    text += row_table(made) + "\n" + pairs_text(made) + "\n" + targets_text(made.judgement);
    for (const std::string& warning : made.warnings) text += fmt::format("WARNING: {}\n", warning);
  }
  return text;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "command/comparison.hpp"

#include "base/error.hpp"
#include "command/counts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace quantimed {

namespace {

using Runs = std::vector<const ComparedRun*>;

Fate fate_of(const ComparedRun& run) {
  if (run.status == RunStatus::diverged) return Fate::diverged;
  if (run.status != RunStatus::complete) return Fate::unfinished;
  return run.verdict == "VALID" ? Fate::arrived : Fate::invalid;
}

// The clocks that every run has, in the order of the first's.
std::vector<std::string> common_clocks(const Runs& runs) {
  std::vector<std::string> clocks;
  for (const ClockedCurve& curve : runs.front()->curves) clocks.push_back(curve.clock);
  for (const ComparedRun* run : runs)
    std::erase_if(clocks, [&](const std::string& clock) {
      return std::none_of(run->curves.begin(), run->curves.end(),
                          [&](const ClockedCurve& curve) { return curve.clock == clock; });
    });
  return clocks;
}

const ClockedCurve& curve_on(const ComparedRun& run, const std::string& clock) {
  return *std::find_if(run.curves.begin(), run.curves.end(),
                       [&](const ClockedCurve& curve) { return curve.clock == clock; });
}

// --bits of most runs: those that were made for the other clock alone may be among them.
std::size_t main_clock(const std::vector<std::string>& clocks, const Runs& runs) {
  const auto own = [&](const std::string& clock) {
    return std::count_if(runs.begin(), runs.end(),
                         [&](const ComparedRun* run) { return text(run->config, "bits", "") == clock; });
  };
  const auto most = std::max_element(clocks.begin(), clocks.end(),
                                     [&](const std::string& a, const std::string& b) { return own(a) < own(b); });
  return static_cast<std::size_t>(most - clocks.begin());
}

std::string name_of(const ComparedRun& run) {
  if (!run.label.empty()) return run.label;
  return run.setting.empty() ? run.algorithm : fmt::format("{} ({})", run.algorithm, run.setting);
}

// Rows in the order of `algorithms`, then as they come. Fills in entries, runs and who each run's entry is.
void find_entries(Comparison& made, const std::vector<std::string>& algorithms, Runs& runs) {
  const auto place = [&](const ComparedRun* run) {
    return std::find(algorithms.begin(), algorithms.end(), run->algorithm) - algorithms.begin();
  };
  std::stable_sort(runs.begin(), runs.end(),
                   [&](const ComparedRun* a, const ComparedRun* b) { return place(a) < place(b); });
  std::map<std::tuple<std::string, std::string, double>, std::size_t> known;
  for (const ComparedRun* run : runs) {
    const auto [found, is_new] =
        known.try_emplace({run->algorithm, run->setting, run->for_target}, made.inquiry.entries.size());
    if (is_new) {
      made.inquiry.entries.push_back({name_of(*run), run->for_target > 0 ? run->for_target : kNoFigure});
      RowFigures row;
      row.algorithm = run->algorithm;
      row.setting = run->setting;
      made.rows.push_back(std::move(row));
    }
    JudgedRun judged;
    judged.entry = found->second;
    judged.seed = run->seed;
    judged.repeat = run->repeat;
    judged.fate = fate_of(*run);
    for (const std::string& clock : made.inquiry.clocks) {
      const ClockedCurve& curve = curve_on(*run, clock);
      judged.curves.push_back({curve.time, curve.loss});
      if (curve.loss.empty() && judged.fate == Fate::arrived) judged.fate = Fate::unfinished;
      if (std::any_of(curve.loss.begin(), curve.loss.end(), [](double v) { return !std::isfinite(v); }) &&
          judged.fate == Fate::arrived)
        judged.fate = Fate::diverged;  // whatever its trace says
    }
    made.inquiry.runs.push_back(std::move(judged));
  }
}

void cut(TimedCurve& curve, double end) {
  const auto after = static_cast<std::size_t>(std::ranges::upper_bound(curve.time, end) - curve.time.begin());
  if (after == curve.time.size() || after == 0) return;
  const double share = (end - curve.time[after - 1]) / (curve.time[after] - curve.time[after - 1]);
  const double loss = curve.loss[after - 1] + share * (curve.loss[after] - curve.loss[after - 1]);
  curve.time.resize(after);
  curve.loss.resize(after);
  curve.time.push_back(end);
  curve.loss.push_back(loss);
}

// All runs were given the same time. Who has a long iteration ends later, which is no part of that.
bool have_one_limit(std::span<const ComparedRun* const> runs) {
  const auto limit = [](const ComparedRun* run) { return number(run->config, "max-time", kForever); };
  return std::isfinite(limit(runs.front())) &&
         std::ranges::all_of(runs, [&](const ComparedRun* run) { return limit(run) == limit(runs.front()); });
}

// Runs that are as long as each other by the clock that their time was given by are not by another one, where who has
// more of it would reach what the others had no time for.
void give_equal_time(Comparison& made, std::span<const ComparedRun* const> runs) {
  const std::size_t clocks = made.inquiry.clocks.size();
  std::vector<double> shortest(clocks, kForever), longest(clocks, 0);
  for (const JudgedRun& run : made.inquiry.runs)
    for (std::size_t c = 0; c < clocks && run.fate == Fate::arrived; ++c) {
      shortest[c] = std::min(shortest[c], run.curves[c].time.back());
      longest[c] = std::max(longest[c], run.curves[c].time.back());
    }
  made.equal_until.assign(clocks, kForever);
  if (!have_one_limit(runs) && !(shortest[made.main_clock] >= kSameEnd * longest[made.main_clock])) return;
  for (std::size_t c = 0; c < clocks; ++c) {
    if (!(shortest[c] < kSameEnd * longest[c])) continue;
    made.equal_until[c] = shortest[c];
    for (JudgedRun& run : made.inquiry.runs) cut(run.curves[c], shortest[c]);
  }
}

// By seed and repeat, those of an entry that are in use.
Runs runs_of(const Comparison& made, std::span<const ComparedRun* const> runs, std::size_t entry) {
  Runs found;
  for (const JudgedRun* judged : runs_in_use(made.inquiry, made.judgement, entry))
    found.push_back(runs[static_cast<std::size_t>(judged - made.inquiry.runs.data())]);
  return found;
}

void fill_row(Comparison& made, std::span<const ComparedRun* const> all, std::size_t entry) {
  RowFigures& row = made.rows[entry];
  const Runs runs = runs_of(made, all, entry);
  const std::vector<const JudgedRun*> judged = runs_in_use(made.inquiry, made.judgement, entry);
  const auto each = [&](double worst, auto figure) {
    std::vector<double> values;
    for (std::size_t k = 0; k < runs.size(); ++k)
      values.push_back(judged[k]->fate == Fate::arrived ? figure(*runs[k]) : worst);
    return values;
  };
  const auto by_seed = [&](double worst, auto figure) {
    return estimate_median(by_pair(judged, each(worst, figure), made.judgement.are_pairs_seeds));
  };
  const auto of_summary = [&](const char* name) {
    return median(each(kNoFigure, [&](const ComparedRun& run) { return number(run.summary, name, kNoFigure); }));
  };
  const std::string& main = made.inquiry.clocks[made.main_clock];
  row.final_loss = by_seed(kForever, [&](const ComparedRun& run) { return curve_on(run, main).loss.back(); });
  const bool has_test = std::any_of(runs.begin(), runs.end(), [&](const ComparedRun* run) {
    const std::vector<double>& accuracy = curve_on(*run, main).accuracy;
    return !accuracy.empty() && !std::isnan(accuracy.back());
  });
  if (has_test)
    row.test_accuracy = by_seed(-kForever, [&](const ComparedRun& run) {
      const std::vector<double>& accuracy = curve_on(run, main).accuracy;
      return accuracy.empty() ? kNoFigure : accuracy.back();
    });
  row.paper_bits = of_summary("paper_bits_per_coordinate");
  row.wire_bits = of_summary("wire_bits_per_coordinate");
  row.vectors = of_summary("vectors_per_iteration");
  if (std::isnan(row.vectors)) row.vectors = 1;  // traces of earlier versions
  row.vector_bits = of_summary("wire_bits_of_a_vector");
  if (std::isnan(row.vector_bits)) row.vector_bits = row.wire_bits;
  row.bytes_sent = of_summary("total_bytes");
  row.wait_share = of_summary("wait_share");
  for (const std::string& clock : made.inquiry.clocks)
    row.end_s.push_back(
        median(each(kNoFigure, [&](const ComparedRun& run) { return curve_on(run, clock).time.back(); })));
}

// Straight between a curve's points, at the times that the races are judged by.
void add_energy(Comparison& made, std::span<const ComparedRun* const> all) {
  const bool is_told = std::ranges::all_of(
      all, [](const ComparedRun* run) { return run->curves.size() == 1 && !run->curves[0].energy_j.empty(); });
  if (!is_told) return;
  for (const TargetRace& at : made.judgement.races[made.main_clock]) {
    std::vector<Estimate>& joules = made.energy_to_target.emplace_back();
    for (std::size_t k = 0; k < at.entries.size(); ++k) {
      const Runs runs = runs_of(made, all, at.entries[k]);
      std::vector<double> of_run;
      for (std::size_t r = 0; r < runs.size(); ++r)
        of_run.push_back(energy_at(runs[r]->curves[0].time, runs[r]->curves[0].energy_j, at.runs[k][r].time));
      joules.push_back(estimate_median(
          by_pair(runs_in_use(made.inquiry, made.judgement, at.entries[k]), of_run, made.judgement.are_pairs_seeds)));
    }
  }
}

// The entries of this name or algorithm; none where two of them run to the same target.
std::vector<std::size_t> baselines_of(const Comparison& made, const std::string& baseline) {
  std::vector<std::size_t> found;
  std::set<double> targets;
  for (std::size_t e = 0; e < made.rows.size(); ++e) {
    if (made.rows[e].algorithm != baseline && made.inquiry.entries[e].name != baseline) continue;
    found.push_back(e);
    if (const double only = made.inquiry.entries[e].only_target; !std::isnan(only)) targets.insert(only);
  }
  return found.size() == 1 || found.size() == targets.size() ? found : std::vector<std::size_t>{};
}

Comparison judge_table(const std::vector<std::string>& algorithms, Runs runs, const std::vector<double>& targets,
                       const std::string& baseline) {
  Comparison made;
  made.inquiry.clocks = common_clocks(runs);
  if (made.inquiry.clocks.empty())
    throw InputError("the runs have no clock in common; compare those of one --engine, with the same --bits");
  made.main_clock = main_clock(made.inquiry.clocks, runs);
  made.inquiry.targets = targets;
  find_entries(made, algorithms, runs);
  give_equal_time(made, runs);
  made.inquiry.baselines = baselines_of(made, baseline);
  made.judgement = judge(made.inquiry);
  for (std::size_t e = 0; e < made.rows.size(); ++e) fill_row(made, runs, e);
  add_energy(made, runs);
  made.warnings = warnings(made, runs);
  return made;
}

}  // namespace

ComparedRun compared_run(Trace&& trace, const std::string& setting, std::uint32_t repeat) {
  const bool is_virtual = text(trace.config, "engine", "") == "virtual";
  const bool has_machine = !text(trace.config, "machine", "").empty() && text(trace.config, "machine", "") != "none";
  Progress& curve = trace.progress;
  ComparedRun run;
  for (const auto& [clock, time] :
       {std::pair{"paper", &curve.time_paper_bits}, std::pair{"wire", &curve.time_wire_bits}})
    if (!time->empty()) run.curves.push_back({clock, std::move(*time), curve.loss, curve.test_accuracy, {}});
  if (run.curves.empty()) {
    const std::string clock = !is_virtual ? "real" : has_machine ? "machine" : text(trace.config, "bits", "paper");
    run.curves.push_back({clock, std::move(curve.time), std::move(curve.loss), std::move(curve.test_accuracy),
                          std::move(curve.energy_j)});
  }
  run.algorithm = text(trace.config, "algorithm", "");
  run.setting = setting;
  run.seed = static_cast<std::uint64_t>(number(trace.config, "seed", 0));
  run.repeat = repeat;
  run.status = trace.status;
  run.verdict = trace.verdict;
  run.config = std::move(trace.config);
  run.summary = std::move(trace.summary);
  return run;
}

std::string common_name(const Comparison& made, const std::string& algorithm) {
  std::string name;
  for (std::size_t e = 0; e < made.rows.size(); ++e) {
    if (made.rows[e].algorithm != algorithm) continue;
    const std::string& own = made.inquiry.entries[e].name;
    if ((!name.empty() && name != own) || own == fmt::format("{} ({})", algorithm, made.rows[e].setting))
      return algorithm;
    name = own;
  }
  return name;
}

std::string baseline_name(const Comparison& made) {
  const std::size_t first = made.inquiry.baselines.front();
  return made.inquiry.baselines.size() == 1 ? made.inquiry.entries[first].name
                                            : common_name(made, made.rows[first].algorithm);
}

std::vector<Comparison> judge_runs(const std::vector<std::string>& algorithms, const std::vector<ComparedRun>& runs,
                                   const std::vector<double>& targets, const std::string& baseline) {
  Runs for_all, for_each;
  std::set<double> own_targets(targets.begin(), targets.end());
  for (const ComparedRun& run : runs) {
    (run.for_target > 0 ? for_each : for_all).push_back(&run);
    if (run.for_target > 0) own_targets.insert(run.for_target);
  }
  std::vector<Comparison> made;
  if (!for_each.empty()) {
    const std::vector<double> all_targets(own_targets.begin(), own_targets.end());
    made.push_back(judge_table(algorithms, for_each, all_targets, baseline));
    made.back().title = "Step sizes that were found best for each target";
    if (!for_all.empty()) {
      made.push_back(judge_table(algorithms, for_all, all_targets, baseline));
      made.back().title = "One setting of step sizes for all targets";
      std::ranges::copy(warnings_of_choice(made[0], made[1]), std::back_inserter(made[0].warnings));
    }
  } else if (!for_all.empty()) {
    made.push_back(judge_table(algorithms, for_all, targets, baseline));
  }
  return made;
}

}  // namespace quantimed

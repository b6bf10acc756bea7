#include "command/comparison.hpp"

#include "base/error.hpp"

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
  row.final_loss = by_seed(kForever, [](const ComparedRun& run) { return run.curves.front().loss.back(); });
  const bool has_test = std::any_of(runs.begin(), runs.end(), [](const ComparedRun* run) {
    const std::vector<double>& accuracy = run->curves.front().accuracy;
    return !accuracy.empty() && !std::isnan(accuracy.back());
  });
  if (has_test)
    row.test_accuracy = by_seed(-kForever, [](const ComparedRun& run) {
      const std::vector<double>& accuracy = run.curves.front().accuracy;
      return accuracy.empty() ? kNoFigure : accuracy.back();
    });
  row.paper_bits = of_summary("paper_bits_per_coordinate");
  row.wire_bits = of_summary("wire_bits_per_coordinate");
  row.bytes_sent = of_summary("total_bytes");
  row.wait_share = of_summary("wait_share");
  for (const std::string& clock : made.inquiry.clocks)
    row.end_s.push_back(
        median(each(kNoFigure, [&](const ComparedRun& run) { return curve_on(run, clock).time.back(); })));
}

Comparison judge_table(const std::vector<std::string>& algorithms, Runs runs, const std::vector<double>& targets,
                       const std::string& baseline) {
  Comparison made;
  made.inquiry.clocks = common_clocks(runs);
  if (made.inquiry.clocks.empty())
    throw InputError("the runs have no clock in common; compare those of one --engine, with the same --bits");
  made.inquiry.targets = targets;
  find_entries(made, algorithms, runs);
  std::vector<std::size_t> baselines;
  for (std::size_t e = 0; e < made.rows.size(); ++e)
    if (made.rows[e].algorithm == baseline || made.inquiry.entries[e].name == baseline) baselines.push_back(e);
  if (baselines.size() == 1) made.inquiry.baseline = baselines.front();
  made.judgement = judge(made.inquiry);
  for (std::size_t e = 0; e < made.rows.size(); ++e) fill_row(made, runs, e);
  made.warnings = warnings(made, runs);
  return made;
}

}  // namespace

ComparedRun compared_run(Trace&& trace, const std::string& setting, std::uint32_t repeat) {
  const bool is_virtual = text(trace.config, "engine", "") == "virtual";
  const bool has_machine = !text(trace.config, "machine", "").empty() && text(trace.config, "machine", "") != "none";
  ClockedCurve curve;
  curve.clock = !is_virtual ? "real" : has_machine ? "machine" : text(trace.config, "bits", "paper");
  curve.time = std::move(trace.progress.time);
  curve.loss = std::move(trace.progress.loss);
  curve.accuracy = std::move(trace.progress.test_accuracy);
  ComparedRun run;
  run.algorithm = text(trace.config, "algorithm", "");
  run.setting = setting;
  run.seed = static_cast<std::uint64_t>(number(trace.config, "seed", 0));
  run.repeat = repeat;
  run.status = trace.status;
  run.verdict = trace.verdict;
  run.curves.push_back(std::move(curve));
  run.config = std::move(trace.config);
  run.summary = std::move(trace.summary);
  return run;
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
    made.back().title = "Step sizes that are best for each target";
    if (!for_all.empty()) {
      made.push_back(judge_table(algorithms, for_all, all_targets, baseline));
      made.back().title = "One setting of step sizes for all targets";
    }
  } else if (!for_all.empty()) {
    made.push_back(judge_table(algorithms, for_all, targets, baseline));
  }
  return made;
}

}  // namespace quantimed

#include "command/comparison.hpp"

#include "base/error.hpp"
#include "command/experiment.hpp"
#include "command/table_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace quantimed {

namespace {

constexpr const char* kBaseline = "dsgd";

bool counts(const ComparedRun& run) { return run.status == RunStatus::complete && run.verdict == "VALID"; }
const ClockedCurve& curve(const ComparedRun& run) { return run.curves.front(); }

double time_to(const ClockedCurve& curve, double target) {
  Progress progress;
  progress.time = curve.time;
  progress.loss = curve.loss;
  return time_to_target(progress, target);
}

// One line of the table.
struct Row {
  std::string algorithm;
  Spread time, speed_up, final_loss, accuracy;
  double paper_bits, wire_bits, wait_share;
  std::size_t missed, runs, left_out;
};

std::vector<double> collect(const std::vector<const ComparedRun*>& runs, auto figure) {
  std::vector<double> values;
  for (const ComparedRun* run : runs)
    if (counts(*run)) values.push_back(figure(*run));
  return values;
}

std::vector<const ComparedRun*> runs_of(const std::vector<ComparedRun>& results, const std::string& algorithm) {
  std::vector<const ComparedRun*> runs;
  for (const ComparedRun& run : results)
    if (run.algorithm == algorithm) runs.push_back(&run);
  return runs;
}

// The lowest loss that every run that counts has reached, so that none is left without a time; or the one given.
// NaN where there is none: no run counts, or one starts at the target already.
double choose_target(const std::vector<ComparedRun>& results, double given) {
  double target = given > 0 ? given : -kForever, start = kForever;
  for (const ComparedRun& run : results) {
    if (!counts(run)) continue;
    start = std::min(start, curve(run).loss.front());
    if (!(given > 0)) target = std::max(target, *std::min_element(curve(run).loss.begin(), curve(run).loss.end()));
  }
  return std::isfinite(start) && target < start ? target : std::nan("");
}

// Time of the baseline over time of this algorithm, for each seed and repeat that has both. 0 where only the baseline
// reached the target, ∞ where only this algorithm did.
std::vector<double> paired_speed_ups(const std::vector<const ComparedRun*>& runs,
                                     const std::vector<const ComparedRun*>& baseline, double target) {
  std::vector<double> ratios;
  for (const ComparedRun* run : runs)
    for (const ComparedRun* other : baseline)
      if (run->seed == other->seed && run->repeat == other->repeat && counts(*run) && counts(*other)) {
        const double mine = time_to(curve(*run), target), theirs = time_to(curve(*other), target);
        if (std::isfinite(mine) || std::isfinite(theirs)) ratios.push_back(theirs / mine);  // ∞ / x, x / ∞ = 0
      }
  return ratios;
}

Row make_row(const std::vector<ComparedRun>& results, const std::string& algorithm, double target) {
  const auto runs = runs_of(results, algorithm);
  const auto times = collect(runs, [&](const ComparedRun& r) { return time_to(curve(r), target); });
  const auto median_of = [&](const char* name) {
    return spread(collect(runs, [&](const ComparedRun& r) { return number(r.summary, name, std::nan("")); })).median;
  };
  return {.algorithm = algorithm,
          .time = spread(times),
          .speed_up = spread(paired_speed_ups(runs, runs_of(results, kBaseline), target)),
          .final_loss = spread(collect(runs, [](const ComparedRun& r) { return curve(r).loss.back(); })),
          .accuracy = spread(collect(runs, [](const ComparedRun& r) { return curve(r).accuracy.back(); })),
          .paper_bits = median_of("paper_bits_per_coordinate"),
          .wire_bits = median_of("wire_bits_per_coordinate"),
          .wait_share = median_of("wait_share"),
          .missed = static_cast<std::size_t>(
              std::count_if(times.begin(), times.end(), [](double t) { return std::isinf(t); })),
          .runs = runs.size(),
          .left_out = runs.size() - times.size()};
}

std::string format_table(const std::vector<Row>& rows, const std::vector<std::string>& header) {
  std::vector<std::vector<std::string>> cells = {header};
  for (const Row& row : rows)
    cells.push_back({row.algorithm, spread_text(row.time, " s"), spread_text(row.speed_up, "×", "∞"),
                     spread_text(row.final_loss),
                     std::isnan(row.accuracy.median) ? "—" : fmt::format("{:.1f} %", 100 * row.accuracy.median),
                     std::isnan(row.wire_bits) ? "—" : fmt::format("{:.4g} / {:.2f}", row.paper_bits, row.wire_bits),
                     std::isnan(row.wait_share) ? "—" : fmt::format("{:.1f} %", 100 * row.wait_share),
                     fmt::format("{} of {}", row.runs - row.missed - row.left_out, row.runs)});
  return table_text(cells);
}

// What the table says, in a sentence, and what keeps it from saying so.
std::string verdict(const std::vector<ComparedRun>& results, const std::vector<Row>& rows, double target) {
  std::string text;
  std::vector<std::string> invalid;
  for (const ComparedRun& run : results)
    if (run.verdict != "VALID") invalid.push_back(run.verdict);
  for (const auto& [why, runs] : tally(invalid)) text += fmt::format("{} ({} of {} runs)\n", why, runs, results.size());
  for (const Row& row : rows)
    if (row.left_out > 0)
      text += fmt::format("{}: {} of {} runs diverged, were stopped or are INVALID, and are not in the table\n",
                          row.algorithm, row.left_out, row.runs);
  if (std::isnan(target))
    return text + "There is no target to compare times to: no run counts, or one starts below the target.\n";
  const auto fastest = std::min_element(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::isnan(b.time.median) || a.time.median < b.time.median;
  });
  if (fastest == rows.end() || !std::isfinite(fastest->time.median)) return text + "No algorithm reached the target.\n";
  text += fmt::format("Fastest to the target: {}", fastest->algorithm);
  for (const Row& row : rows) {
    if (&row == &*fastest || std::isnan(row.time.median)) continue;
    const Spread ratio =
        spread(paired_speed_ups(runs_of(results, fastest->algorithm), runs_of(results, row.algorithm), target));
    text += std::isinf(ratio.median) ? fmt::format("; {} missed it", row.algorithm)
                                     : fmt::format("; {:.2f}× [{:.2f}–{:.2f}] faster than {}", ratio.median, ratio.min,
                                                   ratio.max, row.algorithm);
  }
  return text + ".\n";
}

}  // namespace

ComparedRun compared_run(Trace&& trace, const std::string& setting, std::uint32_t repeat) {
  const bool is_virtual = text(trace.config, "engine", "") == "virtual";
  ClockedCurve curve;
  curve.clock = is_virtual ? text(trace.config, "bits", "paper") : "real";
  curve.time = std::move(trace.progress.time);
  curve.loss = std::move(trace.progress.loss);
  curve.accuracy = std::move(trace.progress.test_accuracy);
  return {.algorithm = text(trace.config, "algorithm", ""),
          .setting = setting,
          .seed = static_cast<std::uint64_t>(number(trace.config, "seed", 0)),
          .repeat = repeat,
          .status = trace.status,
          .verdict = trace.verdict,
          .curves = {std::move(curve)},
          .config = std::move(trace.config),
          .summary = std::move(trace.summary)};
}

std::string comparison_text(const std::vector<std::string>& algorithms, const std::vector<ComparedRun>& runs,
                            double target_loss) {
  const double target = choose_target(runs, target_loss);
  std::vector<Row> rows;
  rows.reserve(algorithms.size());
  for (const std::string& algorithm : algorithms) rows.push_back(make_row(runs, algorithm, target));
  std::set<std::uint64_t> seeds;
  std::set<std::uint32_t> repeats;
  for (const ComparedRun& run : runs) {
    seeds.insert(run.seed);
    repeats.insert(run.repeat);
  }
  return fmt::format(
      "{} runs of each (seeds {}{}); median [min–max]; target {}\n\n{}\n{}", seeds.size() * repeats.size(),
      fmt::join(seeds, ", "), repeats.size() > 1 ? fmt::format("; {} repeats", repeats.size()) : "",
      target_loss > 0 ? "given" : "the lowest loss that every run reached",
      format_table(rows, {"algorithm", std::isnan(target) ? "no target" : fmt::format("time to loss {:.4g}", target),
                          fmt::format("speed-up over {}", kBaseline), "final loss", "test accuracy",
                          "bits: paper / wire", "waiting", "reached"}),
      verdict(runs, rows, target));
}

}  // namespace quantimed

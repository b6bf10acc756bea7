// SPDX-License-Identifier: BSD-3-Clause
#include "command/theory_report.hpp"

#include "base/error.hpp"
#include "command/outputs.hpp"
#include "command/table_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace quantimed {

namespace {

constexpr const char* kAxisNames[] = {"T", "max(E[1/V]/T_d, 1/m)", "1 - beta"};

double value_of(const TheoryRun& run, Quantity q) {
  return run.curve.empty() ? std::nan("") : run.curve.back().values[static_cast<std::size_t>(q)];
}

std::string number_text(double value) { return std::isnan(value) ? "" : fmt::format("{:.9g}", value); }

std::string quantities_text(const Quantities& values) {
  std::string text;
  for (const double value : values) text += fmt::format(",{}", number_text(value));
  return text;
}

std::string quantity_head() {
  std::string text;
  for (const QuantityRow& row : quantity_table()) text += fmt::format(",{}", row.name);
  return text;
}

std::string measurements(const std::vector<TheoryPoint>& points, const TheoryResults& results) {
  std::string csv = fmt::format(
      "point,x,seed,horizon,alpha,epsilon,deadline_s,spectral_gap,mean_batch,end_time_s,invalid{}\n", quantity_head());
  for (std::size_t k = 0; k < points.size(); ++k)
    for (const TheoryRun& run : results.runs[k]) {
      if (run.curve.empty()) continue;
      const Config& c = points[k].config;
      csv += fmt::format("{},{:.9g},{},{},{},{},{},{:.9g},{:.6g},{:.9g},\"{}\"{}\n", points[k].label, points[k].x,
                         run.seed, c.iterations, c.alpha, c.epsilon, c.deadline, points[k].setup->network.spectral_gap,
                         run.mean_batch, run.end_time_s, run.invalid, quantities_text(run.curve.back().values));
    }
  return csv;
}

std::string curves(const std::vector<TheoryPoint>& points, const TheoryResults& results) {
  std::string csv = fmt::format("point,seed,iteration,time_s{}\n", quantity_head());
  for (std::size_t k = 0; k < points.size(); ++k)
    for (const TheoryRun& run : results.runs[k])
      for (const CurvePoint& at : run.curve)
        csv += fmt::format("{},{},{},{:.9g}{}\n", points[k].label, run.seed, at.iteration, at.time,
                           quantities_text(at.values));
  return csv;
}

struct FitRow {
  Quantity quantity;
  PowerFit fit;
  std::optional<Promise> promised;
  Finding finding;
  std::vector<double> mean;  // [points], over seeds
};

double mean_of(const std::vector<TheoryRun>& runs, Quantity q) {
  double sum = 0;
  std::size_t count = 0;
  for (const TheoryRun& run : runs)
    if (run.invalid.empty()) {
      sum += value_of(run, q);
      ++count;
    }
  return count == 0 ? std::nan("") : sum / static_cast<double>(count);
}

// T α ε μ: how often the initial error has been divided by e. NaN where f is not strongly convex.
double progress_of(const TheoryPoint& point, double mu) {
  if (!(mu > 0)) return std::nan("");
  return point.config.iterations * std::stod(point.config.alpha) * std::stod(point.config.epsilon) * mu;
}

// The same figure without the first iterations: where it is far below the mean over all, the mean is the start's.
std::optional<Quantity> later_part_of(Quantity q) {
  switch (q) {
    case Quantity::average_gap:
      return Quantity::late_average_gap;
    case Quantity::mean_gradient:
      return Quantity::gradient;
    case Quantity::mean_consensus:
      return Quantity::consensus;
    default:
      return {};
  }
}

// Whether this horizon measures the initial error rather than what the theorem's rate is about.
bool is_start(Quantity q, const TheoryPoint& point, const std::vector<TheoryRun>& runs, const TheoryResults& results) {
  if (results.axis != Axis::horizon || q == Quantity::bias) return false;
  if (const auto later = later_part_of(q)) return mean_of(runs, *later) < kLeastLateShare * mean_of(runs, q);
  return progress_of(point, results.smoothness.mu) < kLeastProgress;  // false where f is not strongly convex
}

// The first point from which on no horizon measures the start.
std::size_t first_beyond_start(Quantity q, const std::vector<TheoryPoint>& points, const TheoryResults& results) {
  std::size_t first = points.size();
  while (first > 0 && !is_start(q, points[first - 1], results.runs[first - 1], results)) --first;
  return first;
}

// Nothing where a run is missing or does not count, or a value is not above 0.
std::optional<FitRow> fit_quantity(Quantity q, const std::vector<TheoryPoint>& points, const TheoryResults& results,
                                   const Config& given) {
  FitRow row{.quantity = q, .fit = {}, .promised = {}, .finding = {"no bound", ""}, .mean = {}};
  std::vector<double> x;
  std::vector<std::vector<double>> y;
  for (std::size_t k = 0; k < points.size(); ++k) {
    x.push_back(points[k].x);
    y.emplace_back();
    for (const TheoryRun& run : results.runs[k]) {
      const double value = value_of(run, q);
      if (!run.invalid.empty() || !(value > 0)) return {};
      y.back().push_back(value);
    }
    row.mean.push_back(mean_of(results.runs[k], q));
  }
  std::size_t first = first_beyond_start(q, points, results);
  std::string reason;
  if (points.size() - first < kLeastPoints) {
    const std::string& last = points[first - 1].label;
    reason = later_part_of(q) ? fmt::format("the first iterations are most of the mean up to T = {}", last)
                              : fmt::format("the start counts up to T = {}, where T alpha epsilon mu is below {:g}",
                                            last, kLeastProgress);
    first = 0;
  }
  const auto from = static_cast<std::ptrdiff_t>(first);
  row.fit = fit_power(std::span(x).subspan(first), {y.begin() + from, y.end()}, given.seeds.front());
  row.fit.first += first;
  const bool is_covered = given.algorithm == "quantimed-dsgd" && given.activation != "relu";
  if (is_covered) row.promised = promise(results.schedule, results.axis, q);
  if (row.promised) row.finding = judge_bound(row.fit, *row.promised, results.axis, q, reason);
  if (row.finding.text == kNoViolation) row.finding.text += fmt::format(" on {} graphs", points.size());
  return row;
}

// The exponent between the last two points: where a bent slope is heading.
double last_exponent(const FitRow& row, const std::vector<TheoryPoint>& points) {
  const std::size_t n = points.size();
  return std::log(row.mean[n - 1] / row.mean[n - 2]) / std::log(points[n - 1].x / points[n - 2].x);
}

// y / x^promise at the ends of the range: it must stay bounded.
std::string bounded_text(const FitRow& row, const std::vector<TheoryPoint>& points) {
  if (!row.promised) return "—";
  const auto at = [&](std::size_t k) { return row.mean[k] / std::pow(points[k].x, row.promised->exponent); };
  return fmt::format("{:.3g}, {:.3g}", at(row.fit.first), at(points.size() - 1));
}

std::string finding_text(const Finding& finding) {
  return finding.reason.empty() ? finding.text : fmt::format("{}: {}", finding.text, finding.reason);
}

std::string fits_csv(const std::vector<FitRow>& rows, const std::vector<TheoryPoint>& points) {
  std::string csv =
      "quantity,exponent,low,high,bound,finding,reason,first,last,is_straight,log_constant,last_exponent,bounded\n";
  for (const FitRow& row : rows)
    csv += fmt::format("{},{:.6g},{:.6g},{:.6g},{},{},\"{}\",{},{},{},{:.9g},{:.6g},\"{}\"\n",
                       row_of(row.quantity).name, row.fit.exponent, row.fit.low, row.fit.high,
                       row.promised ? fmt::format("{:.6g}", row.promised->exponent) : "", row.finding.text,
                       row.finding.reason, points[row.fit.first].label, points.back().label, row.fit.is_straight,
                       row.fit.log_constant, last_exponent(row, points), bounded_text(row, points));
  return csv;
}

// Which term this horizon measures, of the quantity that the theorem is about.
std::string dominating(const TheoryPoint& point, const std::vector<TheoryRun>& runs, const TheoryResults& results) {
  if (const double progress = progress_of(point, results.smoothness.mu); !std::isnan(progress)) {
    double at_start = 0;
    for (const TheoryRun& run : runs)
      if (run.invalid.empty() && !run.curve.empty())
        at_start = run.curve.front().values[static_cast<std::size_t>(Quantity::distance)];
    return terms_of(progress, at_start, mean_of(runs, Quantity::penalty_distance), mean_of(runs, Quantity::bias))
        .largest();
  }
  const Quantity q =
      results.schedule.kind == StepSchedule::Kind::nonconvex ? Quantity::mean_gradient : Quantity::average_gap;
  return is_start(q, point, runs, results) ? "start" : "noise, bias";
}

std::string values_table(const std::vector<Quantity>& quantities, const std::vector<TheoryPoint>& points,
                         const TheoryResults& results) {
  const bool is_horizon = results.axis == Axis::horizon;
  std::vector<std::vector<std::string>> lines = {
      {"point", kAxisNames[static_cast<int>(results.axis)], "alpha", "epsilon"}};
  if (is_horizon) lines[0] = {"T", "alpha", "epsilon", "T alpha epsilon mu", "dominated by"};
  for (const Quantity q : quantities) lines[0].push_back(row_of(q).name);
  for (std::size_t k = 0; k < points.size(); ++k) {
    const std::string alpha = fmt::format("{:.3g}", std::stod(points[k].config.alpha));
    const std::string epsilon = fmt::format("{:.3g}", std::stod(points[k].config.epsilon));
    const double progress = progress_of(points[k], results.smoothness.mu);
    if (is_horizon)
      lines.push_back({points[k].label, alpha, epsilon, std::isnan(progress) ? "—" : fmt::format("{:.3g}", progress),
                       dominating(points[k], results.runs[k], results)});
    else
      lines.push_back({points[k].label, fmt::format("{:.4g}", points[k].x), alpha, epsilon});
    for (const Quantity q : quantities) {
      const double mean = mean_of(results.runs[k], q);
      lines.back().push_back(std::isnan(mean) ? "—" : fmt::format("{:.3g}", mean));
    }
  }
  return table_text(lines);
}

std::string fits_table(const std::vector<FitRow>& rows, const std::vector<TheoryPoint>& points, Axis axis) {
  const char* x = kAxisNames[static_cast<int>(axis)];
  std::vector<std::vector<std::string>> lines = {{"quantity", fmt::format("exponent of {}", x), "95 % interval",
                                                  "bound", "finding", "range", "exponent of the last two points",
                                                  "y over the bound's power of x, first and last"}};
  for (const FitRow& row : rows)
    lines.push_back({row_of(row.quantity).name, fmt::format("{:.3f}", row.fit.exponent),
                     fmt::format("{:.3f} to {:.3f}", row.fit.low, row.fit.high),
                     row.promised ? fmt::format("{:.3f}", row.promised->exponent) : "—", finding_text(row.finding),
                     fmt::format("{} to {}{}", points[row.fit.first].label, points.back().label,
                                 row.fit.is_straight ? "" : ", bent"),
                     fmt::format("{:.3f}", last_exponent(row, points)), bounded_text(row, points)});
  return table_text(lines);
}

// What an axis cannot show, said beside what it does.
std::string limits_of_axis(const std::vector<TheoryPoint>& points, const TheoryResults& results) {
  if (results.axis == Axis::graph)
    return fmt::format(
        "\nThe bound is for the worst graph, and {} graphs were run on one problem at one T: they can contradict it, "
        "not confirm it.\n",
        points.size());
  if (results.axis != Axis::deadline) return "";
  const bool reaches = std::ranges::any_of(points, [](const TheoryPoint& point) {
    return point.noise_share > point.seconds_a_sample / std::stod(point.config.deadline);
  });
  return fmt::format("\nmax(E[1/V]/T_d, 1/m): {}\n",
                     reaches ? "the longest deadline reaches the branch 1/m."
                             : "no deadline reaches the branch 1/m; what is shown is the branch E[1/V]/T_d alone.");
}

std::string constants_csv(const std::vector<Constant>& constants) {
  std::string csv = "name,value,formula\n";
  for (const Constant& c : constants) csv += fmt::format("{},{:.9g},\"{}\"\n", c.name, c.value, c.formula);
  return csv;
}

std::string constants_text(const std::vector<Constant>& constants) {
  std::vector<std::vector<std::string>> lines = {{"constant", "value", "what it is"}};
  for (const Constant& c : constants) lines.push_back({c.name, fmt::format("{:.4g}", c.value), c.formula});
  return table_text(lines);
}

std::string failures(const std::vector<TheoryPoint>& points, const TheoryResults& results) {
  std::string text;
  for (std::size_t k = 0; k < points.size(); ++k)
    for (const TheoryRun& run : results.runs[k])
      if (!run.invalid.empty())
        text += fmt::format("INVALID: {}, seed {}: {}\n", points[k].label, run.seed, run.invalid);
  return text;
}

}  // namespace

std::vector<Quantity> theory_quantities(const Config& given, const TheoryResults& results, bool has_solution) {
  std::vector<Quantity> list;
  for (const std::string& name : given.quantities) {
    const Quantity q = parse_quantity("--quantities", name);
    if (row_of(q).needs_solution && !has_solution)
      throw InputError("--quantities {}: needs the solution, which is not known for --model {}", name, given.model);
    list.push_back(q);
  }
  if (list.empty())
    for (const QuantityRow& row : quantity_table())
      if (promise(results.schedule, results.axis, row.quantity) && (has_solution || !row.needs_solution))
        list.push_back(row.quantity);
  return list;
}

std::string write_theory(const std::string& folder, const Config& given, const std::vector<TheoryPoint>& points,
                         const TheoryResults& results) {
  const bool has_solution = points.front().reference.problem != nullptr;
  const std::vector<Quantity> quantities = theory_quantities(given, results, has_solution);
  std::vector<FitRow> rows;
  std::string missing;
  for (const Quantity q : quantities) {
    if (const auto row = fit_quantity(q, points, results, given))
      rows.push_back(*row);
    else
      missing += fmt::format("{}: no fit, for a run is missing, does not count, or its value is not above 0\n",
                             row_of(q).name);
  }
  const Config& c = points.front().config;
  std::string text = fmt::format(
      "{}, {}, {} nodes of {} samples, {}, {}, {}, c1 {}, c2 {}, batch {}, deadline {}, seeds {}\n\n{}\n{}\n{}{}{}",
      given.algorithm, points.front().setup->problem->description(), c.nodes, points.front().setup->shards.per_node,
      results.axis == Axis::graph ? "graph varied" : c.graph, given.codec, given.schedule, given.c1, given.c2, c.batch,
      results.axis == Axis::deadline ? "varied" : c.deadline, fmt::join(given.seeds, ", "),
      constants_text(results.constants), values_table(quantities, points, results),
      rows.empty() ? "" : fmt::format("\n{}", fits_table(rows, points, results.axis)),
      limits_of_axis(points, results) + missing, failures(points, results));
  write_text(folder + "/measurements.csv", measurements(points, results));
  write_text(folder + "/curves.csv", curves(points, results));
  write_text(folder + "/fits.csv", fits_csv(rows, points));
  write_text(folder + "/constants.csv", constants_csv(results.constants));
  write_text(folder + "/table.md", table_mark("theory") + text);
  return text;
}

}  // namespace quantimed

#include "command/theory_report.hpp"

#include "base/error.hpp"
#include "command/table_text.hpp"
#include "theory/estimates.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace quantimed {

namespace {

// A promise is of the limit; over the range that can be run a slope differs from its limit by a little. So much of the
// promised exponent counts as kept.
constexpr double kBend = 0.1;
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
  std::string outcome;
};

// Nothing where a run is missing or does not count, or a value is not above 0.
std::optional<FitRow> fit_quantity(Quantity q, const std::vector<TheoryPoint>& points, const TheoryResults& results,
                                   const Config& given) {
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
  }
  FitRow row{.quantity = q, .fit = fit_power(x, y, given.seeds.front()), .promised = {}, .outcome = "no promise"};
  const bool is_covered = given.algorithm == "quantimed-dsgd" && given.activation != "relu";
  if (is_covered) row.promised = promise(results.schedule, results.axis, q);
  if (row.promised) row.outcome = verdict(row.fit, *row.promised, results.axis);
  return row;
}

std::string fits_csv(const std::vector<FitRow>& rows, const std::vector<TheoryPoint>& points) {
  std::string csv = "quantity,exponent,low,high,promised,verdict,first,last,is_straight,log_constant\n";
  for (const FitRow& row : rows)
    csv += fmt::format("{},{:.6g},{:.6g},{:.6g},{},{},{},{},{},{:.9g}\n", row_of(row.quantity).name, row.fit.exponent,
                       row.fit.low, row.fit.high, row.promised ? fmt::format("{:.6g}", row.promised->exponent) : "",
                       row.outcome, points[row.fit.first].label, points.back().label, row.fit.is_straight,
                       row.fit.log_constant);
  return csv;
}

std::string values_table(const std::vector<Quantity>& quantities, const std::vector<TheoryPoint>& points,
                         const TheoryResults& results) {
  std::vector<std::vector<std::string>> lines = {{"", kAxisNames[static_cast<int>(results.axis)], "alpha", "epsilon"}};
  for (const Quantity q : quantities) lines[0].push_back(row_of(q).name);
  for (std::size_t k = 0; k < points.size(); ++k) {
    lines.push_back({points[k].label, fmt::format("{:.4g}", points[k].x),
                     fmt::format("{:.3g}", std::stod(points[k].config.alpha)),
                     fmt::format("{:.3g}", std::stod(points[k].config.epsilon))});
    for (const Quantity q : quantities) {
      std::vector<double> values;
      for (const TheoryRun& run : results.runs[k])
        if (run.invalid.empty()) values.push_back(value_of(run, q));
      double mean = 0;
      for (const double value : values) mean += value / static_cast<double>(values.size());
      lines.back().push_back(values.empty() ? "—" : fmt::format("{:.3g}", mean));
    }
  }
  return table_text(lines);
}

std::string fits_table(const std::vector<FitRow>& rows, const std::vector<TheoryPoint>& points, Axis axis) {
  std::vector<std::vector<std::string>> lines = {{"quantity",
                                                  fmt::format("exponent of {}", kAxisNames[static_cast<int>(axis)]),
                                                  "95 % interval", "promised", "verdict", "range"}};
  for (const FitRow& row : rows)
    lines.push_back({row_of(row.quantity).name, fmt::format("{:.3f}", row.fit.exponent),
                     fmt::format("{:.3f} to {:.3f}", row.fit.low, row.fit.high),
                     row.promised ? fmt::format("{:.3f}", row.promised->exponent) : "—", row.outcome,
                     fmt::format("{} to {}{}", points[row.fit.first].label, points.back().label,
                                 row.fit.is_straight ? "" : ", bent")});
  return table_text(lines);
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

std::string verdict(const PowerFit& fit, const Promise& promise, Axis axis) {
  const double slack = kBend * std::abs(promise.exponent);
  if (fit.low <= promise.exponent + slack && promise.exponent - slack <= fit.high) return "as promised";
  const bool is_below = fit.high < promise.exponent;
  return is_below == (axis == Axis::horizon) ? "better than promised" : "worse than promised";
}

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

std::vector<Constant> theory_constants(const std::vector<TheoryPoint>& points, std::uint64_t seed,
                                       const Smoothness& smoothness) {
  const TheoryPoint& point = points.back();
  const Setup& setup = *point.setup;
  const Reference& reference = point.reference;
  std::vector<float> x(setup.problem->dimension());
  setup.problem->initialise(x, seed);
  std::vector<Constant> list;
  const std::string where = reference.minimum ? "x*" : "the start";
  if (reference.minimum) {
    std::copy(reference.minimum->x.begin(), reference.minimum->x.end(), x.begin());
    double most_error = 0;
    for (const TheoryPoint& p : points) most_error = std::max(most_error, p.reference.penalty.error);
    list = {{"mu", "min_i least eigenvalue of the Hessian of f_i (logistic: of its l2 term)", smoothness.mu},
            {"K", "max_i largest eigenvalue of the Hessian of f_i (logistic: at most)", smoothness.K},
            {"f*", "min f", reference.minimum->value},
            {"|grad f(x*)|", "what is left at x*", reference.minimum->gradient_norm},
            {"error of x*_a", "bound on |x - x*_a| of the computed one, the largest of all points", most_error},
            {"|x*|^2", "squared norm", dot(reference.minimum->x, reference.minimum->x)},
            {"float32 floor", "|x*|^2 2^-48: what float32 can tell of a squared distance",
             dot(reference.minimum->x, reference.minimum->x) * 0x1.0p-48},
            {"gamma^2", "max_i (1/m) sum |grad l(x, theta) - grad f_i(x)|^2 at x*",
             gradient_noise(*reference.problem, reference.minimum->x)},
            {"D^2", "(1/n) sum_i |grad f_i(x*)|^2", disagreement(*reference.problem, reference.minimum->x)}};
  } else {
    list = {{"K", "largest |eigenvalue| of the Hessian of f at the start: no more than K",
             estimate_curvature(*setup.problem, setup.shards, x, seed)},
            {"gamma^2", "max_i (1/m) sum |grad l(x, theta) - grad f_i(x)|^2 at the start",
             estimate_gradient_noise(*setup.problem, setup.shards, x)}};
  }
  list.push_back({"sigma^2", fmt::format("E|Q(x) - x|^2 at {}, mean of 200 draws", where),
                  quantizer_variance(*setup.codec, x, seed)});
  list.push_back({"sigma^2 bound", fmt::format("the quantizer's bound at {}", where), setup.codec->variance_bound(x)});
  list.push_back({"beta", "second-largest |eigenvalue| of W, of the last point", setup.network.beta});
  list.push_back({"E[1/V]", "s a sample, mean over nodes and iterations", point.seconds_a_sample});
  list.push_back(
      {"max(E[1/V]/T_d, 1/m)", "the deadline's part in the gradient's noise, of the last point", point.noise_share});
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
      rows.empty() ? "" : fmt::format("\n{}", fits_table(rows, points, results.axis)), missing,
      failures(points, results));
  write_text(folder + "/measurements.csv", measurements(points, results));
  write_text(folder + "/curves.csv", curves(points, results));
  write_text(folder + "/fits.csv", fits_csv(rows, points));
  write_text(folder + "/constants.csv", constants_csv(results.constants));
  write_text(folder + "/table.md", text);
  return text;
}

}  // namespace quantimed

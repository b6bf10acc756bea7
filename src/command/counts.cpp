// SPDX-License-Identifier: BSD-3-Clause
#include "command/counts.hpp"

#include "machine/counters.hpp"
#include "statistics/arrival.hpp"
#include "trace/columns.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace quantimed {

namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kLost = "the run was killed and resumed, and what was counted before is not known";

void put(Attributes& account, const std::string& name, const std::string& value) {
  std::erase_if(account, [&](const auto& entry) { return entry.first == name; });
  account.emplace_back(name, value);
}

std::string reason(const Counters* counters, const std::string& what) {
  return counters ? text(counters->account, what + "_missing", kLost) : kLost;
}

// Of both parts together: what one of them lacks the whole lacks.
void add_earlier(Counters& counters, const Counters* earlier) {
  columns::for_each(columns::kCounters, [&](const auto& column) {
    std::vector<double>& values = counters.*column.values;
    if (values.empty()) return;
    const bool is_share = column.values == &Counters::counted_share;
    if (earlier && !(earlier->*column.values).empty()) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        const double before = (earlier->*column.values)[i];
        values[i] = is_share ? std::min(values[i], before) : values[i] + before;
      }
      return;
    }
    values.clear();
    if (!is_share) put(counters.account, fmt::format("{}_missing", column.name), reason(earlier, column.name));
  });
}

// What the part before the cut took, as its curve and its end have it. Empty where that is not known.
EnergyCurve energy_of(const Trace& before) {
  EnergyCurve curve;
  const double end_j = number(before.summary, "energy_j", kUnknown);
  if (!before.counters || before.progress.energy_j.empty() || std::isnan(end_j)) return curve;
  for (std::size_t k = 0; k < before.progress.time.size(); ++k)
    curve.end(before.progress.time[k], before.progress.energy_j[k]);
  curve.end(std::max(number(before.summary, "end_time_s", 0), before.progress.time.back()), end_j);
  return curve;
}

// Of all nodes; NaN where one of them lacks it.
double total(const std::vector<double>& values) {
  return values.empty() ? kUnknown : std::accumulate(values.begin(), values.end(), 0.0);
}

void add_totals(Trace& trace, const EnergyCurve& energy) {
  Attributes& summary = trace.summary;
  columns::for_each(columns::kCounters, [&](const auto& column) {
    if (column.values == &Counters::counted_share) return;
    if (const double all = total((*trace.counters).*column.values); !std::isnan(all))
      summary.emplace_back(column.name, all);
  });
  if (energy.empty()) return;
  const double end_s = number(summary, "end_time_s", kUnknown), energy_j = energy.at(end_s);
  summary.emplace_back("energy_j", energy_j);
  if (const double target = number(summary, "target_loss", 0); target > 0)
    summary.emplace_back("energy_to_target_j",
                         energy_at(trace.progress, arrival(trace.progress.time, trace.progress.loss, target).time));
}

std::string line_of_counts(const Trace& trace) {
  const auto figure = [&](const char* name) { return number(trace.summary, name, kUnknown); };
  std::vector<std::string> parts;
  if (const double cycles = figure("cycles"); !std::isnan(cycles))
    parts.push_back(fmt::format("{:.4g} cycles", cycles));
  if (const double done = figure("instructions"); !std::isnan(done))
    parts.push_back(
        fmt::format("{:.4g} instructions{}", done,
                    std::isnan(figure("cycles")) ? "" : fmt::format(" ({:.2f} a cycle)", done / figure("cycles"))));
  if (const double misses = figure("cache_misses"); !std::isnan(misses))
    parts.push_back(fmt::format("{:.4g} misses of the last-level cache", misses));
  if (const double stalled = figure("stalled_cycles"); !std::isnan(stalled))
    parts.push_back(std::isnan(figure("cycles"))
                        ? fmt::format("{:.4g} cycles stalled", stalled)
                        : fmt::format("{:.1f} % of cycles stalled", 100 * stalled / figure("cycles")));
  if (parts.empty()) return {};
  const std::vector<double>& shares = trace.counters->counted_share;
  if (const double least = shares.empty() ? 1 : *std::ranges::min_element(shares); least < 1)
    parts.push_back(fmt::format("scaled up: counted for {:.0f} % of the time", 100 * least));
  return fmt::format("  counters    {}; of all nodes, while they wait too\n", fmt::join(parts, ", "));
}

}  // namespace

void add_counters(Trace& trace, const Counters& counters, const EnergyCurve& energy, const Trace* before) {
  trace.counters = counters;
  EnergyCurve whole = energy;
  if (before) {
    const Counters* earlier = before->counters ? &*before->counters : nullptr;
    add_earlier(*trace.counters, earlier);
    whole = energy_of(*before);
    if (whole.empty() && !energy.empty()) {
      std::erase_if(trace.counters->account, [](const auto& entry) { return entry.first == "energy_source"; });
      put(trace.counters->account, "energy_missing", reason(earlier, "energy"));
    }
    if (whole.empty() || energy.empty())
      whole = {};
    else
      whole.append(energy);
  }
  trace.progress.energy_j.clear();
  if (!whole.empty())
    for (const double time : trace.progress.time) trace.progress.energy_j.push_back(whole.at(time));
  add_totals(trace, whole);
}

double energy_at(std::span<const double> time_s, std::span<const double> energy_j, double at_s) {
  if (energy_j.empty() || std::isnan(at_s)) return kUnknown;
  if (std::isinf(at_s)) return kForever;
  EnergyCurve energy;
  for (std::size_t k = 0; k < time_s.size(); ++k) energy.end(time_s[k], energy_j[k]);
  return energy.at(at_s);
}

std::string counts_text(const Trace& trace) {
  if (!trace.counters) return {};
  std::string text_of_all;
  const double energy_j = number(trace.summary, "energy_j", kUnknown), end_s = number(trace.summary, "end_time_s", 0);
  if (trace.verdict.is_valid()) text_of_all = line_of_counts(trace);
  if (trace.verdict.is_valid() && !std::isnan(energy_j))
    text_of_all +=
        fmt::format("  energy      {:.4g} J, {:.4g} W, of whole processor packages, other programs included ({})\n",
                    energy_j, end_s > 0 ? energy_j / end_s : 0.0, text(trace.counters->account, "energy_source", ""));
  std::vector<std::pair<std::string, std::vector<std::string>>> missing;  // names by their reason
  constexpr std::string_view kEnding = "_missing";
  for (const auto& [name, value] : trace.counters->account) {
    if (!name.ends_with(kEnding)) continue;
    const std::string why = to_text(value), what = name.substr(0, name.size() - kEnding.size());
    const auto known = std::ranges::find(missing, why, [](const auto& one) { return one.first; });
    if (known == missing.end())
      missing.push_back({why, {what}});
    else
      known->second.push_back(what);
  }
  for (const auto& [why, names] : missing)
    text_of_all += fmt::format("  not counted {}: {}\n", fmt::join(names, ", "), why);
  return text_of_all;
}

}  // namespace quantimed

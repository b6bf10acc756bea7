// SPDX-License-Identifier: BSD-3-Clause
// The list of checks, and those that are about words and totals.
#include "trace/checks.hpp"
#include "trace/columns.hpp"
#include "trace/shapes.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>
#include <limits>
#include <string_view>

namespace quantimed {

namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

std::string sealed(const Trace& trace) {
  return trace.is_sealed ? "" : "its seal is gone: changed since it was written";
}

std::string words(const Trace& trace) {
  if (std::find(std::begin(columns::kStatuses), std::end(columns::kStatuses), trace.status) ==
      std::end(columns::kStatuses))
    return fmt::format("the status has the unknown number {}", static_cast<int>(trace.status));
  if (!trace.verdict.is_known())
    return fmt::format("the verdict is \"{}\", neither VALID nor INVALID: with a reason", trace.verdict);
  return {};
}

// 2025-01-31T12:34:56, and whatever follows (a fraction, Z)
std::string creation_time(const Trace& trace) {
  constexpr std::string_view kPattern = "0000-00-00T00:00:00";
  const auto fits = [](char pattern, char given) {
    return pattern == '0' ? std::isdigit(static_cast<unsigned char>(given)) != 0 : pattern == given;
  };
  if (trace.created.size() < kPattern.size() ||
      !std::equal(kPattern.begin(), kPattern.end(), trace.created.begin(), fits))
    return fmt::format("created is \"{}\"", trace.created);
  return {};
}

// The texts and numbers that everything else is told apart by.
std::string config_types(const Trace& trace) {
  for (const char* name : {"algorithm", "engine", "dataset"}) {
    const Attribute* value = find(trace.config, name);
    if (value != nullptr && !std::holds_alternative<std::string>(*value))
      return fmt::format("{} is {}, and should be a text", name, to_text(*value));
  }
  for (const char* name : {"seed", "nodes", "iterations", "batch"}) {
    const Attribute* value = find(trace.config, name);
    const double is = number(trace.config, name, kNothing);  // a seed beyond 2^63 is kept as a double
    if (value != nullptr && !(is >= 0 && is == std::floor(is)))
      return fmt::format("{} is {}, and should be a whole number", name, to_text(*value));
  }
  return {};
}

std::string node_count(const Trace& trace) {
  const double nodes = number(trace.config, "nodes", kNothing);
  if (nodes == trace.network.nodes) return {};
  return fmt::format("/config says {} nodes, /network has {}", nodes, trace.network.nodes);
}

std::string final_loss(const Trace& trace) {
  if (trace.progress.loss.empty() || trace.status == RunStatus::running) return {};  // not summed up yet
  const double last = trace.progress.loss.back(), said = number(trace.summary, "final_loss", kNothing);
  if (find(trace.summary, "final_loss") == nullptr) return "/summary has no final_loss";
  if (said == last || (std::isnan(said) && std::isnan(last))) return {};
  return fmt::format("/summary says {}, the curve ends at {}", said, last);
}

// Where the summary has them.
std::string summary_figures(const Trace& trace) {
  const Progress& curve = trace.progress;
  const struct {
    const char* name;
    const std::vector<double>& values;
    bool is_last;
  } figures[] = {{"initial_loss", curve.loss, false},
                 {"final_accuracy", curve.accuracy, true},
                 {"final_test_loss", curve.test_loss, true},
                 {"final_test_accuracy", curve.test_accuracy, true}};
  for (const auto& [name, values, is_last] : figures) {
    if (values.empty() || find(trace.summary, name) == nullptr) continue;
    const double is = is_last ? values.back() : values.front();
    const double said = number(trace.summary, name, kForever * -1);
    if (said != is && !(std::isnan(said) && std::isnan(is)))
      return fmt::format("/summary says a {} of {}, the curve {}", name, to_text(*find(trace.summary, name)), is);
  }
  return {};
}

// Σ over rounds and nodes of message bytes × neighbours, or once where all nodes average, or two
std::string total_bytes(const Trace& trace) {
  if (find(trace.summary, "total_bytes") == nullptr) return {};
  constexpr double kMostMessages = 10'000;  // whatever a foreign file says
  const auto messages =
      static_cast<std::uint32_t>(std::clamp(number(trace.summary, "messages_per_iteration", 1), 0.0, kMostMessages));
  const auto period = static_cast<std::size_t>(number(trace.summary, "collective_period", 0));
  const bool is_pairwise = text(trace.config, "delivery", "") == "pairwise";
  const auto is_collective = [&](std::size_t t) { return is_pairwise || (period > 0 && (t + 1) % period == 0); };
  double sum = 0;
  Round message = 0;  // the first of the iteration; those that go to all nodes are not counted
  for (std::size_t t = 0; t < trace.rounds.iterations; ++t) {
    for (NodeId i = 0; i < trace.rounds.nodes; ++i)
      if (const double bytes = trace.rounds.bytes_sent[t * trace.rounds.nodes + i]; !std::isnan(bytes))
        sum += bytes * (is_collective(t) ? 1 : trace.network.mean_readers(i, message, messages));
    if (!is_collective(t)) message += messages;
  }
  // Whole numbers: exact up to 2^53. Before version 3 a message's bytes were rounded to float32.
  const double tolerance = trace.schema_version < 3 ? 1e-6 : sum <= 0x1p53 ? 0 : 1e-12;
  const double said = number(trace.summary, "total_bytes", kNothing);
  if (std::abs(said - sum) <= tolerance * sum) return {};
  return fmt::format("/summary says {}, the rounds add up to {}", said, sum);
}

constexpr TraceCheck kChecks[] = {
    {"lengths and indices agree", shape_finding},  // first: the others rely on it
    {"the file is as it was written", sealed},
    {"status and verdict are known words", words},
    {"created is a time", creation_time},
    {"the config's values are of their types", config_types},
    {"config and network have the same nodes", node_count},
    {"the schedule is what it says, and each W(k) doubly stochastic", checks::schedule_holds},
    {"W is symmetric: neighbours use the same weight", checks::neighbours_agree},
    {"W is not negative, and positive on edges", checks::non_negative_weights},
    {"W is doubly stochastic", checks::doubly_stochastic},
    {"the graph is connected", checks::connected},
    {"beta is in [0, 1], and the spectral gap 1 - beta", checks::beta_in_range},
    {"beta is not below a power iteration's", checks::beta_reaches_power_iteration},
    {"the curve goes forward in time and iterations", checks::progress_order},
    {"the run's clock charges the bits that it says", checks::clock_of_bits},
    {"losses are finite unless diverged", checks::finite_losses},
    {"accuracies are shares; losses and errors are not negative", checks::progress_ranges},
    {"the classes' accuracies are shares, and their mean the curve's", checks::classes_add_up},
    {"rounds have no gaps", checks::round_gaps},
    {"rounds have times >= 0, whole batches and bytes", checks::round_ranges},
    {"iterations start in order", checks::start_order},
    {"an iteration's phases add up to it within 1 %", checks::rounds_add_up},
    {"deadlines are kept as overshoot says", checks::deadlines_kept},
    {"batches are constant without a deadline", checks::fixed_batches},
    {"the final model is finite unless diverged", checks::finite_model},
    {"what the algorithm keeps over the nodes is kept", checks::sums_kept},
    {"events end after they start", checks::timeline_order},
    {"counts are not negative, and energy does not fall", checks::counts_possible},
    {"the summary's final_loss is the curve's last", final_loss},
    {"the summary's figures are the curve's", summary_figures},
    {"the summary's total_bytes is the rounds' sum", total_bytes},
};

}  // namespace

std::span<const TraceCheck> trace_checks() { return kChecks; }

std::vector<std::string> verify_trace(const Trace& trace) {
  std::vector<std::string> findings;
  for (const auto& [name, finding] : kChecks) {
    if (std::string text = finding(trace); !text.empty()) findings.push_back(fmt::format("{}: {}", name, text));
    if (finding == shape_finding && !findings.empty()) break;
  }
  return findings;
}

}  // namespace quantimed

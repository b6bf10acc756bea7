// SPDX-License-Identifier: BSD-3-Clause
// What the nodes did and what the curve says, held against each other.
#include "trace/checks.hpp"
#include "trace/columns.hpp"

#include <fmt/core.h>

#include <cmath>
#include <tuple>
#include <vector>

namespace quantimed::checks {

namespace {

// An iteration's phases add up to the time until the next one starts, within this.
constexpr double kRelativeTolerance = 0.01;
constexpr Seconds kAbsoluteTolerance = 1e-6;
constexpr double kRounding = 1e-6;  // of a loss near 0

// The first (iteration t, node i) for which `wrong(t, i)` holds, as "iteration t of node i", or nothing.
template <class Wrong>
std::string first_round(const Rounds& rounds, Wrong&& wrong) {
  for (std::size_t t = 0; t < rounds.iterations; ++t)
    for (std::size_t i = 0; i < rounds.nodes; ++i)
      if (wrong(t, i)) return fmt::format("iteration {} of node {}", t, i);
  return {};
}

bool is_whole(double value) { return value == std::floor(value); }

// What a column's values may be, where they are.
bool in_range(std::string_view name, double value) {
  if (!std::isfinite(value)) return false;
  if (name == "overshoot") return true;  // negative: ended early
  if (name == "staleness") return true;  // negative: the neighbour is ahead
  if (name == "batch" || name == "bytes_sent" || name == "overwritten") return value >= 0 && is_whole(value);
  return value >= 0;
}

}  // namespace

std::string progress_order(const Trace& trace) {
  const Progress& progress = trace.progress;
  for (const auto& [name, values] :
       {std::pair{"time", &progress.time}, std::pair{"iteration", &progress.iteration},
        std::pair{"time_paper_bits", &progress.time_paper_bits}, std::pair{"time_wire_bits", &progress.time_wire_bits}})
    for (std::size_t k = 0; k < values->size(); ++k) {
      if (!std::isfinite((*values)[k])) return fmt::format("/progress/{}: point {} is {}", name, k, (*values)[k]);
      if ((*values)[k] < 0) return fmt::format("/progress/{}: point {} is {}", name, k, (*values)[k]);
      if (k > 0 && (*values)[k] < (*values)[k - 1])
        return fmt::format("/progress/{}: point {} is {}, after {}", name, k, (*values)[k], (*values)[k - 1]);
    }
  return {};
}

// In virtual time the run's clock is one of the two, the one that --bits says.
std::string clock_of_bits(const Trace& trace) {
  const Progress& progress = trace.progress;
  const bool is_paper = text(trace.config, "bits", "") == "paper";
  const auto& [own, other] = is_paper ? std::tie(progress.time_paper_bits, progress.time_wire_bits)
                                      : std::tie(progress.time_wire_bits, progress.time_paper_bits);
  if (own.empty() && other.empty()) return {};
  const char* name = is_paper ? "time_paper_bits" : "time_wire_bits";
  if (own.empty()) return fmt::format("/progress/{} is not there, the other one is", name);
  for (std::size_t k = 0; k < own.size(); ++k)
    if (own[k] < progress.time[k] || own[k] > progress.time[k])
      return fmt::format("/progress/{}: point {} is {}, and the run's clock {}", name, k, own[k], progress.time[k]);
  return {};
}

std::string finite_losses(const Trace& trace) {
  if (trace.status == RunStatus::diverged) return {};
  const Progress& progress = trace.progress;
  for (std::size_t k = 0; k < progress.loss.size(); ++k) {
    if (!std::isfinite(progress.loss[k])) return fmt::format("/progress/loss: point {} is {}", k, progress.loss[k]);
    if (std::isinf(progress.test_loss[k]))  // NaN: no test set
      return fmt::format("/progress/test_loss: point {} is {}", k, progress.test_loss[k]);
  }
  return {};
}

std::string progress_ranges(const Trace& trace) {
  const Progress& progress = trace.progress;
  // No loss that we have is below 0; what float32 rounds off a perfect fit may be.
  for (const auto& [name, values] : {std::pair{"loss", &progress.loss}, std::pair{"test_loss", &progress.test_loss}})
    for (std::size_t k = 0; k < values->size(); ++k)
      if ((*values)[k] < -kRounding) return fmt::format("/progress/{}: point {} is {}", name, k, (*values)[k]);
  const struct {
    const char* name;
    const std::vector<double>& values;
    double most;
  } ranges[] = {{"accuracy", progress.accuracy, 1},
                {"test_accuracy", progress.test_accuracy, 1},
                {"consensus_error", progress.consensus_error, kForever},
                {"gradient_norm_squared", progress.gradient_norm_squared, kForever},
                {"distance_to_optimum", progress.distance_to_optimum, kForever}};
  for (const auto& [name, values, most] : ranges)
    for (std::size_t k = 0; k < values.size(); ++k)
      if (values[k] < 0 || values[k] > most)  // false for NaN: does not apply
        return fmt::format("/progress/{}: point {} is {}", name, k, values[k]);
  // (1/n) Σ ‖x_i − x*‖² = (1/n) Σ ‖x_i − x̄‖² + ‖x̄ − x*‖²; sums of float32 are off by less than a thousandth, and x̄ by
  // what rounding to float32 leaves of models of this size. Of a run that diverged the squares may be infinite.
  double mean_squared = 0;
  for (const Real x : trace.mean_model) mean_squared += static_cast<double>(x) * static_cast<double>(x);
  for (std::size_t k = 0; k < progress.distance_to_optimum.size(); ++k) {
    const double distance = progress.distance_to_optimum[k], apart = progress.consensus_error[k];
    const double size = std::sqrt(mean_squared) + distance + progress.distance_to_optimum.back();
    const double rounding = std::ldexp(size, -22);
    if (std::isfinite(apart) && distance * distance + rounding * rounding < (1 - 1e-3) * apart)
      return fmt::format("/progress/distance_to_optimum: point {} is {}, and the nodes are {} apart", k, distance,
                         std::sqrt(apart));
  }
  return {};
}

// Each class weighs as many samples as it has. A point that tells none is of a version without them.
std::string classes_add_up(const Trace& trace) {
  constexpr double kTolerance = 1e-9;
  const Classes& classes = trace.classes;
  const std::size_t count = classes.label.size();
  if (count == 0) return {};
  if (classes.set != "test" && classes.set != "training")
    return fmt::format("/classes is of the set \"{}\"", classes.set);
  const std::vector<double>& all = classes.set == "test" ? trace.progress.test_accuracy : trace.progress.accuracy;
  for (std::size_t k = 0; k < all.size(); ++k) {
    double hits = 0, samples = 0;
    std::size_t untold = 0;
    for (std::size_t c = 0; c < count; ++c) {
      const double share = trace.progress.class_accuracy[k * count + c];
      if (share < 0 || share > 1 || (classes.samples[c] == 0 && !std::isnan(share)))
        return fmt::format("/classes/accuracy: point {} of class {} is {}", k, c, share);
      untold += std::isnan(share);
      if (classes.samples[c] == 0) continue;
      hits += share * classes.samples[c];
      samples += classes.samples[c];
    }
    if (untold < count && !(std::abs(hits / samples - all[k]) <= kTolerance))
      return fmt::format("/classes/accuracy: the mean of point {} is {}, and the curve's accuracy {}", k,
                         hits / samples, all[k]);
  }
  return {};
}

std::string round_gaps(const Trace& trace) {
  const Rounds& rounds = trace.rounds;
  std::string finding;
  columns::for_each(columns::kRounds, [&](const auto& column) {
    if (!finding.empty()) return;
    const auto& values = rounds.*column.values;
    const std::string where = first_round(rounds, [&](std::size_t t, std::size_t i) {
      return t > 0 && !std::isnan(values[t * rounds.nodes + i]) && std::isnan(values[(t - 1) * rounds.nodes + i]);
    });
    if (!where.empty()) finding = fmt::format("/rounds/{}: a number follows a gap at {}", column.name, where);
  });
  return finding;
}

std::string round_ranges(const Trace& trace) {
  const Rounds& rounds = trace.rounds;
  std::string finding;
  columns::for_each(columns::kRounds, [&](const auto& column) {
    if (!finding.empty()) return;
    const auto& values = rounds.*column.values;
    double value = 0;
    const std::string where = first_round(rounds, [&](std::size_t t, std::size_t i) {
      value = static_cast<double>(values[t * rounds.nodes + i]);
      return !std::isnan(value) && !in_range(column.name, value);
    });
    if (!where.empty()) finding = fmt::format("/rounds/{}: {} is {} {}", column.name, where, value, column.unit);
  });
  return finding;
}

std::string start_order(const Trace& trace) {
  const Rounds& rounds = trace.rounds;
  const std::string where = first_round(rounds, [&](std::size_t t, std::size_t i) {
    return t > 0 && rounds.start_time[t * rounds.nodes + i] < rounds.start_time[(t - 1) * rounds.nodes + i];
  });
  return where.empty() ? where : where + " starts before the one before it";
}

// start_{t+1} = start_t + the phases' times.
std::string rounds_add_up(const Trace& trace) {
  const Rounds& rounds = trace.rounds;
  Seconds busy = 0, elapsed = 0;
  const std::string where = first_round(rounds, [&](std::size_t t, std::size_t i) {
    if (t + 1 == rounds.iterations) return false;
    const std::size_t at = t * rounds.nodes + i;
    busy = 0;
    for (const auto phase : kPhaseTimes) busy += static_cast<double>((rounds.*phase)[at]);
    elapsed = rounds.start_time[at + rounds.nodes] - rounds.start_time[at];
    return std::abs(elapsed - busy) > elapsed * kRelativeTolerance + kAbsoluteTolerance;  // false for NaN: did not run
  });
  return where.empty() ? where : fmt::format("{}: the phases take {} s of {} s", where, busy, elapsed);
}

// A gradient with a deadline goes on until then, and no longer than its last sample needed.
std::string deadlines_kept(const Trace& trace) {
  const Rounds& rounds = trace.rounds;
  Seconds deadline = 0, took = 0, overshoot = 0;
  std::string where = first_round(rounds, [&](std::size_t t, std::size_t i) {
    const std::size_t at = t * rounds.nodes + i;
    deadline = static_cast<double>(rounds.deadline[at]);
    took = static_cast<double>(rounds.compute_time[at]);
    overshoot = static_cast<double>(rounds.overshoot[at]);
    if (!(deadline > 0)) return overshoot < 0 || overshoot > 0;
    const Seconds tolerance = deadline * 1e-6 + kAbsoluteTolerance;
    return took < deadline - tolerance || overshoot < -deadline - tolerance || overshoot > took - deadline + tolerance;
  });
  if (where.empty()) return where;
  return fmt::format("{}: computed {} s for a deadline of {} s, overshoot {} s", where, took, deadline, overshoot);
}

// Traces from before there was --gradient do not say it.
bool is_until_deadline(const Trace& trace) {
  const std::string gradient = text(trace.config, "gradient", "");
  return gradient.empty() ? text(trace.config, "algorithm", "") == "quantimed-dsgd" : gradient == "deadline";
}

// Only the deadline makes batches random.
std::string fixed_batches(const Trace& trace) {
  if (is_until_deadline(trace)) return {};
  const Rounds& rounds = trace.rounds;
  double first = std::nan(""), other = 0;
  const std::string where = first_round(rounds, [&](std::size_t t, std::size_t i) {
    const auto batch = other = static_cast<double>(rounds.batch[t * rounds.nodes + i]);
    if (std::isnan(first)) first = batch;
    return batch < first || batch > first;
  });
  return where.empty() ? where : fmt::format("{} has a batch of {}, others of {}", where, other, first);
}

std::string finite_model(const Trace& trace) {
  if (trace.status == RunStatus::diverged) return {};
  for (std::size_t k = 0; k < trace.mean_model.size(); ++k)
    if (!std::isfinite(trace.mean_model[k])) return fmt::format("/model/mean[{}] is {}", k, trace.mean_model[k]);
  return {};
}

// What the algorithm keeps over the nodes: states that sum to zero, push-sum weights that sum to n. A run that counts
// has been held to it at its end; at a point before that a state may be in between.
std::string sums_kept(const Trace& trace) {
  if (!trace.verdict.is_valid() || trace.status == RunStatus::diverged) return {};
  for (const auto& [name, value] : trace.summary) {
    const double is = number(trace.summary, name, std::nan(""));
    if (name.starts_with("sum_of_") && !(is >= 0 && is <= kMostSumError))
      return fmt::format("/summary says that {} is {} of its size over the nodes, and it is to be 0", name, is);
    if (name == "push_sum_weights" && !(std::abs(is - 1) <= kMostSumError))
      return fmt::format("/summary says that the mean push-sum weight is {}, and it is to be 1", is);
  }
  const std::vector<double>& errors = trace.progress.sum_error;
  for (std::size_t k = 0; k < errors.size(); ++k)
    if (errors[k] < 0 || (k + 1 == errors.size() && errors[k] > kMostSumError))  // false for NaN: not told
      return fmt::format("/progress/sum_error: point {} is {}, and at most {} is to be", k, errors[k], kMostSumError);
  return {};
}

std::string timeline_order(const Trace& trace) {
  const Timeline& timeline = trace.timeline;
  for (std::size_t k = 0; k < timeline.node.size(); ++k)
    if (!(std::isfinite(timeline.start[k]) && std::isfinite(timeline.end[k]) && timeline.start[k] <= timeline.end[k]))
      return fmt::format("event {} of node {} lasts from {} s to {} s", k, timeline.node[k], timeline.start[k],
                         timeline.end[k]);
  return {};
}

std::string counts_possible(const Trace& trace) {
  double before = 0;
  for (const double joules : trace.progress.energy_j) {
    if (!(joules >= before && std::isfinite(joules)))
      return fmt::format("/progress/energy_j goes from {} J to {} J", before, joules);
    before = joules;
  }
  std::string finding;
  if (trace.counters)
    columns::for_each(columns::kCounters, [&](const auto& column) {
      for (const double value : (*trace.counters).*column.values)
        if (value < 0 || std::isinf(value)) finding = fmt::format("/counters/{} has {}", column.name, value);
    });
  return finding;
}

}  // namespace quantimed::checks

// SPDX-License-Identifier: BSD-3-Clause
#include "command/summary.hpp"

#include "command/objective_note.hpp"
#include "machine/allocation.hpp"

#include <fmt/core.h>

#include <cmath>
#include <numeric>

namespace quantimed {

namespace {

double sum_of(std::span<const float> column) {
  double sum = 0;
  for (const float v : column)
    if (!std::isnan(v)) sum += static_cast<double>(v);
  return sum;
}

// Of one node. The curve of a run that was stopped ends before the place where it stopped.
double mean_iterations(const Trace& trace, const Totals& totals) {
  if (trace.status != RunStatus::interrupted) return trace.progress.iteration.back();
  const auto nodes = static_cast<double>(trace.network.nodes);
  if (!trace.checkpoint) return totals.gradients / nodes;
  const auto& iteration = trace.checkpoint->iteration;
  return std::accumulate(iteration.begin(), iteration.end(), 0.0) / nodes;
}

}  // namespace

Totals add_up(const RoundsSource& rounds, const Run& run) {
  Totals totals;
  const double n = run.network.nodes;
  Round message = 0;  // the first of the iteration
  const auto next_iteration = [&](std::size_t t) {
    message += run.algorithm.messages(run.options, static_cast<Round>(t));
  };
  rounds.for_each_block([&](const Rounds& block, std::size_t first) {
    for (std::size_t k = 0; k < kPhases; ++k) totals.phases_s[k] += sum_of(block.*kPhaseTimes[k]);
    totals.samples += sum_of(block.batch);
    totals.overwritten += sum_of(block.overwritten);
    for (std::size_t at = 0; at < block.batch.size(); ++at) {
      if (at > 0 && at % block.nodes == 0) next_iteration(first + at / block.nodes - 1);
      if (std::isnan(block.batch[at])) continue;
      ++totals.gradients;
      totals.message_bytes += block.bytes_sent[at];
      const Exchanges sent = run.algorithm.exchanges(run.options, static_cast<Round>(first + at / block.nodes));
      totals.vectors += sent.count * sent.vectors * (sent.is_collective ? 2 * (n - 1) / n : 1);
      const auto i = static_cast<NodeId>(at % block.nodes);
      const std::uint32_t messages = run.algorithm.messages(run.options, static_cast<Round>(first + at / block.nodes));
      const bool is_once = sent.is_collective || run.algorithm.delivery == Delivery::pairwise;
      totals.sent_bytes += block.bytes_sent[at] * (is_once ? 1 : run.network.mean_readers(i, message, messages));
    }
    if (!block.batch.empty()) next_iteration(first + block.iterations - 1);
  });
  return totals;
}

namespace {

// Of one vector on the wire, without the numbers that travel along.
double vector_bytes(const Run& run, const Totals& totals) {
  if (!(totals.vectors > 0)) return 0;
  return totals.message_bytes / totals.vectors - run.algorithm.message_scalars * static_cast<double>(sizeof(Real));
}

// What a reader should know of a run that counts all the same.
void warn(Trace& trace, const Run& run, const Config& config, const Totals& totals) {
  const Progress& curve = trace.progress;
  const auto add = [&](std::string text) { trace.warnings.push_back(std::move(text)); };
  if (curve.loss.back() > curve.loss.front()) add("the loss has grown; give a smaller --alpha");
  if (std::string note = objective_note(config.algorithm, config.engine, config.speed, config.partition); !note.empty())
    add(std::move(note));
  if (std::string note = loss_note(config.algorithm, text(trace.summary, "lost_nodes", "")); !note.empty())
    add(std::move(note));
  if (config.l2_per == "batch" && config.l2 > 0)
    add("--l2-per batch: the l2 term is LAMBDA/|batch|, so the objective depends on the batches of this algorithm; "
        "--l2-per dataset gives all algorithms one");
  if (const std::size_t all = run.shards.rows.size(); config.evaluate_samples > 0 && config.evaluate_samples < all)
    add(fmt::format("the curve is taken over {} of {} training samples (--evaluate-samples)", config.evaluate_samples,
                    all));
  if (totals.gradients <= 0) return;
  if (totals.samples / totals.gradients < 1)
    add("most batches were empty; give a longer --deadline or a larger --batch");
  const double p = static_cast<double>(run.problem.dimension());
  const double bytes = vector_bytes(run, totals), bits = 8 * bytes / p;
  constexpr double kExact = 8 * sizeof(Real);
  const double kRounding = run.algorithm.sends_its_model ? 1e-9 : 1e-2;  // a collective's bytes are whole
  const std::string code = run.codec.name();
  if (bits > kExact * (1 + kRounding))
    add(
        fmt::format("--codec {}: on the wire its messages are longer than the vectors themselves: {:.4g} bits a "
                    "coordinate ({:.4g} bytes against {:.0f}); --codec exact sends less",
                    code, bits, bytes, sizeof(Real) * p));
  const bool is_modelled = config.engine == "virtual" && !run.machine && run.link.kind != LinkModel::Kind::none;
  if (is_modelled && bits > run.codec.paper_bits() * (1 + kRounding))
    add(
        fmt::format("{}: the paper's count charges {:.4g} bits a coordinate, and the wire carries {:.4g}: times by the "
                    "paper's bits are too short for a real link",
                    code, run.codec.paper_bits(), bits));
}

}  // namespace

void summarise(Trace& trace, const Run& run, const Config& config, const Outcome& outcome, const Totals& totals,
               double wall_s, double evaluation_s) {
  const Progress& curve = trace.progress;
  const double coordinates = static_cast<double>(run.problem.dimension());
  const double busy_s = std::accumulate(totals.phases_s.begin(), totals.phases_s.end(), 0.0);
  Attributes& s = trace.summary;
  s.clear();
  s.emplace_back("initial_loss", curve.loss.front());
  s.emplace_back("final_loss", curve.loss.back());
  s.emplace_back("final_accuracy", curve.accuracy.back());
  s.emplace_back("final_test_loss", curve.test_loss.back());
  s.emplace_back("final_test_accuracy", curve.test_accuracy.back());
  const double target = config.target_loss.empty() ? 0 : config.target_loss.front();
  s.emplace_back("target_loss", target);
  s.emplace_back("time_to_target_s", target > 0 ? time_to_target(curve, target) : kForever);
  s.emplace_back("iterations", mean_iterations(trace, totals));
  s.emplace_back("end_time_s", outcome.end_time);
  if (outcome.end_time_paper_bits) s.emplace_back("end_time_paper_bits_s", *outcome.end_time_paper_bits);
  if (outcome.end_time_wire_bits) s.emplace_back("end_time_wire_bits_s", *outcome.end_time_wire_bits);
  s.emplace_back("total_samples", totals.samples);
  s.emplace_back("total_bytes", totals.sent_bytes);
  s.emplace_back("mean_batch", totals.gradients > 0 ? totals.samples / totals.gradients : 0.0);
  const double vectors = totals.gradients > 0 ? totals.vectors / totals.gradients : 1;
  const double scalars = run.algorithm.message_scalars * 16 / coordinates;
  s.emplace_back("vectors_per_iteration", vectors);
  s.emplace_back("wire_bits_of_a_vector", 8 * vector_bytes(run, totals) / coordinates);
  s.emplace_back("collective_period", std::int64_t{run.algorithm.collective_period(run.options)});
  if (run.network.is_scheduled()) {
    Round t = 0;
    while (run.algorithm.messages(run.options, t) == 0 && t < run.iterations) ++t;
    s.emplace_back("messages_per_iteration", std::int64_t{run.algorithm.messages(run.options, t)});
  }
  s.emplace_back("paper_bits_per_coordinate", (run.codec.paper_bits() + scalars) * vectors);
  s.emplace_back("wire_bits_per_coordinate",
                 totals.gradients > 0 ? 8 * totals.message_bytes / totals.gradients / coordinates : 0.0);
  s.emplace_back("overflows", static_cast<std::int64_t>(outcome.overflows));
  s.emplace_back("decoding_violations", static_cast<std::int64_t>(outcome.violations));
  for (std::size_t k = 0; k < kPhases; ++k)
    s.emplace_back(fmt::format("{}_share", kPhaseNames[k]), busy_s > 0 ? totals.phases_s[k] / busy_s : 0.0);
  s.emplace_back("lost_nodes", to_text(outcome.lost));
  s.emplace_back("overwritten_messages", totals.overwritten);
  s.emplace_back("wall_time_s", wall_s);
  s.emplace_back("evaluation_time_s", evaluation_s);
  s.emplace_back("peak_memory_bytes", peak_memory_bytes());
  s.insert(s.end(), outcome.measured.begin(), outcome.measured.end());
  warn(trace, run, config, totals);
}

Timeline make_timeline(const RoundsSource& rounds, const Run& run) {
  enum : std::uint8_t { compute, encode, wait, exchange, mix, publish, record };  // kPhaseNames
  // A model is sent before its gradient is computed, what depends on the gradient after it; `newest`: when it is mixed,
  // or as soon as the gradient is there.
  static constexpr std::uint8_t kEarly[] = {encode, publish, compute, wait, exchange, mix, record};
  static constexpr std::uint8_t kLate[] = {compute, encode, publish, wait, exchange, mix, record};
  static constexpr std::uint8_t kNewest[] = {compute, wait, exchange, mix, encode, publish, record};
  const bool is_early = run.algorithm.exchanges(run.options, 0).is_sent_early;
  const std::span<const std::uint8_t> order = !is_early                                    ? std::span(kLate)
                                              : run.algorithm.delivery == Delivery::newest ? std::span(kNewest)
                                                                                           : std::span(kEarly);
  Timeline events;
  rounds.for_each_block([&](const Rounds& r, std::size_t first) {
    for (std::size_t at = 0; at < r.batch.size(); ++at) {
      double clock = r.start_time[at];
      if (std::isnan(clock)) continue;
      for (const std::uint8_t phase : order) {
        const auto duration = static_cast<double>((r.*kPhaseTimes[phase])[at]);
        if (!(duration > 0)) continue;
        events.node.push_back(static_cast<std::uint32_t>(at % r.nodes));
        events.iteration.push_back(static_cast<std::uint32_t>(first + at / r.nodes));
        events.phase.push_back(phase);
        events.start.push_back(clock);
        events.end.push_back(clock += duration);
      }
    }
  });
  return events;
}

}  // namespace quantimed

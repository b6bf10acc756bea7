#include "command/summary.hpp"

#include <fmt/core.h>

#include <cmath>
#include <numeric>

namespace quantimed {

namespace {

double total(std::span<const float> column) {
  double sum = 0;
  for (const float v : column)
    if (!std::isnan(v)) sum += static_cast<double>(v);
  return sum;
}

// Σ over nodes and iterations of bytes sent, one copy to each neighbour.
double total_bytes(const Rounds& rounds, const Network& network) {
  double sum = 0;
  for (std::size_t t = 0; t < rounds.iterations; ++t)
    for (NodeId i = 0; i < rounds.nodes; ++i) {
      const float bytes = rounds.bytes_sent[t * rounds.nodes + i];
      if (!std::isnan(bytes)) sum += static_cast<double>(bytes) * static_cast<double>(network.neighbours(i).size());
    }
  return sum;
}

std::size_t count(std::span<const float> column) {
  std::size_t entries = 0;
  for (const float v : column) entries += !std::isnan(v);
  return entries;
}

}  // namespace

std::array<double, kPhases> phase_shares(const Rounds& rounds) {
  std::array<double, kPhases> shares;
  for (std::size_t k = 0; k < kPhases; ++k) shares[k] = total(rounds.*kPhaseTimes[k]);
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share = sum > 0 ? share / sum : 0;
  return shares;
}

void summarise(Trace& trace, const Run& run, const Config& config, const Outcome& outcome, double wall_s,
               double evaluation_s) {
  const Progress& curve = trace.progress;
  const Rounds& rounds = trace.rounds;
  const double messages = static_cast<double>(count(rounds.bytes_sent));
  const double coordinates = static_cast<double>(run.problem.dimension());
  const auto shares = phase_shares(rounds);
  Attributes& s = trace.summary;
  s.clear();
  s.emplace_back("initial_loss", curve.loss.front());
  s.emplace_back("final_loss", curve.loss.back());
  s.emplace_back("final_accuracy", curve.accuracy.back());
  s.emplace_back("final_test_loss", curve.test_loss.back());
  s.emplace_back("final_test_accuracy", curve.test_accuracy.back());
  s.emplace_back("target_loss", config.target_loss);
  s.emplace_back("time_to_target_s", config.target_loss > 0 ? time_to_target(curve, config.target_loss) : kForever);
  s.emplace_back("iterations", curve.iteration.back());
  s.emplace_back("end_time_s", outcome.end_time);
  s.emplace_back("total_samples", total(rounds.batch));
  s.emplace_back("total_bytes", total_bytes(rounds, run.network));
  s.emplace_back("mean_batch",
                 rounds.batch.empty() ? 0.0 : total(rounds.batch) / static_cast<double>(count(rounds.batch)));
  s.emplace_back("paper_bits_per_coordinate", run.codec.paper_bits());
  s.emplace_back("wire_bits_per_coordinate",
                 messages > 0 ? 8 * total(rounds.bytes_sent) / messages / coordinates : 0.0);
  s.emplace_back("overflows", static_cast<std::int64_t>(outcome.overflows));
  s.emplace_back("decoding_violations", static_cast<std::int64_t>(outcome.violations));
  for (std::size_t k = 0; k < kPhases; ++k) s.emplace_back(fmt::format("{}_share", kPhaseNames[k]), shares[k]);
  s.emplace_back("lost_nodes", to_text(outcome.lost));
  s.emplace_back("overwritten_messages", total(rounds.overwritten));
  s.emplace_back("wall_time_s", wall_s);
  s.emplace_back("evaluation_time_s", evaluation_s);
  s.insert(s.end(), outcome.measured.begin(), outcome.measured.end());
}

Timeline make_timeline(const Rounds& r, Delivery delivery) {
  enum : std::uint8_t { compute, encode, wait, exchange, mix, publish, record };  // kPhaseNames
  // Synchronous algorithms send before they compute; asynchronous ones when they have mixed.
  static constexpr std::uint8_t kRound[] = {encode, publish, compute, wait, exchange, mix, record};
  static constexpr std::uint8_t kNewest[] = {compute, wait, exchange, mix, encode, publish, record};
  Timeline events;
  for (std::size_t t = 0; t < r.iterations; ++t)
    for (std::size_t i = 0; i < r.nodes; ++i) {
      const std::size_t at = t * r.nodes + i;
      double clock = r.start_time[at];
      if (std::isnan(clock)) continue;
      for (const std::uint8_t phase : delivery == Delivery::round ? kRound : kNewest) {
        const auto duration = static_cast<double>((r.*kPhaseTimes[phase])[at]);
        if (!(duration > 0)) continue;
        events.node.push_back(static_cast<std::uint32_t>(i));
        events.iteration.push_back(static_cast<std::uint32_t>(t));
        events.phase.push_back(phase);
        events.start.push_back(clock);
        events.end.push_back(clock += duration);
      }
    }
  return events;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// A trace in which every invariant holds, and a folder that is gone after the test.
#pragma once

#include "base/error.hpp"
#include "trace/shapes.hpp"
#include "trace/trace.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numbers>
#include <string>
#include <vector>

namespace quantimed {

// A ring of n ≥ 3 nodes, W = I − L/4: eigenvalues (1 + cos(2πk/n)) / 2.
inline Network sample_network(std::uint32_t nodes) {
  Network ring;
  ring.nodes = nodes;
  ring.edges.push_back({0, 1});
  ring.edges.push_back({0, nodes - 1});
  for (NodeId i = 1; i + 1 < nodes; ++i) ring.edges.push_back({i, i + 1});
  ring.weights.assign(nodes, 0.25);
  ring.self_weights.assign(nodes, 0.5);
  ring.beta = (1 + std::cos(2 * std::numbers::pi / nodes)) / 2;
  ring.spectral_gap = 1 - ring.beta;
  ring.redraws = 2;
  index_neighbours(ring);
  return ring;
}

// The last node stops one iteration before the others.
inline Rounds sample_rounds(std::size_t iterations, std::size_t nodes) {
  Rounds rounds;
  rounds.iterations = iterations;
  rounds.nodes = nodes;
  for (std::size_t t = 0; t < iterations; ++t)
    for (std::size_t i = 0; i < nodes; ++i) {
      const float nothing = std::nanf("");
      constexpr double kBytes = 16'777'217;  // more than a float32 holds exactly
      const bool ran = i + 1 < nodes || t + 1 < iterations;
      const auto jitter = static_cast<float>(std::fmod(0.618034 * static_cast<double>(1 + i + nodes * t), 1.0));
      rounds.batch.push_back(ran ? std::floor(90 * jitter) : nothing);
      rounds.compute_time.push_back(ran ? 0.4f + 0.1f * jitter : nothing);
      rounds.encode_time.push_back(ran ? 0.01f * jitter : nothing);
      rounds.wait_time.push_back(ran ? 0.1f - 0.1f * jitter : nothing);
      rounds.exchange_time.push_back(ran ? 0.3f : nothing);
      rounds.mix_time.push_back(ran ? 0.01f : nothing);
      rounds.publish_time.push_back(ran ? 0.01f : nothing);
      rounds.record_time.push_back(ran ? 0.18f - 0.01f * jitter : nothing);
      rounds.deadline.push_back(ran ? 0.4f : nothing);
      rounds.overshoot.push_back(ran ? 0.1f * jitter - 0.001f : nothing);
      rounds.speed_asked.push_back(ran ? 90 * jitter / 0.4f : nothing);
      rounds.staleness.push_back(ran ? 0 : nothing);
      rounds.message_age.push_back(ran ? 0.5f : nothing);
      rounds.overwritten.push_back(ran ? 0 : nothing);
      rounds.bytes_sent.push_back(ran ? kBytes : std::nan(""));
      rounds.start_time.push_back(ran ? static_cast<double>(t) : static_cast<double>(nothing));
    }
  return rounds;
}

inline void fill_progress(Progress& progress, std::size_t points) {
  progress.drawn_by = "replay";
  for (std::size_t k = 0; k < points; ++k) {
    const auto at = static_cast<double>(k);
    progress.iteration.push_back(6 * at);
    progress.time.push_back(6.5 * at);
    progress.time_paper_bits.push_back(6.5 * at);
    progress.time_wire_bits.push_back(8.25 * at);
    progress.energy_j.push_back(40.5 * at);
    progress.loss.push_back(1 / (at + 1));
    progress.accuracy.push_back(1 - 1 / (at + 1));
    progress.test_loss.push_back(std::nan(""));
    progress.test_accuracy.push_back(std::nan(""));
    progress.consensus_error.push_back(0.1 / (at + 1));
    progress.gradient_norm_squared.push_back(0.2 / (at + 1));
    progress.distance_to_optimum.push_back(std::sqrt(0.15 / (at + 1)));
    progress.sum_error.push_back(k == 0 ? std::nan("") : 1e-6 * at);
  }
}

inline Trace sample_trace(std::size_t iterations = 7, std::uint32_t nodes = 5, std::size_t points = 4) {
  Trace trace;
  trace.status = RunStatus::complete;
  trace.software_version = "0.1.0";
  trace.commit = "0123456789ab";
  trace.created = "2025-01-31T12:34:56Z";
  trace.config = {{"algorithm", std::string("quantimed-dsgd")},
                  {"nodes", std::int64_t{nodes}},
                  {"bits", std::string("paper")},
                  {"epsilon", std::string("15*T^(-1/2)")},
                  {"alpha", 0.1},
                  {"grey", true},
                  {"oversubscribe", false},
                  {"output", std::string("")},
                  {"max-time", kForever}};
  trace.warnings = {"the loss has grown", "a code is longer than it should be"};
  trace.ini = "# läuft wieder\nalgorithm = quantimed-dsgd\n";
  trace.environment = {{"cpu", std::string("some processor")}, {"cores", std::int64_t{2}}};
  trace.network = sample_network(nodes);
  fill_progress(trace.progress, points);
  trace.classes = {.set = "training", .label = {-1, 0.5, 7}, .samples = {2, 0, 6}};
  for (const double share : trace.progress.accuracy)
    trace.progress.class_accuracy.insert(trace.progress.class_accuracy.end(), {share, std::nan(""), share});
  trace.counters = {.cycles = std::vector<double>(nodes, 3e9),
                    .instructions = std::vector<double>(nodes, 0x1p52 + 1),
                    .cache_misses = {},
                    .stalled_cycles = std::vector<double>(nodes, std::nan("")),
                    .counted_share = std::vector<double>(nodes, 0.75),
                    .account = {{"cache_misses_missing", std::string("no such counter")}}};
  trace.rounds = sample_rounds(iterations, nodes);
  for (int k = 0; k < 39; ++k) trace.mean_model.push_back(0.5f * static_cast<float>(k));
  for (std::uint32_t k = 0; k < 10; ++k) {
    trace.timeline.node.push_back(k % nodes);
    trace.timeline.iteration.push_back(k / nodes);
    trace.timeline.phase.push_back(static_cast<std::uint8_t>(k % std::size(kPhaseNames)));
    trace.timeline.start.push_back(k);
    trace.timeline.end.push_back(k + 0.5);
  }
  double bytes = 0;
  for (const double sent : trace.rounds.bytes_sent) bytes += std::isnan(sent) ? 0 : 2 * sent;
  trace.summary = {{"total_bytes", bytes}, {"time_to_target", kForever}};
  if (points > 0) trace.summary.push_back({"final_loss", trace.progress.loss.back()});
  return trace;
}

// As if the sample trace had been stopped, with two messages on their way.
inline Checkpoint sample_checkpoint(const Trace& trace) {
  const std::size_t n = trace.network.nodes;
  Checkpoint checkpoint;
  for (std::size_t k = 0; k < n * trace.mean_model.size(); ++k)
    checkpoint.models.push_back(std::sin(static_cast<float>(k)));
  checkpoint.iteration.assign(n, 6);
  checkpoint.start_time.assign(n, 5.25);
  checkpoint.start_time_other_bits.assign(n, 7.5);
  checkpoint.speed.assign(n, 41.5f);
  checkpoint.seen_counts.assign(n, 1);
  checkpoint.seen_speeds = {40, 42, 44};
  checkpoint.event_time.assign(n, 6.5);
  checkpoint.exchanging.assign(n, 1);
  checkpoint.awaits.assign(n, 2);
  checkpoint.next_unseen.assign(2 * trace.network.edges.size(), 3);
  checkpoint.message_node = {0, 3};
  checkpoint.message_iteration = {5, 6};
  checkpoint.message_published = {5, 5.5};
  checkpoint.message_visible = {6, kForever};
  checkpoint.message_bytes = {3, 2};
  checkpoint.payload = {1, 2, 3, 254, 255};
  checkpoint.state = {{"clock", 5.25}, {"updates", std::int64_t{30}}};
  return checkpoint;
}

class Folder : public ::testing::Test {
 protected:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "quantimed-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
  }
  ~Folder() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

 private:
  std::filesystem::path folder_;
};

inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void spill(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

// What InputError says, or "" when nothing is thrown. Anything else that is thrown fails the test.
template <class Function>
std::string input_error(Function&& function) {
  try {
    function();
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return {};
}

}  // namespace quantimed

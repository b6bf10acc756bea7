// SPDX-License-Identifier: BSD-3-Clause
#include "trace/shapes.hpp"

#include "trace/columns.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace quantimed {

namespace {

std::string length_finding(const char* group, const char* name, std::size_t length, std::size_t expected) {
  if (length == expected) return {};
  return fmt::format("/{}/{} has {} values, {} expected", group, name, length, expected);
}

template <class Table, class Record>
std::string lengths_finding(const Table& table, const Record& record, const char* group, std::size_t expected) {
  std::string finding;
  columns::for_each(table, [&](const auto& column) {
    const std::size_t length = (record.*column.values).size();
    if (column.is_optional && length == 0) return;
    if (finding.empty()) finding = length_finding(group, column.name, length, expected);
  });
  return finding;
}

std::string network_finding(const Network& network) {
  if (auto f = length_finding("network", "weights", network.weights.size(), network.edges.size()); !f.empty()) return f;
  if (auto f = length_finding("network", "self_weights", network.self_weights.size(), network.nodes); !f.empty())
    return f;
  for (std::size_t e = 0; e < network.edges.size(); ++e) {
    const auto [i, j] = network.edges[e];
    if (i >= j || j >= network.nodes)
      return fmt::format("/network/edges: edge {} is ({}, {}), but i < j < {} is expected", e, i, j, network.nodes);
    if (e > 0 && network.edges[e - 1] >= network.edges[e])
      return fmt::format("/network/edges: edge {} ({}, {}) is not after the one before it", e, i, j);
  }
  return {};
}

std::string classes_finding(const Trace& trace, std::size_t points) {
  const std::size_t classes = trace.classes.label.size(), values = trace.progress.class_accuracy.size();
  if (auto f = length_finding("classes", "samples", trace.classes.samples.size(), classes); !f.empty()) return f;
  // Divided, as for /rounds.
  if (classes == 0 ? values != 0 : values % classes != 0 || values / classes != points)
    return fmt::format("/classes/accuracy has {} values for {} points of {} classes", values, points, classes);
  return {};
}

std::string rounds_finding(const Trace& trace) {
  const Rounds& rounds = trace.rounds;
  if (rounds.nodes != trace.network.nodes)
    return fmt::format("/rounds has {} nodes, /network {}", rounds.nodes, trace.network.nodes);
  // Divided, not multiplied: a product of two foreign numbers may wrap around.
  const std::size_t values = rounds.batch.size();
  if (rounds.nodes == 0 ? values != 0 : values % rounds.nodes != 0 || values / rounds.nodes != rounds.iterations)
    return fmt::format("/rounds/batch has {} values for {} iterations of {} nodes", values, rounds.iterations,
                       rounds.nodes);
  return lengths_finding(columns::kRounds, rounds, "rounds", values);
}

std::string timeline_finding(const Trace& trace) {
  const Timeline& timeline = trace.timeline;
  if (auto f = lengths_finding(columns::kTimeline, timeline, "timeline", timeline.node.size()); !f.empty()) return f;
  for (std::size_t k = 0; k < timeline.node.size(); ++k) {
    if (timeline.node[k] >= trace.network.nodes)
      return fmt::format("/timeline/node: event {} is of node {} of {}", k, timeline.node[k], trace.network.nodes);
    if (timeline.phase[k] >= std::size(kPhaseNames))
      return fmt::format("/timeline/phase: event {} is of phase {} of {}", k, timeline.phase[k],
                         std::size(kPhaseNames));
  }
  return {};
}

// Members may be left out; those that are there fit each other and the network.
std::string checkpoint_finding(const Trace& trace) {
  const Checkpoint& c = *trace.checkpoint;
  const std::size_t n = trace.network.nodes, messages = c.message_node.size();
  if (c.models.size() / std::max<std::size_t>(n, 1) != trace.mean_model.size() ||
      c.models.size() % std::max<std::size_t>(n, 1) != 0)
    return fmt::format("/checkpoint/models has {} values for {} nodes of {} coordinates", c.models.size(), n,
                       trace.mean_model.size());
  if (auto f = length_finding("checkpoint", "iteration", c.iteration.size(), n); !f.empty()) return f;
  if (auto f = length_finding("checkpoint", "start_time", c.start_time.size(), n); !f.empty()) return f;
  for (const auto& [name, length] : {std::pair{"speed", c.speed.size()},
                                     {"start_time_other_bits", c.start_time_other_bits.size()},
                                     {"seen_counts", c.seen_counts.size()},
                                     {"event_time", c.event_time.size()},
                                     {"exchanging", c.exchanging.size()},
                                     {"awaits", c.awaits.size()}})
    if (length != 0 && length != n) return length_finding("checkpoint", name, length, n);
  for (const auto& [name, length] : {std::pair{"message_iteration", c.message_iteration.size()},
                                     {"message_published", c.message_published.size()},
                                     {"message_visible", c.message_visible.size()},
                                     {"message_bytes", c.message_bytes.size()}})
    if (length != messages) return length_finding("checkpoint", name, length, messages);
  for (std::size_t k = 0; k < messages; ++k)
    if (c.message_node[k] >= n)
      return fmt::format("/checkpoint/message_node: message {} is of node {} of {}", k, c.message_node[k], n);
  const auto bytes = std::accumulate(c.message_bytes.begin(), c.message_bytes.end(), std::size_t{0});
  return length_finding("checkpoint", "payload", c.payload.size(), bytes);
}

std::string recording_finding(const Trace& trace) {
  const Recording& r = *trace.recording;
  if (auto f = lengths_finding(columns::kRecordedNodes, r, "replay", trace.network.nodes); !f.empty()) return f;
  if (auto f = lengths_finding(columns::kRecordedModels, r, "replay", r.model_node.size()); !f.empty()) return f;
  if (!r.model_turn.empty() && r.model_turn.size() != r.model_node.size())
    return length_finding("replay", "model_turn", r.model_turn.size(), r.model_node.size());
  std::size_t left = r.log.size();
  for (std::size_t i = 0; i < r.log_bytes.size(); ++i) {
    if (r.log_bytes[i] < 0 || static_cast<std::uint64_t>(r.log_bytes[i]) > left)
      return fmt::format("/replay/log_bytes: {} of node {} are more than the log has", r.log_bytes[i], i);
    left -= static_cast<std::size_t>(r.log_bytes[i]);
    if (r.iterations[i] > static_cast<std::uint64_t>(r.log_bytes[i]))
      return fmt::format("/replay/iterations: {} of node {} do not fit into {} bytes", r.iterations[i], i,
                         r.log_bytes[i]);
  }
  if (left > 0) return fmt::format("/replay/log has {} bytes of no node", left);
  for (std::size_t k = 0; k < r.model_node.size(); ++k)
    if (r.model_node[k] >= trace.network.nodes || r.model_iteration[k] > r.iterations[r.model_node[k]])
      return fmt::format("/replay: model {} is of node {}, iteration {}, which is not in the log", k, r.model_node[k],
                         r.model_iteration[k]);
  return {};
}

}  // namespace

std::string shape_finding(const Trace& trace) {
  // A run without /rounds (nothing recorded) may leave the number of nodes out.
  const bool no_rounds = trace.rounds.iterations == 0 && trace.rounds.nodes == 0;
  if (auto f = network_finding(trace.network); !f.empty()) return f;
  const std::size_t points = trace.progress.iteration.size();
  if (auto f = lengths_finding(columns::kProgress, trace.progress, "progress", points); !f.empty()) return f;
  if (auto f = classes_finding(trace, points); !f.empty()) return f;
  if (auto f = no_rounds ? lengths_finding(columns::kRounds, trace.rounds, "rounds", 0) : rounds_finding(trace);
      !f.empty())
    return f;
  if (auto f = timeline_finding(trace); !f.empty()) return f;
  if (trace.counters)
    if (auto f = lengths_finding(columns::kCounters, *trace.counters, "counters", trace.network.nodes); !f.empty())
      return f;
  if (trace.recording)
    if (auto f = recording_finding(trace); !f.empty()) return f;
  return trace.checkpoint ? checkpoint_finding(trace) : "";
}

void index_neighbours(Network& network) {
  network.offsets.assign(network.nodes + std::size_t{1}, 0);
  for (const auto& [i, j] : network.edges) ++network.offsets[i + 1], ++network.offsets[j + 1];
  for (std::size_t i = 0; i < network.nodes; ++i) network.offsets[i + 1] += network.offsets[i];
  network.neighbour_list.resize(2 * network.edges.size());
  // Edges are sorted, so each node meets its lower neighbours first, ascending, and then its higher ones.
  std::vector<std::size_t> next(network.offsets.begin(), network.offsets.end() - 1);
  for (std::size_t e = 0; e < network.edges.size(); ++e) {
    const auto [i, j] = network.edges[e];
    const auto weight = static_cast<Real>(network.weights[e]);
    network.neighbour_list[next[i]++] = {j, weight};
    network.neighbour_list[next[j]++] = {i, weight};
  }
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// W again, from its edges and weights alone.
#include "topology/schedule.hpp"
#include "trace/checks.hpp"
#include "trace/shapes.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

namespace quantimed::checks {

namespace {

constexpr double kTolerance = 1e-6;  // of a row of W, and of β
constexpr std::size_t kMostPowerIterations = 200;
constexpr std::size_t kPowerWork = 200'000'000;  // edges visited: about a second

// y = W x
void multiply(const Network& w, const std::vector<double>& x, std::vector<double>& y) {
  for (std::size_t i = 0; i < w.nodes; ++i) y[i] = w.self_weights[i] * x[i];
  for (std::size_t e = 0; e < w.edges.size(); ++e) {
    const auto [i, j] = w.edges[e];
    y[i] += w.weights[e] * x[j];
    y[j] += w.weights[e] * x[i];
  }
}

// Takes the mean off (that is, the eigenvector of eigenvalue 1) and returns the norm of what is left.
double centre(std::vector<double>& x) {
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
  double squares = 0;
  for (double& value : x) {
    value -= mean;
    squares += value * value;
  }
  return std::sqrt(squares);
}

// ‖W x‖ / ‖x‖ after some iterations from a fixed x with no mean: never above β.
double power_iteration(const Network& w) {
  std::vector<double> x(w.nodes), y(w.nodes);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::fmod(0.6180339887498949 * static_cast<double>(i + 1), 1.0);
  double norm = centre(x), ratio = 0;
  const std::size_t iterations = std::min(kMostPowerIterations, 1 + kPowerWork / (1 + w.edges.size()));
  for (std::size_t k = 0; k < iterations && norm > 1e-200; ++k) {
    for (double& value : x) value /= norm;
    multiply(w, x, y);
    x.swap(y);
    ratio = norm = centre(x);
  }
  return ratio;
}

}  // namespace

// The union again, and of the first messages each W(k) with both of its directions.
std::string schedule_holds(const Trace& trace) {
  constexpr Round kMostMessages = 64;
  constexpr std::size_t kMostLinks = 10'000'000;
  const Network& network = trace.network;
  if (!network.is_scheduled() || network.nodes == 0) return {};
  const std::size_t pairs = (std::size_t{network.nodes} * network.nodes - network.nodes) / 2;
  if (network.schedule.kind == Schedule::Kind::random_matching && network.edges.size() != pairs)
    return fmt::format("it has {} edges, and {} nodes have {} pairs", network.edges.size(), network.nodes, pairs);
  Network again;
  again.nodes = network.nodes;
  again.schedule = network.schedule;
  again.arcs = network.arcs;
  topology::unite(again);
  if (network.schedule.is_listed() && network.arcs.empty() && network.nodes > 1) return "its links are not listed";
  if (again.edges != network.edges) return "the edges are not the union of its graphs";
  for (std::size_t e = 0; e < again.edges.size(); ++e)
    if (!(std::abs(again.weights[e] - network.weights[e]) <= kTolerance))
      return fmt::format("edge ({}, {}) has the mean weight {}, not {}", again.edges[e].first, again.edges[e].second,
                         again.weights[e], network.weights[e]);
  std::vector<Neighbour> room;
  std::vector<double> sums(network.nodes);
  const auto messages = static_cast<Round>(std::min<std::size_t>(kMostMessages, 1 + kMostLinks / network.nodes));
  for (Round k = 0; k < messages; ++k) {
    for (NodeId i = 0; i < network.nodes; ++i) {
      sums[i] = network.self_weight(i, k);
      for (const Neighbour& j : network.sources(i, k, room)) sums[i] += j.weight;
      if (again.rows_sum_to_one && !(std::abs(sums[i] - 1) <= 2 * kTolerance))
        return fmt::format("row {} of W({}) sums to {}", i, k, sums[i]);
    }
    for (NodeId i = 0; i < network.nodes; ++i) sums[i] = network.self_weight(i, k);
    for (NodeId i = 0; i < network.nodes; ++i)
      for (const Neighbour& j : network.sources(i, k, room)) sums[j.id] += j.weight;
    for (NodeId i = 0; i < network.nodes; ++i)
      if (!(std::abs(sums[i] - 1) <= kTolerance)) return fmt::format("column {} of W({}) sums to {}", i, k, sums[i]);
  }
  return {};
}

// W is kept once an edge, so it is symmetric by construction; what the nodes used is the list by neighbour.
std::string neighbours_agree(const Trace& trace) {
  Network again = trace.network;
  index_neighbours(again);
  if (again.offsets != trace.network.offsets || again.neighbour_list.size() != trace.network.neighbour_list.size())
    return "the neighbour list does not have the lengths that follow from the edges";
  for (NodeId i = 0; i < again.nodes; ++i)
    for (std::size_t k = again.offsets[i]; k < again.offsets[i + 1]; ++k) {
      const Neighbour &used = trace.network.neighbour_list[k], &expected = again.neighbour_list[k];
      if (used.id != expected.id || used.weight != expected.weight)
        return fmt::format("node {} used w = {} for node {}, but the edge says {} for node {}", i, used.weight, used.id,
                           expected.weight, expected.id);
    }
  return {};
}

std::string non_negative_weights(const Trace& trace) {
  const Network& w = trace.network;
  for (std::size_t e = 0; e < w.edges.size(); ++e)
    if (!(w.weights[e] > 0)) return fmt::format("edge ({}, {}): {}", w.edges[e].first, w.edges[e].second, w.weights[e]);
  for (std::size_t i = 0; i < w.nodes; ++i)
    if (!(w.self_weights[i] >= 0)) return fmt::format("node {}: w_ii = {}", i, w.self_weights[i]);
  return {};
}

// A directed file's W: schedule_holds().
std::string doubly_stochastic(const Trace& trace) {
  if (trace.network.schedule.is_listed()) return {};
  const std::vector<double> ones(trace.network.nodes, 1.0);
  std::vector<double> sums(trace.network.nodes);
  multiply(trace.network, ones, sums);
  for (std::size_t i = 0; i < sums.size(); ++i)
    if (!(std::abs(sums[i] - 1) <= kTolerance)) return fmt::format("row {} of W sums to {}", i, sums[i]);
  return {};
}

std::string connected(const Trace& trace) {
  const Network& network = trace.network;
  std::vector<NodeId> part(network.nodes);
  std::iota(part.begin(), part.end(), NodeId{0});
  const auto root = [&](NodeId i) {
    while (part[i] != i) i = part[i] = part[part[i]];
    return i;
  };
  for (const auto& [i, j] : network.edges) part[root(i)] = root(j);
  for (NodeId i = 1; i < network.nodes; ++i)
    if (root(i) != root(0)) return fmt::format("no path leads from node 0 to node {}", i);
  return {};
}

std::string beta_in_range(const Trace& trace) {
  const auto [beta, gap] = std::pair{trace.network.beta, trace.network.spectral_gap};
  if (!(beta >= 0 && beta <= 1)) return fmt::format("beta is {}", beta);
  if (!(std::abs(1 - beta - gap) <= kTolerance)) return fmt::format("beta is {}, the spectral gap {}", beta, gap);
  return {};
}

std::string beta_reaches_power_iteration(const Trace& trace) {
  if (trace.network.nodes == 0 || trace.network.schedule.is_listed()) return {};
  const double found = power_iteration(trace.network);
  if (!(trace.network.beta >= found - kTolerance))
    return fmt::format("beta is {}, but W has an eigenvalue of at least {}", trace.network.beta, found);
  return {};
}

}  // namespace quantimed::checks

// SPDX-License-Identifier: BSD-3-Clause
#include "topology/network.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "topology/graph.hpp"
#include "topology/schedule.hpp"
#include "topology/spectrum.hpp"

namespace quantimed {

namespace {

constexpr std::uint32_t kUnreached = std::numeric_limits<std::uint32_t>::max();

void count_degrees(Network& network) {
  network.offsets.assign(network.nodes + 1, 0);
  for (const auto& [i, j] : network.edges) ++network.offsets[i + 1], ++network.offsets[j + 1];
  for (std::size_t i = 0; i < network.nodes; ++i) network.offsets[i + 1] += network.offsets[i];
}

std::uint32_t degree(const Network& network, NodeId i) {
  return static_cast<std::uint32_t>(network.offsets[i + 1] - network.offsets[i]);
}

double choose_kappa(const Network& network, const MixingRequest& mixing) {
  NodeId busiest = 0;
  for (NodeId i = 1; i < network.nodes; ++i)
    if (degree(network, i) > degree(network, busiest)) busiest = i;
  const std::uint32_t d_max = degree(network, busiest);
  if (mixing.kappa == 0) return d_max + 2.0;
  if (!(mixing.kappa >= d_max && mixing.kappa > 0 && std::isfinite(mixing.kappa)))
    throw InputError(
        "--mixing laplacian:{}: node {} has {} neighbours, so its own weight would be {:.3g}; take a KAPPA "
        "above {}, or leave it out for {}",
        mixing.kappa, busiest, d_max, 1 - d_max / mixing.kappa, d_max, d_max + 2);
  return mixing.kappa;
}

void require_own_weights(const GraphRequest& graph, const MixingRequest& mixing) {
  if (mixing.kind == MixingRequest::Kind::laplacian && mixing.kappa == 0) return;
  throw InputError(
      "--mixing {}: --graph {} has weights of its own; leave --mixing out",
      mixing.kind == MixingRequest::Kind::metropolis ? "metropolis" : fmt::format("laplacian:{}", mixing.kappa),
      topology::describe(graph));
}

// What nodes give away, [n]: the rest is their own.
void require_own_share(const GraphRequest& graph, std::span<const long double> given, const char* whose) {
  for (std::size_t i = 0; i < given.size(); ++i)
    if (given[i] > 1 + 1e-12L)
      throw InputError(
          "--graph {}: the weights of node {}'s {} sum to {:.6g}, so its own would be below 0; they may sum to 1",
          topology::describe(graph), i, whose, static_cast<double>(given[i]));
}

// The file's weights, and w_ii = 1 − Σ_j w_ij.
void take_weights(Network& network, const GraphRequest& graph, const MixingRequest& mixing,
                  std::vector<double> weights) {
  require_own_weights(graph, mixing);
  std::vector<long double> given(network.nodes);
  for (std::size_t e = 0; e < network.edges.size(); ++e) {
    given[network.edges[e].first] += weights[e];
    given[network.edges[e].second] += weights[e];
  }
  require_own_share(graph, given, "links");
  network.weights = std::move(weights);
  for (const long double sum : given)
    network.self_weights.push_back(std::abs(1 - sum) < 1e-12L ? 0.0 : static_cast<double>(1 - sum));
}

// w_ij on the edges, and w_ii = 1 − Σ_j w_ij.
void mix(Network& network, const MixingRequest& mixing) {
  const bool laplacian = mixing.kind == MixingRequest::Kind::laplacian;
  const double kappa = laplacian ? choose_kappa(network, mixing) : 0;
  std::vector<long double> outgoing(network.nodes);  // Σ_j w_ij; long: a hub adds 100,000 terms
  for (const auto& [i, j] : network.edges) {
    const double w = laplacian ? 1 / kappa : 1.0 / (1.0 + std::max(degree(network, i), degree(network, j)));
    network.weights.push_back(w);
    outgoing[i] += w;
    outgoing[j] += w;
  }
  for (const long double sum : outgoing)  // κ = d_max leaves 0, up to rounding
    network.self_weights.push_back(std::abs(1 - sum) < 1e-15L ? 0.0 : static_cast<double>(1 - sum));
}

// The edges are sorted by (i, j): all smaller neighbours first, then all larger ones, leaves every list ascending.
void list_neighbours(Network& network) {
  network.neighbour_list.resize(2 * network.edges.size());
  std::vector<std::size_t> next(network.offsets.begin(), network.offsets.end() - 1);
  for (std::size_t e = 0; e < network.edges.size(); ++e)
    network.neighbour_list[next[network.edges[e].second]++] = {network.edges[e].first,
                                                               static_cast<Real>(network.weights[e])};
  for (std::size_t e = 0; e < network.edges.size(); ++e)
    network.neighbour_list[next[network.edges[e].first]++] = {network.edges[e].second,
                                                              static_cast<Real>(network.weights[e])};
}

// Number of edges from `start` to every node, kUnreached where there is no way.
std::vector<std::uint32_t> distances(const Network& network, NodeId start) {
  std::vector<std::uint32_t> distance(network.nodes, kUnreached);
  std::vector<NodeId> queue{start};
  queue.reserve(network.nodes);
  distance[start] = 0;
  for (std::size_t head = 0; head < queue.size(); ++head)
    for (const Neighbour& neighbour : network.neighbours(queue[head]))
      if (distance[neighbour.id] == kUnreached) {
        distance[neighbour.id] = distance[queue[head]] + 1;
        queue.push_back(neighbour.id);
      }
  return distance;
}

// "3 nodes (4, 5, 6)", "1 node (9)"
std::string describe_part(const std::vector<NodeId>& part) {
  std::string text = fmt::format("{} node{} (", part.size(), part.size() == 1 ? "" : "s");
  for (std::size_t k = 0; k < std::min<std::size_t>(part.size(), 3); ++k)
    text += (k > 0 ? ", " : "") + std::to_string(part[k]);
  return text + (part.size() > 3 ? ", …)" : ")");
}

void require_connected(const Network& network, const GraphRequest& graph) {
  if (topology::is_connected(network.edges, network.nodes)) return;
  const auto parts = topology::connected_parts(network.edges, network.nodes);
  constexpr std::size_t kNamed = 4;
  std::string text;
  for (std::size_t k = 0; k < std::min(parts.size(), kNamed); ++k)
    text += (k > 0 ? ", " : "") + describe_part(parts[k]);
  if (parts.size() > kNamed) text += fmt::format(", and {} more", parts.size() - kNamed);
  throw InputError(
      "--graph {}: is not connected: {} nodes fall into {} parts, {}; add edges between them, or lower "
      "--nodes",
      topology::describe(graph), network.nodes, parts.size(), text);
}

// Connected is not enough when no node keeps any of its own model: on a graph of two colours the two halves then swap
// models for ever, −1 is an eigenvalue of W, and β = 1.
void require_mixing(const Network& network, const GraphRequest& graph, const MixingRequest& mixing, bool is_weighted) {
  if (network.nodes == 1) return;
  if (std::any_of(network.self_weights.begin(), network.self_weights.end(), [](double w) { return w > 0; })) return;
  const auto colour = distances(network, 0);
  for (const auto& [i, j] : network.edges)
    if (colour[i] % 2 == colour[j] % 2) return;
  if (is_weighted)
    throw InputError(
        "--graph {}: every node's weights sum to 1, so that its own is 0, and the graph has two colours, so that "
        "beta = 1 and the nodes never agree; give smaller weights",
        topology::describe(graph));
  throw InputError(
      "--mixing laplacian:{}: every node's own weight would be 0 and the graph has two colours, so that "
      "beta = 1 and the nodes never agree; take a larger KAPPA, or leave it out",
      mixing.kappa);
}

// 1/(1 + the most that hear one node) where every node hears as many as hear it, else 1/(1 + how many hear the sender).
void weigh(std::vector<Arc>& arcs, std::uint32_t nodes) {
  std::vector<std::uint32_t> heard_by(nodes), hears(nodes);
  for (const Arc& arc : arcs) ++heard_by[arc.from], ++hears[arc.to];
  const bool is_balanced = heard_by == hears;
  const std::uint32_t most = *std::ranges::max_element(heard_by);
  for (Arc& arc : arcs) arc.weight = 1 / (1.0 + (is_balanced ? most : heard_by[arc.from]));
}

// Each node hears of each other one, on some way: node 0 of all, and all of node 0.
void require_ways(const Network& network, const GraphRequest& graph) {
  std::vector<Neighbour> room;
  for (const bool from_0 : {true, false}) {
    std::vector<std::uint8_t> is_reached(network.nodes, 0);
    std::vector<NodeId> queue{0};
    is_reached[0] = 1;
    for (std::size_t head = 0; head < queue.size(); ++head)
      for (const Neighbour& j : from_0 ? network.readers(queue[head], 0, room) : network.sources(queue[head], 0, room))
        if (!std::exchange(is_reached[j.id], 1)) queue.push_back(j.id);
    if (queue.size() == network.nodes) continue;
    const auto lost = std::ranges::find(is_reached, 0) - is_reached.begin();
    throw InputError(
        "--graph {}: is not strongly connected: what node {} sends reaches node {} on no way, and {} of {} nodes are "
        "like that; add links",
        topology::describe(graph), from_0 ? 0 : lost, from_0 ? lost : 0, network.nodes - queue.size(), network.nodes);
  }
}

void take_arcs(Network& network, const GraphRequest& graph) {
  network.arcs = topology::read_arcs(graph, network.nodes);
  const bool is_weighted = !network.arcs.empty() && network.arcs.front().weight > 0;
  if (!is_weighted) weigh(network.arcs, network.nodes);
  std::vector<long double> given(network.nodes);
  for (const Arc& arc : network.arcs) given[arc.from] += arc.weight;
  require_own_share(graph, given, "outgoing links");
  if (network.nodes > 1 && std::ranges::all_of(given, [](long double sum) { return std::abs(1 - sum) < 1e-12L; }))
    throw InputError(
        "--graph {}: every node's outgoing weights sum to 1, so that none keeps a part of its own model, and they may "
        "never agree; let a node's sum to less",
        topology::describe(graph));
}

// What every algorithm relies on, tested on the finished lists and not on how they were made.
void verify(const Network& network) {
  const auto reached = distances(network, 0);
  // Nodes are visited in ascending order, so each must be the next entry of every neighbour's ascending list.
  std::vector<std::size_t> next(network.offsets.begin(), network.offsets.end() - 1);
  for (NodeId i = 0; i < network.nodes; ++i) {
    check(reached[i] != kUnreached, "the network is connected");
    check(network.self_weights[i] >= 0, "self weights are not negative");
    double row = network.self_weights[i];
    for (const Neighbour& neighbour : network.neighbours(i)) {
      check(neighbour.weight >= 0 && neighbour.id != i, "weights are not negative, and lie on edges");
      check(next[neighbour.id] < network.offsets[neighbour.id + 1], "every edge is listed at both ends");
      const Neighbour& mirror = network.neighbour_list[next[neighbour.id]++];
      check(mirror.id == i && mirror.weight == neighbour.weight, "W is symmetric");
      row += neighbour.weight;
    }
    check(!network.rows_sum_to_one || std::abs(row - 1) < 2e-6, "the neighbours' weights are those of W");
  }
  std::vector<long double> sums(network.self_weights.begin(), network.self_weights.end());
  for (std::size_t e = 0; e < network.edges.size(); ++e) {
    sums[network.edges[e].first] += network.weights[e];
    sums[network.edges[e].second] += network.weights[e];
  }
  for (const long double sum : sums)
    check(network.schedule.is_listed() || std::abs(sum - 1) < 1e-12L, "W is doubly stochastic");
}

topology::Spectrum spectrum(const Network& network, const GraphRequest& graph) {
  using Kind = GraphRequest::Kind;
  const double weight = network.weights.empty() ? 0 : network.weights.front();  // these kinds: equal on all edges
  if (graph.kind == Kind::ring) return topology::torus_spectrum({1, network.nodes}, weight);
  if (graph.kind == Kind::chain) return topology::chain_spectrum(network.nodes, weight);
  if (graph.kind == Kind::hypercube) return topology::hypercube_spectrum(network.nodes, weight);
  if (graph.kind == Kind::torus) return topology::torus_spectrum(topology::most_square(network.nodes), weight);
  if (!network.rows_sum_to_one) {
    if (network.nodes > topology::kDenseNodes)
      throw InputError(
          "--graph {}: where nodes hear more, or fewer, than hear them beta is computed for up to {} nodes; take "
          "fewer, or let each hear as many as hear it",
          topology::describe(graph), topology::kDenseNodes);
    return topology::directed_spectrum(network);
  }
  return network.nodes <= topology::kDenseNodes ? topology::dense_spectrum(network)
                                                : topology::lanczos_spectrum(network);
}

}  // namespace

std::uint32_t Network::eccentricity(NodeId i) const {
  const auto distance = distances(*this, i);
  return *std::max_element(distance.begin(), distance.end());
}

Network make_network(const GraphRequest& graph, const MixingRequest& mixing, std::uint32_t nodes, std::uint64_t seed) {
  if (nodes == 0) throw InputError("--nodes 0: a network has at least one node; take --nodes 1 or more");
  Network network;
  network.nodes = nodes;
  network.schedule = {.kind = topology::schedule_of(graph.kind), .seed = seed};
  if (network.is_scheduled()) {
    require_own_weights(graph, mixing);
    topology::require_few_edges(graph, nodes);
    if (network.schedule.is_listed()) take_arcs(network, graph);
    topology::unite(network);
    if (network.schedule.is_listed()) require_ways(network, graph);
    count_degrees(network);
    list_neighbours(network);
  } else {
    topology::require_few_edges(graph, nodes);
    auto [edges, weights] =
        graph.kind == GraphRequest::Kind::file
            ? topology::read_edges(graph, nodes)
            : topology::WeightedEdges{topology::make_edges(graph, nodes, seed, network.redraws), {}};
    network.edges = std::move(edges);
    require_connected(network, graph);
    count_degrees(network);
    const bool is_weighted = !weights.empty();
    if (is_weighted)
      take_weights(network, graph, mixing, std::move(weights));
    else
      mix(network, mixing);
    list_neighbours(network);
    require_mixing(network, graph, mixing, is_weighted);
  }
  verify(network);
  const auto [beta, gap] = spectrum(network, graph);
  network.beta = beta;
  network.spectral_gap = gap;
  return network;
}

}  // namespace quantimed

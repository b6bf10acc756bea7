// SPDX-License-Identifier: BSD-3-Clause
#include "topology/schedule.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "topology/graph.hpp"

namespace quantimed {

namespace {

std::uint32_t hops(std::uint32_t nodes) {
  return nodes > 1 ? static_cast<std::uint32_t>(std::bit_width(nodes - 1)) : 0;
}

NodeId ahead(NodeId i, std::uint32_t hop, std::uint32_t nodes) {
  return static_cast<NodeId>((std::uint64_t{i} + (std::uint64_t{1} << hop)) % nodes);
}
NodeId behind(NodeId i, std::uint32_t hop, std::uint32_t nodes) {
  return static_cast<NodeId>((std::uint64_t{i} + nodes - (std::uint64_t{1} << hop)) % nodes);
}

// Everybody's partner in message k, itself where there is none: the pairs of a random order. Each thread draws it once
// a message, and keeps that of the message before: an algorithm may have both under way.
struct Matching {
  std::uint64_t seed = 0;
  Round k = 0;
  std::vector<NodeId> partner, order;  // [n]
};

const std::vector<NodeId>& matching(std::uint32_t nodes, std::uint64_t seed, Round k) {
  thread_local std::array<Matching, 2> kept;
  Matching& m = kept[k % 2];
  if (m.partner.size() == nodes && m.seed == seed && m.k == k) return m.partner;
  m.seed = seed, m.k = k;
  m.partner.resize(nodes);
  m.order.resize(nodes);
  std::iota(m.order.begin(), m.order.end(), NodeId{0});
  Stream stream({.seed = seed, .iteration = k, .purpose = Purpose::schedule});
  for (std::uint32_t last = nodes - 1; last > 0; --last) std::swap(m.order[last], m.order[stream.index(last + 1)]);
  for (std::uint32_t at = 0; at + 1 < nodes; at += 2) {
    m.partner[m.order[at]] = m.order[at + 1];
    m.partner[m.order[at + 1]] = m.order[at];
  }
  if (nodes % 2 == 1) m.partner[m.order.back()] = m.order.back();
  return m.partner;
}

struct Scheduled {
  GraphRequest::Kind graph;
  Schedule::Kind kind;
};
constexpr Scheduled kScheduled[] = {
    {GraphRequest::Kind::one_peer_exponential, Schedule::Kind::one_peer_exponential},
    {GraphRequest::Kind::random_matching, Schedule::Kind::random_matching},
    {GraphRequest::Kind::directed_exponential, Schedule::Kind::directed_exponential},
    {GraphRequest::Kind::directed_file, Schedule::Kind::directed_file},
};

}  // namespace

std::span<const Neighbour> Network::peers(NodeId i, Round k, Side side, std::vector<Neighbour>& room) const {
  const std::uint32_t all = hops(nodes);
  const auto peer = [&](std::uint32_t hop) {
    return side == Side::readers ? ahead(i, hop, nodes) : behind(i, hop, nodes);
  };
  room.clear();
  switch (schedule.kind) {
    case Schedule::Kind::one_peer_exponential:
      if (all > 0) room.push_back({peer(k % all), 0.5f});
      break;
    case Schedule::Kind::random_matching:
      if (const NodeId j = matching(nodes, schedule.seed, k)[i]; j != i) room.push_back({j, 0.5f});
      break;
    case Schedule::Kind::directed_exponential:
      for (std::uint32_t hop = 0; hop < all; ++hop) room.push_back({peer(hop), 1 / (1 + static_cast<Real>(all))});
      std::ranges::sort(room, {}, &Neighbour::id);
      break;
    case Schedule::Kind::directed_file: {
      const Lists& lists = arcs_of_[static_cast<std::size_t>(side)];
      return {lists.list.data() + lists.offsets[i], lists.offsets[i + 1] - lists.offsets[i]};
    }
    case Schedule::Kind::none:
      throw InternalError("a static graph has no schedule");
  }
  return room;
}

std::uint32_t Network::reader_count(NodeId i, Round k) const {
  switch (schedule.kind) {
    case Schedule::Kind::one_peer_exponential:
      return nodes > 1 ? 1 : 0;
    case Schedule::Kind::random_matching:
      return nodes % 2 == 0 || matching(nodes, schedule.seed, k)[i] != i ? 1 : 0;
    case Schedule::Kind::directed_exponential:
      return hops(nodes);
    case Schedule::Kind::directed_file: {
      const Lists& lists = arcs_of_[static_cast<std::size_t>(Side::readers)];
      return static_cast<std::uint32_t>(lists.offsets[i + 1] - lists.offsets[i]);
    }
    case Schedule::Kind::none:
      break;
  }
  return static_cast<std::uint32_t>(neighbours(i).size());
}

double Network::mean_readers(NodeId i, Round first, std::uint32_t messages) const {
  if (schedule.kind != Schedule::Kind::random_matching || nodes % 2 == 0) return reader_count(i, first);
  double sum = 0;
  for (std::uint32_t k = 0; k < messages; ++k) sum += reader_count(i, first + k);
  return sum / messages;
}

double Network::self_weight(NodeId i, Round k) const {
  return is_scheduled() && !schedule.is_listed() ? 1 / (1.0 + reader_count(i, k)) : self_weights[i];
}

Real Network::heard_weight(NodeId i, NodeId j) const {
  std::vector<Neighbour> room;
  const auto all = sources(i, 0, room);
  const auto found = std::ranges::lower_bound(all, j, {}, &Neighbour::id);
  return found != all.end() && found->id == j ? found->weight : 0;
}

double Network::row_sum(NodeId i) const {
  if (rows_sum_to_one) return 1;
  std::vector<Neighbour> room;
  double sum = self_weights[i];
  for (const Neighbour& j : sources(i, 0, room)) sum += static_cast<double>(j.weight);
  return sum;
}

std::uint32_t Network::messages_until_all_hear(NodeId i, Round k, std::uint32_t stride) const {
  std::vector<std::uint8_t> has_heard(nodes, 0);
  std::vector<NodeId> who{i};
  std::vector<Neighbour> room;
  has_heard[i] = 1;
  std::uint32_t messages = 0;
  for (; who.size() < nodes; ++messages, k += stride)
    for (std::size_t at = 0, before = who.size(); at < before; ++at)
      for (const Neighbour& j : readers(who[at], k, room))
        if (!std::exchange(has_heard[j.id], 1)) who.push_back(j.id);
  return messages;
}

// `arcs` are sorted by (to, from): each node meets its sources, and each its readers, in ascending order.
void Network::list_arcs() {
  for (const Side side : {Side::sources, Side::readers}) {
    const auto at = [&](const Arc& arc) { return side == Side::sources ? arc.to : arc.from; };
    Lists& lists = arcs_of_[static_cast<std::size_t>(side)];
    lists.offsets.assign(nodes + std::size_t{1}, 0);
    for (const Arc& arc : arcs) ++lists.offsets[at(arc) + 1];
    for (std::size_t i = 0; i < nodes; ++i) lists.offsets[i + 1] += lists.offsets[i];
    lists.list.resize(arcs.size());
    std::vector<std::size_t> next(lists.offsets.begin(), lists.offsets.end() - 1);
    for (const Arc& arc : arcs)
      lists.list[next[at(arc)]++] = {side == Side::sources ? arc.from : arc.to, static_cast<Real>(arc.weight)};
  }
}

Schedule::Kind topology::schedule_of(GraphRequest::Kind kind) {
  for (const Scheduled& one : kScheduled)
    if (one.graph == kind) return one.kind;
  return Schedule::Kind::none;
}

std::string_view topology::name_of(Schedule::Kind kind) {
  for (const Scheduled& one : kScheduled)
    if (one.kind == kind) return name_of(one.graph);
  return "";
}

Schedule::Kind topology::schedule_named(std::string_view name) {
  for (const Scheduled& one : kScheduled)
    if (name_of(one.graph) == name) return one.kind;
  return Schedule::Kind::none;
}

namespace {

// What a node keeps is what it does not give away: the columns of W sum to 1.
void unite_arcs(Network& network) {
  std::vector<long double> given(network.nodes), taken(network.nodes);
  std::map<std::pair<NodeId, NodeId>, double> mean;
  for (const Arc& arc : network.arcs) {
    given[arc.from] += arc.weight;
    taken[arc.to] += arc.weight;
    mean[std::minmax({arc.from, arc.to})] += arc.weight / 2;
  }
  for (const auto& [edge, w] : mean) {
    network.edges.push_back(edge);
    network.weights.push_back(w);
  }
  network.rows_sum_to_one = true;
  for (NodeId i = 0; i < network.nodes; ++i) {
    network.self_weights[i] = std::abs(1 - given[i]) < 1e-12L ? 0.0 : static_cast<double>(1 - given[i]);
    if (std::abs(given[i] - taken[i]) > topology::kRowTolerance) network.rows_sum_to_one = false;
  }
  network.list_arcs();
}

}  // namespace

// Both exponential graphs look the same from every node, and a matching is as likely to have one pair as another.
void topology::unite(Network& network) {
  const std::uint32_t n = network.nodes, all = hops(n);
  network.edges.clear();
  network.weights.clear();
  network.self_weights.assign(n, 1);
  if (network.schedule.is_listed()) return unite_arcs(network);
  if (n == 1) return;
  if (network.schedule.kind == Schedule::Kind::random_matching) {
    const double share = 1.0 / (n % 2 == 0 ? n - 1 : n);  // of messages in which two nodes are a pair
    for (NodeId i = 0; i < n; ++i)
      for (NodeId j = i + 1; j < n; ++j) network.edges.emplace_back(i, j);
    network.weights.assign(network.edges.size(), share / 2);
    network.self_weights.assign(n, 1 - share * (n - 1) / 2);
    return;
  }
  const bool is_one_peer = network.schedule.kind == Schedule::Kind::one_peer_exponential;
  const double weight = is_one_peer ? 0.5 / all : 1.0 / (1 + all);  // of a hop, in the mean over messages
  std::map<std::pair<NodeId, NodeId>, double> mean;
  for (NodeId i = 0; i < n; ++i)
    for (std::uint32_t hop = 0; hop < all; ++hop) mean[std::minmax({i, ahead(i, hop, n)})] += weight / 2;
  for (const auto& [edge, w] : mean) {
    network.edges.push_back(edge);
    network.weights.push_back(w);
  }
  network.self_weights.assign(n, is_one_peer ? 0.5 : 1.0 / (1 + all));
}

}  // namespace quantimed

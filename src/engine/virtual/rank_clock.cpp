// SPDX-License-Identifier: BSD-3-Clause
#include "engine/virtual/rank_clock.hpp"

#include "base/error.hpp"
#include "engine/resumption.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace quantimed {

namespace {

// Other ranks that hear the node: in ascending order.
std::vector<Rank> ranks_that_hear(const Network& network, const Layout& layout, NodeId node) {
  std::vector<Rank> ranks;
  for (const Neighbour& j : network.neighbours(node)) ranks.push_back(layout.rank_of(j.id));
  std::ranges::sort(ranks);
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  std::erase(ranks, layout.rank_of(node));
  return ranks;
}

Layout layout_of_nodes(const Network& network, const PredictedRanks& ranks) {
  return {.nodes = network.nodes, .ranks = ranks.ranks};
}
Layout layout_of_ranks(const PredictedRanks& ranks) { return {.nodes = ranks.ranks, .ranks = ranks.hosts}; }

}  // namespace

RankClock::RankClock(const Run& run)
    : run_(run),
      ranks_(layout_of_nodes(run.network, *run.ranks)),
      hosts_(layout_of_ranks(*run.ranks)),
      first_{0},
      seen_(run.network.nodes),
      of_rank_(run.ranks->ranks),
      of_host_(run.ranks->hosts) {
  for (NodeId i = 0; i < run.network.nodes; ++i) {
    const Rank from = ranks_.rank_of(i);
    for (const Rank to : ranks_that_hear(run.network, ranks_, i))
      crossings_.push_back({i, from, to, host(from) != host(to)});
    first_.push_back(static_cast<std::uint32_t>(crossings_.size()));
  }
  order_.resize(crossings_.size());
  there_.resize(crossings_.size());
  const auto restore = [&](const char* what, std::vector<Busy>& all) {
    for (std::size_t k = 0; k < all.size(); ++k)
      all[k] = {resumed(run, fmt::format("{}_{}_out", what, k)), resumed(run, fmt::format("{}_{}_in", what, k))};
  };
  restore("rank", of_rank_);
  restore("host", of_host_);
}

void RankClock::save(Attributes& state) const {
  const auto put = [&](const char* what, const std::vector<Busy>& all) {
    for (std::size_t k = 0; k < all.size(); ++k) {
      state.emplace_back(fmt::format("{}_{}_out", what, k), all[k].out);
      state.emplace_back(fmt::format("{}_{}_in", what, k), all[k].in);
    }
  };
  put("rank", of_rank_);
  put("host", of_host_);
}

void RankClock::carry(const std::vector<Seconds>& sent, const Records& records, Round t) {
  const auto link_of = [&](const Crossing& c) -> const LinkCosts& {
    return c.is_between_hosts ? *run_.ranks->two_hosts : *run_.ranks->one_host;
  };
  for (NodeId i = 0; i < sent.size(); ++i) seen_[i] = sent[i] + run_.machine->latency_s;
  // Couriers take messages in the order in which they see them; of one moment, in that of the nodes.
  std::iota(order_.begin(), order_.end(), 0u);
  std::ranges::stable_sort(order_, {}, [&](std::uint32_t k) { return seen_[crossings_[k].node]; });
  for (const std::uint32_t k : order_) {
    const Crossing& c = crossings_[k];
    const LinkCosts& link = link_of(c);
    const double bytes = records[c.node][t].bytes;
    const Seconds gap = link.gap_time(bytes);
    Seconds leaves = std::max(seen_[c.node], of_rank_[c.from].out);
    if (c.is_between_hosts) leaves = std::max(leaves, of_host_[host(c.from)].out);
    of_rank_[c.from].out = leaves + gap;
    if (c.is_between_hosts) of_host_[host(c.from)].out = leaves + gap;
    there_[k] = leaves + link.one_way_time(bytes);
  }
  // And on the other side as they come.
  std::ranges::stable_sort(order_, {}, [&](std::uint32_t k) { return there_[k]; });
  for (const std::uint32_t k : order_) {
    const Crossing& c = crossings_[k];
    const Seconds gap = link_of(c).gap_time(records[c.node][t].bytes);
    Seconds there = std::max(there_[k], of_rank_[c.to].in + gap);
    if (c.is_between_hosts) there = std::max(there, of_host_[host(c.to)].in + gap);
    of_rank_[c.to].in = there;
    if (c.is_between_hosts) of_host_[host(c.to)].in = there;
    there_[k] = there + run_.machine->latency_s;
  }
}

Seconds RankClock::arrival(NodeId j, NodeId i) const {
  const Rank to = ranks_.rank_of(i);
  if (to == ranks_.rank_of(j)) return seen_[j];
  const auto begin = crossings_.begin() + first_[j], end = crossings_.begin() + first_[j + 1];
  const auto found = std::ranges::lower_bound(begin, end, to, {}, &Crossing::to);
  check(found != end && found->to == to, "a message that does not cross");
  return there_[static_cast<std::size_t>(found - crossings_.begin())];
}

CrossingMessages crossing_messages(const Network& network, const PredictedRanks& ranks) {
  const Layout nodes = layout_of_nodes(network, ranks), hosts = layout_of_ranks(ranks);
  CrossingMessages count;
  for (NodeId i = 0; i < network.nodes; ++i) {
    const Rank from = nodes.rank_of(i);
    for (const Neighbour& j : network.neighbours(i)) count.within_ranks += nodes.rank_of(j.id) == from;
    for (const Rank to : ranks_that_hear(network, nodes, i)) {
      ++count.between_ranks;
      count.between_hosts += hosts.rank_of(to) != hosts.rank_of(from);
    }
  }
  return count;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Deals the first n·m rows of a data set out to n nodes. Every partition deals the same rows, so f(x) is the same
// function whichever is chosen, and only who holds what differs.
#include "dataset/shards.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "dataset/gaussian.hpp"

namespace quantimed {

namespace {

// Iterations of the partition's streams, so that no two uses share a stream.
constexpr std::uint32_t kShuffle = 0, kMix = 1;

// Fisher–Yates. std::shuffle's result is the library's own choice; ours is the same everywhere.
void shuffle(std::span<SampleId> rows, Stream& random) {
  for (std::size_t i = rows.size(); i > 1; --i)
    std::swap(rows[i - 1], rows[random.index(static_cast<std::uint32_t>(i))]);
}

// log of a Gamma(shape, 1) variate: G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables",
// ACM TOMS 26 (2000). A shape below 1 is boosted: Gamma(a) = Gamma(a + 1) · U^(1/a). In logarithms, because for a
// small shape the variate itself is below the smallest double.
double log_gamma_variate(double shape, Stream& random) {
  if (shape < 1) {
    const double boost = std::log(1.0 - random.uniform()) / shape;
    return log_gamma_variate(shape + 1, random) + boost;
  }
  const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal(random), root = 1.0 + c * x, v = root * root * root;
    if (root <= 0) continue;
    if (std::log(1.0 - random.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v);
  }
}

std::vector<double> dirichlet(double concentration, std::size_t classes, Stream& random) {
  std::vector<double> p(classes);
  for (double& x : p) x = log_gamma_variate(concentration, random);
  const double largest = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& x : p) sum += x = std::exp(x - largest);
  for (double& x : p) x /= sum;
  return p;
}

// Whole counts that add up to m and are within 1 of m·p: largest remainders first.
std::vector<std::size_t> round_to_sum(const std::vector<double>& p, std::size_t m) {
  std::vector<std::size_t> counts(p.size());
  std::size_t given = 0;
  for (std::size_t c = 0; c < p.size(); ++c) {
    const auto whole = static_cast<std::size_t>(static_cast<double>(m) * p[c]);
    given += counts[c] = std::min(whole, m - given);  // rounding must not overrun m
  }
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto remainder = [&](std::size_t c) { return static_cast<double>(m) * p[c] - static_cast<double>(counts[c]); };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return remainder(a) > remainder(b); });
  for (std::size_t k = 0; given < m; k = (k + 1) % order.size(), ++given) ++counts[order[k]];
  return counts;
}

using Pools = std::vector<std::vector<SampleId>>;  // rows still free, by class

void move_rows(std::vector<SampleId>& pool, std::size_t count, std::vector<SampleId>& to) {
  to.insert(to.end(), pool.end() - static_cast<std::ptrdiff_t>(count), pool.end());
  pool.resize(pool.size() - count);
}

// First every node takes its mix as far as the classes last, then the short ones fill up: each from what is left of
// the classes that it wants most.
std::vector<SampleId> deal_by_mix(Pools pools, std::span<const std::vector<double>> mixes, std::size_t m) {
  std::vector<std::vector<SampleId>> held(mixes.size());
  for (std::size_t i = 0; i < mixes.size(); ++i) {
    const auto wanted = round_to_sum(mixes[i], m);
    for (std::size_t c = 0; c < pools.size(); ++c) move_rows(pools[c], std::min(wanted[c], pools[c].size()), held[i]);
  }
  std::vector<SampleId> rows;
  for (std::size_t i = 0; i < mixes.size(); ++i) {
    std::vector<std::size_t> order(pools.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return mixes[i][a] > mixes[i][b]; });
    for (const std::size_t c : order) move_rows(pools[c], std::min(m - held[i].size(), pools[c].size()), held[i]);
    rows.insert(rows.end(), held[i].begin(), held[i].end());
  }
  return rows;
}

std::vector<SampleId> deal_dirichlet(const Dataset& data, std::span<SampleId> rows, double concentration,
                                     std::uint32_t nodes, std::uint64_t seed) {
  if (data.classes == 0)
    throw InputError("--partition dirichlet: data set {} has values, not classes; choose iid or by-label", data.name);
  Stream order({.seed = seed, .iteration = kShuffle, .purpose = Purpose::partition});
  shuffle(rows, order);
  Pools pools(data.classes);
  for (const SampleId row : rows) pools[static_cast<std::size_t>(data.targets[row])].push_back(row);
  std::vector<std::vector<double>> mixes;
  for (NodeId node = 0; node < nodes; ++node) {
    Stream random({.seed = seed, .node = node, .iteration = kMix, .purpose = Purpose::partition});
    mixes.push_back(dirichlet(concentration, data.classes, random));
  }
  return deal_by_mix(std::move(pools), mixes, rows.size() / nodes);
}

}  // namespace

Partition parse_partition(const std::string& text) {
  using enum Partition::Kind;
  if (text == "contiguous") return {contiguous};
  if (text == "iid") return {iid};
  if (text == "by-label") return {by_label};
  constexpr std::string_view kDirichlet = "dirichlet:";
  if (text.starts_with(kDirichlet)) {
    double a = 0;
    const char* end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data() + kDirichlet.size(), end, a);
    if (failure == std::errc{} && stop == end && a >= 1e-6 && a <= 1e6) return {dirichlet, a};
    throw InputError("--partition {}: the concentration must be a number from 1e-6 to 1e6, as in dirichlet:0.5", text);
  }
  throw InputError("--partition {}: unknown; choose contiguous, iid, by-label or dirichlet:A", text);
}

std::uint32_t samples_of_each(std::uint32_t per_node, std::size_t samples, std::uint32_t nodes) {
  const auto equal_share = static_cast<std::uint32_t>(samples / nodes);
  if (per_node == kAllSamples) return equal_share;
  return per_node == kAutoSamples ? std::min(kMostUsualSamples, equal_share) : per_node;
}

Shards make_shards(const Dataset& data, const Partition& partition, std::uint32_t nodes, std::uint32_t per_node,
                   std::uint64_t seed) {
  if (nodes == 0) throw InputError("--nodes 0: at least one node is needed");
  if (data.samples < nodes)
    throw InputError("--nodes {}: data set {} has only {} samples, fewer than nodes", nodes, data.name, data.samples);
  per_node = samples_of_each(per_node, data.samples, nodes);
  if (std::uint64_t{nodes} * per_node > data.samples)
    throw InputError("--samples-per-node {}: {} nodes need {} samples, data set {} has {}; give {} or less, or all",
                     per_node, nodes, std::uint64_t{nodes} * per_node, data.name, data.samples, data.samples / nodes);
  Shards shards{{}, nodes, per_node};
  shards.rows.resize(std::size_t{nodes} * per_node);
  std::iota(shards.rows.begin(), shards.rows.end(), SampleId{0});
  switch (partition.kind) {
    case Partition::Kind::contiguous:
      break;
    case Partition::Kind::iid: {
      Stream random({.seed = seed, .iteration = kShuffle, .purpose = Purpose::partition});
      shuffle(shards.rows, random);
      break;
    }
    case Partition::Kind::by_label:
      std::stable_sort(shards.rows.begin(), shards.rows.end(),
                       [&](SampleId a, SampleId b) { return data.targets[a] < data.targets[b]; });
      break;
    case Partition::Kind::dirichlet:
      shards.rows = deal_dirichlet(data, shards.rows, partition.concentration, nodes, seed);
      break;
  }
  return shards;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "topology/graph.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <numeric>
#include <optional>

#include "base/error.hpp"
#include "base/random.hpp"

namespace quantimed::topology {

namespace {

// Generators may name an edge from both ends, twice (a cycle of two nodes) or from i to itself (a cycle of one).
Edges tidy(Edges edges) {
  std::erase_if(edges, [](const auto& e) { return e.first == e.second; });
  for (auto& [i, j] : edges)
    if (i > j) std::swap(i, j);
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  return edges;
}

Edges ring(std::uint32_t n) {
  Edges edges;
  for (NodeId i = 0; i < n; ++i) edges.emplace_back(i, (i + 1) % n);
  return tidy(std::move(edges));
}

Edges torus(std::uint32_t n) {
  const auto [rows, columns] = most_square(n);
  if (rows == 1 && n > 1)
    throw InputError("--graph torus: {} nodes make no torus, the number is prime; take --nodes {}, or --graph ring", n,
                     n > 3 ? fmt::format("{} or {}", n - 1, n + 1) : "4");
  Edges edges;
  for (NodeId r = 0; r < rows; ++r)
    for (NodeId c = 0; c < columns; ++c) {
      edges.emplace_back(r * columns + c, r * columns + (c + 1) % columns);
      edges.emplace_back(r * columns + c, (r + 1) % rows * columns + c);
    }
  return tidy(std::move(edges));
}

Edges complete(std::uint32_t n) {
  Edges edges;
  edges.reserve(std::size_t{n} * (n - 1) / 2);
  for (NodeId i = 0; i < n; ++i)
    for (NodeId j = i + 1; j < n; ++j) edges.emplace_back(i, j);
  return edges;
}

Edges star(std::uint32_t n) {
  Edges edges;
  for (NodeId i = 1; i < n; ++i) edges.emplace_back(0, i);
  return edges;
}

Edges chain(std::uint32_t n) {
  Edges edges;
  for (NodeId i = 1; i < n; ++i) edges.emplace_back(i - 1, i);
  return edges;
}

// Nodes whose numbers differ in one bit.
Edges hypercube(std::uint32_t n) {
  if (!std::has_single_bit(n)) {
    const std::uint32_t below = std::bit_floor(n);
    throw InputError("--graph hypercube: {} nodes make no hypercube, the number is no power of two; take --nodes {}", n,
                     below < 1u << 31 ? fmt::format("{} or {}", below, 2 * below) : fmt::format("{}", below));
  }
  Edges edges;
  for (NodeId i = 0; i < n; ++i)
    for (NodeId bit = 1; bit < n; bit *= 2)
      if (!(i & bit)) edges.emplace_back(i, i | bit);
  return tidy(std::move(edges));
}

// Nodes 0 … ⌈n/2⌉ − 1 and the others: two complete graphs, and the bridge between ⌈n/2⌉ − 1 and ⌈n/2⌉.
Edges two_cliques(std::uint32_t n) {
  const NodeId half = n / 2 + n % 2;
  Edges edges;
  for (NodeId i = 0; i < n; ++i)
    for (NodeId j = i + 1; j < (i < half ? half : n); ++j) edges.emplace_back(i, j);
  if (half < n) edges.emplace_back(half - 1, half);
  return tidy(std::move(edges));
}

// i — i + 2^k mod n for all 2^k < n; the edges i − 2^k are the same ones, seen from the other end.
Edges exponential(std::uint32_t n) {
  Edges edges;
  for (std::uint64_t step = 1; step < n; step *= 2)
    for (std::uint64_t i = 0; i < n; ++i) edges.emplace_back(i, (i + step) % n);
  return tidy(std::move(edges));
}

// One draw, in time O(n + E): instead of asking every pair, jump over the run of pairs that are left out, whose length
// is geometric (Batagelj and Brandes, "Efficient generation of large random networks", Phys. Rev. E 71, 2005).
Edges draw_erdos_renyi(std::uint32_t n, double p, Stream stream) {
  Edges edges;
  edges.reserve(static_cast<std::size_t>(1.1 * p * n * (n - 1) / 2));
  const double log_left_out = std::log1p(-p);  // −∞ for p = 1: every jump is then 0
  std::uint64_t i = 0, j = 0;                  // the pair considered last
  while (true) {
    const double jump = std::floor(std::log1p(-stream.uniform()) / log_left_out);
    if (!(jump < static_cast<double>(n) * n)) return edges;  // beyond the last pair, and maybe beyond an integer
    j += 1 + static_cast<std::uint64_t>(jump);
    while (j >= n && i + 1 < n) {
      j += 2 + i - n;  // the next row starts at the pair (i + 1, i + 2)
      ++i;
    }
    if (j >= n) return edges;
    edges.emplace_back(i, j);
  }
}

// Conditioned on being connected: draws again, from the stream of the next redraw, until it is.
Edges erdos_renyi(std::uint32_t n, double p, std::uint64_t seed, std::uint32_t& redraws) {
  if (!(p > 0 && p <= 1)) throw InputError("--graph erdos-renyi:{}: give a probability in (0, 1]", p);
  // Connected graphs have no lonely node. With so many expected, e^−30 is the chance of none: do not even try.
  const double lonely_nodes = n * std::pow(1 - p, n - 1.0);
  for (redraws = 0; redraws < kMaxRedraws && lonely_nodes < 30; ++redraws) {
    Edges edges = draw_erdos_renyi(n, p, Stream({.seed = seed, .node = redraws, .purpose = Purpose::graph}));
    if (is_connected(edges, n)) return edges;
  }
  throw InputError(
      "--graph erdos-renyi:{}: P is too small for {} nodes, {}; graphs are connected for P well above ln(n)/n = {:.2g}",
      p, n,
      redraws == 0 ? fmt::format("about {:.0f} of them would have no neighbour", lonely_nodes)
                   : fmt::format("none of {} draws was connected", redraws),
      std::log(n) / n);
}

// Whether two of these nodes, which all lack edges, may still be linked.
bool any_pair(std::vector<NodeId> open, const std::vector<std::vector<NodeId>>& linked) {
  std::sort(open.begin(), open.end());
  open.erase(std::unique(open.begin(), open.end()), open.end());
  for (const NodeId a : open)
    for (const NodeId b : open)
      if (a != b && std::ranges::find(linked[a], b) == linked[a].end()) return true;
  return false;
}

// One draw: each node has `degree` open ends, which are joined at random where that makes a new edge, until none is
// left (Steger and Wormald, "Generating random regular graphs quickly", Comb. Probab. Comput. 8, 1999). Nothing where
// the last ends cannot be joined.
std::optional<Edges> draw_regular(std::uint32_t n, std::uint32_t degree, Stream stream) {
  std::vector<std::vector<NodeId>> linked(n);
  std::vector<NodeId> ends, rest;
  for (NodeId i = 0; i < n; ++i) ends.insert(ends.end(), degree, i);
  Edges edges;
  while (!ends.empty()) {
    for (std::size_t k = ends.size() - 1; k > 0; --k)
      std::swap(ends[k], ends[stream.index(static_cast<std::uint32_t>(k + 1))]);
    rest.clear();
    for (std::size_t k = 0; k < ends.size(); k += 2) {
      const NodeId a = ends[k], b = ends[k + 1];
      if (a == b || std::ranges::find(linked[a], b) != linked[a].end()) {
        rest.insert(rest.end(), {a, b});
        continue;
      }
      linked[a].push_back(b);
      linked[b].push_back(a);
      edges.emplace_back(a, b);
    }
    if (rest.size() == ends.size() && !any_pair(rest, linked)) return {};
    ends.swap(rest);
  }
  return tidy(std::move(edges));
}

Edges complement(const Edges& edges, std::uint32_t n) {
  Edges all = complete(n), rest;
  std::ranges::set_difference(all, edges, std::back_inserter(rest));
  return rest;
}

// Conditioned on being connected, as with Erdős–Rényi. More than half of all edges: what is left out is drawn, since
// dense draws rarely come to an end.
Edges regular(std::uint32_t n, std::uint32_t degree, std::uint64_t seed, std::uint32_t& redraws) {
  if (degree >= n && n > 1)
    throw InputError("--graph k-regular:{}: a node of {} has at most {} neighbours; take a K below --nodes {}", degree,
                     n, n - 1, n);
  if (n == 1) return {};
  if (std::uint64_t{n} * degree % 2 != 0)
    throw InputError(
        "--graph k-regular:{}: {} nodes with {} neighbours each make {} ends of edges, an odd number; "
        "take an even K, or --nodes {}",
        degree, n, degree, std::uint64_t{n} * degree, n + 1);
  const bool is_dense = degree > (n - 1) / 2;
  for (redraws = 0; redraws < kMaxRedraws; ++redraws) {
    const Stream stream({.seed = seed, .node = redraws, .purpose = Purpose::graph});
    auto edges = draw_regular(n, is_dense ? n - 1 - degree : degree, stream);
    if (edges && is_dense) edges = complement(*edges, n);
    if (edges && is_connected(*edges, n)) return *edges;
  }
  throw InputError("--graph k-regular:{}: none of {} draws of {} nodes was connected; take a larger K{}", degree,
                   redraws, n, degree == 2 ? ", or --graph ring" : "");
}

double expected_edges(const GraphRequest& graph, double n) {
  switch (graph.kind) {
    case GraphRequest::Kind::complete:
    case GraphRequest::Kind::random_matching:
      return n * (n - 1) / 2;
    case GraphRequest::Kind::erdos_renyi:
      return graph.probability * n * (n - 1) / 2;
    case GraphRequest::Kind::exponential:
    case GraphRequest::Kind::one_peer_exponential:
    case GraphRequest::Kind::directed_exponential:
      return n * std::ceil(std::log2(n));
    case GraphRequest::Kind::hypercube:
      return n * std::ceil(std::log2(n)) / 2;
    case GraphRequest::Kind::two_cliques:
      return n * n / 4;
    case GraphRequest::Kind::k_regular:  // a dense one is drawn as what a complete graph has beside it
      return graph.degree > n / 2 ? n * (n - 1) / 2 : n * graph.degree / 2;
    case GraphRequest::Kind::torus:
      return 2 * n;
    default:
      return n;
  }
}

class UnionFind {
 public:
  explicit UnionFind(std::uint32_t nodes) : parent_(nodes) { std::iota(parent_.begin(), parent_.end(), 0u); }
  NodeId root(NodeId i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  // Returns whether i and j were apart. The smaller root wins, so that a part is called by its smallest node.
  bool join(NodeId i, NodeId j) {
    i = root(i), j = root(j);
    if (i == j) return false;
    parent_[std::max(i, j)] = std::min(i, j);
    return true;
  }

 private:
  std::vector<NodeId> parent_;
};

}  // namespace

TorusShape most_square(std::uint32_t nodes) {
  std::uint32_t rows = 1;
  for (std::uint32_t r = 1; std::uint64_t{r} * r <= nodes; ++r)
    if (nodes % r == 0) rows = r;
  return {rows, nodes / rows};
}

void require_few_edges(const GraphRequest& graph, std::uint32_t nodes) {
  if (const double edges = expected_edges(graph, nodes); edges > static_cast<double>(kMaxEdges))
    throw InputError(
        "--graph {}: {} nodes would need {:.2g} edges, and {:.2g} is the limit; take fewer nodes or a "
        "sparser graph",
        describe(graph), nodes, edges, static_cast<double>(kMaxEdges));
}

Edges make_edges(const GraphRequest& graph, std::uint32_t nodes, std::uint64_t seed, std::uint32_t& redraws) {
  require_few_edges(graph, nodes);
  redraws = 0;
  switch (graph.kind) {
    case GraphRequest::Kind::ring:
      return ring(nodes);
    case GraphRequest::Kind::torus:
      return torus(nodes);
    case GraphRequest::Kind::complete:
      return complete(nodes);
    case GraphRequest::Kind::star:
      return star(nodes);
    case GraphRequest::Kind::exponential:
      return exponential(nodes);
    case GraphRequest::Kind::chain:
      return chain(nodes);
    case GraphRequest::Kind::hypercube:
      return hypercube(nodes);
    case GraphRequest::Kind::two_cliques:
      return two_cliques(nodes);
    case GraphRequest::Kind::k_regular:
      return regular(nodes, graph.degree, seed, redraws);
    case GraphRequest::Kind::erdos_renyi:
      return erdos_renyi(nodes, graph.probability, seed, redraws);
    case GraphRequest::Kind::file:
      return read_edges(graph, nodes).edges;
    case GraphRequest::Kind::one_peer_exponential:
    case GraphRequest::Kind::random_matching:
    case GraphRequest::Kind::directed_exponential:
    case GraphRequest::Kind::directed_file:
      break;  // schedules: schedule.cpp
  }
  throw InternalError("a kind of graph that nobody generates");
}

std::vector<std::vector<NodeId>> connected_parts(const Edges& edges, std::uint32_t nodes) {
  UnionFind sets(nodes);
  for (const auto& [i, j] : edges) sets.join(i, j);
  std::vector<std::vector<NodeId>> members(nodes);
  for (NodeId i = 0; i < nodes; ++i) members[sets.root(i)].push_back(i);
  std::erase_if(members, [](const auto& part) { return part.empty(); });
  std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return members;
}

bool is_connected(const Edges& edges, std::uint32_t nodes) {
  UnionFind sets(nodes);
  std::uint32_t parts = nodes;
  for (const auto& [i, j] : edges) parts -= sets.join(i, j);
  return parts == 1;
}

}  // namespace quantimed::topology

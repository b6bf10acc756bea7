// SPDX-License-Identifier: BSD-3-Clause
// The communication graph and the mixing matrix W on it.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/types.hpp"

namespace quantimed {

// --graph, one of kGraphKinds
struct GraphRequest {
  enum class Kind {
    ring,
    chain,
    torus,
    hypercube,
    complete,
    star,
    two_cliques,
    exponential,
    k_regular,
    erdos_renyi,
    file,
    one_peer_exponential,
    random_matching,
    directed_exponential,
    directed_file
  } kind = Kind::erdos_renyi;
  double probability = 0.4;  // erdos_renyi
  std::string path;          // file: "i j" or "i j w" a line, directed_file: from i to j; '#' starts a comment
  std::uint32_t degree = 0;  // k_regular
};
GraphRequest parse_graph(const std::string& text);  // throws InputError

// One row a kind: how it is written, with what follows the colon; one line of help.
struct GraphKind {
  GraphRequest::Kind kind;
  const char* syntax;
  const char* help;
};
inline constexpr GraphKind kGraphKinds[] = {
    {GraphRequest::Kind::ring, "ring", "each with the next"},
    {GraphRequest::Kind::chain, "chain", "a ring that is open"},
    {GraphRequest::Kind::torus, "torus", "a grid as square as can be, closed in both directions"},
    {GraphRequest::Kind::hypercube, "hypercube", "--nodes is a power of 2"},
    {GraphRequest::Kind::complete, "complete", "each with each"},
    {GraphRequest::Kind::star, "star", "all with node 0"},
    {GraphRequest::Kind::two_cliques, "two-cliques", "two complete halves and one link between them"},
    {GraphRequest::Kind::exponential, "exponential", "each with those 1, 2, 4, … away"},
    {GraphRequest::Kind::k_regular, "k-regular:K", "K neighbours each, drawn from --seed until connected"},
    {GraphRequest::Kind::erdos_renyi, "erdos-renyi:P",
     "each link with probability P, drawn from --seed until connected"},
    {GraphRequest::Kind::file, "file:PATH", "one link \"i j\" a line, or \"i j weight\""},
    {GraphRequest::Kind::one_peer_exponential, "one-peer-exponential",
     "one message 1, 2, 4, … away in turn; directed, changing, weights of its own"},
    {GraphRequest::Kind::random_matching, "random-matching",
     "pairs drawn for every message; changing, weights of its own"},
    {GraphRequest::Kind::directed_exponential, "directed-exponential",
     "messages to those 1, 2, 4, … away; directed, weights of its own"},
    {GraphRequest::Kind::directed_file, "directed-file:PATH",
     "one link from i to j, \"i j\" or \"i j weight\", a line; weights of its own"},
};

// --mixing laplacian | laplacian:KAPPA | metropolis
// laplacian:  W = I − L/κ, κ = d_max + 2 unless given (the paper's).   metropolis: w_ij = 1 / (1 + max(d_i, d_j)).
struct MixingRequest {
  enum class Kind { laplacian, metropolis } kind = Kind::laplacian;
  double kappa = 0;  // 0: d_max + 2
};
MixingRequest parse_mixing(const std::string& text);  // throws InputError

struct Neighbour {
  NodeId id;
  Real weight;  // w_ij
};

// A link with a direction, of --graph directed-file.
struct Arc {
  NodeId from, to;
  double weight;  // w_to,from
};

// A graph with weights of its own that is directed, or another for every message. W(k) of message number k is a pure
// function of (seed, k), or of the file, known at both ends of a link without a word between them. It is doubly
// stochastic but for a file's where nodes hear more, or fewer, than hear them: then its columns alone sum to 1.
struct Schedule {
  enum class Kind : std::uint8_t {
    none,
    one_peer_exponential,  // to i + 2^(k mod L), from i − 2^(k mod L), L = ⌈log₂ n⌉; weights ½ ½
    random_matching,  // a matching of all nodes, drawn for each k; pairs ½ ½, a node that is left over keeps its own
    directed_exponential,  // to i + 2^j for j = 0 … L − 1; weights 1/(1 + L)
    // Network::arcs. Without weights in the file: 1/(1 + the most that hear one node) where each hears as many as hear
    // it, else 1/(1 + how many hear the sender).
    directed_file
  } kind = Kind::none;
  std::uint64_t seed = 0;

  bool is_directed() const { return kind != Kind::none && kind != Kind::random_matching; }
  bool is_listed() const { return kind == Kind::directed_file; }
  bool changes() const { return kind == Kind::one_peer_exponential || kind == Kind::random_matching; }
};

// Connected: checked on construction, as is that W is doubly stochastic. A static graph's W is symmetric. Of a schedule
// `edges` is the union of all its graphs without directions, and the weights on them, β and the gap are those of
// (W̄ + W̄ᵀ)/2, where W̄ is the mean of W(k) over k: for reports, nobody mixes with them. Where rows of W do not sum to 1,
// β is of W itself.
struct Network {
  std::uint32_t nodes = 0;
  std::vector<std::pair<NodeId, NodeId>> edges;  // [E], i < j, sorted
  std::vector<double> weights;                   // [E]
  std::vector<double> self_weights;              // [n]
  std::vector<std::size_t> offsets;              // [n + 1] into `neighbour_list`
  std::vector<Neighbour> neighbour_list;         // [2E], ascending id within a node
  double beta = 0;                               // second-largest |eigenvalue| of W
  double spectral_gap = 0;                       // 1 − beta
  std::uint32_t redraws = 0;                     // erdos-renyi, k-regular: how many draws were thrown away

  Schedule schedule = {};
  std::vector<Arc> arcs;        // [A] of directed-file, by (to, from); else empty
  bool rows_sum_to_one = true;  // false: of directed-file, where columns alone do

  std::span<const Neighbour> neighbours(NodeId i) const {
    return {neighbour_list.data() + offsets[i], offsets[i + 1] - offsets[i]};
  }

  bool is_scheduled() const { return schedule.kind != Schedule::Kind::none; }
  // Of message k, ascending: whom node i hears, with w_ij(k), and who hears i, with w_ji(k). A static graph's are its
  // neighbours. A schedule's are written into `room`, which allocates nothing once it holds kMostPeers.
  // A file's are listed.
  static constexpr std::size_t kMostPeers = 32;
  std::span<const Neighbour> sources(NodeId i, Round k, std::vector<Neighbour>& room) const {
    return is_scheduled() ? peers(i, k, Side::sources, room) : neighbours(i);
  }
  std::span<const Neighbour> readers(NodeId i, Round k, std::vector<Neighbour>& room) const {
    return is_scheduled() ? peers(i, k, Side::readers, room) : neighbours(i);
  }
  std::uint32_t reader_count(NodeId i, Round k) const;
  double mean_readers(NodeId i, Round first, std::uint32_t messages) const;  // of messages first, first + 1, …
  double self_weight(NodeId i, Round k) const;                               // w_ii(k)
  // Of a graph that does not change: w_ij, 0 where i does not hear j; and Σ_j w_ij, w_ii included.
  Real heard_weight(NodeId i, NodeId j) const;
  double row_sum(NodeId i) const;
  // Longest shortest path from i, in edges.
  std::uint32_t eccentricity(NodeId i) const;
  // The same in messages of a schedule: so many from number k on, `stride` apart, until all have heard of i.
  std::uint32_t messages_until_all_hear(NodeId i, Round k, std::uint32_t stride) const;

  // The lists of `arcs`, which are sorted by (to, from), of existing nodes and each there once.
  void list_arcs();

 private:
  enum class Side : std::uint8_t { sources, readers };
  struct Lists {
    std::vector<std::size_t> offsets;  // [n + 1]
    std::vector<Neighbour> list;       // [A], ascending id within a node
  };
  Lists arcs_of_[2];  // by Side
  std::span<const Neighbour> peers(NodeId i, Round k, Side side, std::vector<Neighbour>& room) const;
};

// Throws InputError: a graph that cannot be (torus of a prime, P outside (0, 1], …), is disconnected (names the parts),
// a directed one of which some node is heard by no way from another, or a κ, or a file's weights, that make a weight
// negative.
// β: in closed form for rings, chains, tori and hypercubes, else by LAPACK up to 1,500 nodes and by Lanczos iteration
// above.
Network make_network(const GraphRequest& graph, const MixingRequest& mixing, std::uint32_t nodes, std::uint64_t seed);

}  // namespace quantimed

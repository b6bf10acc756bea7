// The communication graph and the mixing matrix W on it.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/types.hpp"

namespace quantimed {

// --graph ring | chain | torus | hypercube | complete | star | two-cliques | exponential | k-regular:K | erdos-renyi:P
// | file:PATH
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
    file
  } kind = Kind::erdos_renyi;
  double probability = 0.4;  // erdos_renyi
  std::string path;          // file: one edge "i j" a line, '#' starts a comment
  std::uint32_t degree = 0;  // k_regular
};
GraphRequest parse_graph(const std::string& text);  // throws InputError

// --mixing laplacian | laplacian:KAPPA | metropolis
// laplacian:  W = I − L/κ, κ = d_max + 2 unless given (the paper's).   metropolis: w_ij = 1 / (1 + max(d_i, d_j)).
struct MixingRequest {
  enum class Kind { laplacian, metropolis } kind = Kind::laplacian;
  double kappa = 0;  // 0: d_max + 2
};
MixingRequest parse_mixing(const std::string& text);  // throws InputError

struct Neighbour {
  NodeId id;
  float weight;  // w_ij
};

// Symmetric, doubly stochastic and connected: checked on construction.
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

  std::span<const Neighbour> neighbours(NodeId i) const {
    return {neighbour_list.data() + offsets[i], offsets[i + 1] - offsets[i]};
  }
  // Longest shortest path from i, in edges.
  std::uint32_t eccentricity(NodeId i) const;
};

// Throws InputError: a graph that cannot be (torus of a prime, P outside (0, 1], …), is disconnected (names the parts),
// or a κ that makes a weight negative.
// β: in closed form for rings, chains, tori and hypercubes, else by LAPACK up to 1,500 nodes and by Lanczos iteration
// above.
Network make_network(const GraphRequest& graph, const MixingRequest& mixing, std::uint32_t nodes, std::uint64_t seed);

}  // namespace quantimed

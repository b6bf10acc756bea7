// SPDX-License-Identifier: BSD-3-Clause
// β, the second-largest |eigenvalue| of W, in three ways that check each other.
#pragma once

#include "topology/graph.hpp"
#include "topology/network.hpp"

namespace quantimed::topology {

// The gap is computed on its own where 1 − beta would lose its digits (a ring of 100,000 nodes: 10^−9).
struct Spectrum {
  double beta;  // 0 for a single node
  double gap;   // 1 − beta
};

// A torus all of whose edges weigh `weight`, and with 1 row a ring: closed form.
Spectrum torus_spectrum(TorusShape shape, double weight);
// A chain, or a hypercube, all of whose edges weigh `weight`.
Spectrum chain_spectrum(std::uint32_t nodes, double weight);
Spectrum hypercube_spectrum(std::uint32_t nodes, double weight);

// All eigenvalues by LAPACK, O(n³) time and O(n²) memory: error about 10^−15.
Spectrum dense_spectrum(const Network& network);
inline constexpr std::uint32_t kDenseNodes = 1500;  // above: Lanczos

// Of network.arcs, by LAPACK: W has no symmetry, β is the largest modulus of an eigenvalue beside 1. O(n³) time.
Spectrum directed_spectrum(const Network& network);

// The two ends by Lanczos iteration: error of the gap below 10^−6 of itself + 10^−14. Takes a few dozen products with W
// on well-connected graphs; the worst known, a path given as a file, takes about 4n of them.
Spectrum lanczos_spectrum(const Network& network);

// The least eigenvalue of W, 1 for a single node: by LAPACK up to 1,500 nodes (error about 10^−15), by Lanczos
// iteration above (below 10^−7).
double least_eigenvalue(const Network& network);

}  // namespace quantimed::topology

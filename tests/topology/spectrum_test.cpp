// SPDX-License-Identifier: BSD-3-Clause
// Closed forms against LAPACK against Lanczos.
#include "topology/spectrum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <tuple>

namespace quantimed::topology {
namespace {

Network make(const std::string& graph, std::uint32_t nodes, const std::string& mixing = "laplacian") {
  return make_network(parse_graph(graph), parse_mixing(mixing), nodes, 1);
}

// β of I − L/κ from the ends of the Laplacian's spectrum, its 0 left out.
double beta_of(double smallest, double largest, double kappa) {
  return std::max(1 - smallest / kappa, largest / kappa - 1);
}

struct ClosedForm {
  const char* graph;
  double (*beta)(double n);
};
void PrintTo(const ClosedForm& known, std::ostream* out) { *out << known.graph; }
class KnownSpectrum : public testing::TestWithParam<std::tuple<ClosedForm, std::uint32_t>> {};

TEST_P(KnownSpectrum, IsFoundByAllWays) {
  const auto& [known, n] = GetParam();
  const Network network = make(known.graph, n);
  const double beta = known.beta(n);
  EXPECT_NEAR(network.beta, beta, 1e-13);
  EXPECT_NEAR(dense_spectrum(network).beta, beta, 1e-13);
  EXPECT_NEAR(lanczos_spectrum(network).beta, beta, 1e-12);
}

double ring_beta(double n) {
  const double c = std::cos(2 * std::numbers::pi / n);
  const double lowest = std::cos(2 * std::numbers::pi * std::floor(n / 2) / n);
  return beta_of(2 - 2 * c, 2 - 2 * lowest, 4);
}
double square_torus_beta(double n) {
  const double side = std::sqrt(n);
  const double c = std::cos(2 * std::numbers::pi / side);
  const double lowest = std::cos(2 * std::numbers::pi * std::floor(side / 2) / side);
  return beta_of(2 - 2 * c, 4 - 4 * lowest, 6);
}
double complete_beta(double n) { return beta_of(n, n, n + 1); }
double star_beta(double n) { return beta_of(1, n, n + 1); }
double chain_beta(double n) {
  const double c = std::cos(std::numbers::pi / n);
  return beta_of(2 - 2 * c, 2 + 2 * c, 4);
}
double hypercube_beta(double n) { return beta_of(2, 2 * std::log2(n), std::log2(n) + 2); }
// Two cliques of m: on the two ends of the bridge and on the others, x and −x, L has the roots of λ² − (m + 2)λ + 2.
double two_cliques_beta(double n) {
  const double m = n / 2, root = std::sqrt((m + 2) * (m + 2) - 8);
  return beta_of((m + 2 - root) / 2, (m + 2 + root) / 2, m + 2);
}

INSTANTIATE_TEST_SUITE_P(Ring, KnownSpectrum,
                         testing::Combine(testing::Values(ClosedForm{"ring", ring_beta}),
                                          testing::Values(3u, 4u, 5u, 50u, 201u, 600u)));
INSTANTIATE_TEST_SUITE_P(Torus, KnownSpectrum,
                         testing::Combine(testing::Values(ClosedForm{"torus", square_torus_beta}),
                                          testing::Values(9u, 16u, 49u, 100u, 576u)));
INSTANTIATE_TEST_SUITE_P(Complete, KnownSpectrum,
                         testing::Combine(testing::Values(ClosedForm{"complete", complete_beta}),
                                          testing::Values(2u, 3u, 50u, 300u)));
INSTANTIATE_TEST_SUITE_P(Chain, KnownSpectrum,
                         testing::Combine(testing::Values(ClosedForm{"chain", chain_beta}),
                                          testing::Values(3u, 4u, 50u, 201u)));
INSTANTIATE_TEST_SUITE_P(Hypercube, KnownSpectrum,
                         testing::Combine(testing::Values(ClosedForm{"hypercube", hypercube_beta}),
                                          testing::Values(2u, 4u, 8u, 64u, 512u)));
INSTANTIATE_TEST_SUITE_P(TwoCliques, KnownSpectrum,
                         testing::Combine(testing::Values(ClosedForm{"two-cliques", two_cliques_beta}),
                                          testing::Values(4u, 10u, 50u, 300u)));
INSTANTIATE_TEST_SUITE_P(Star, KnownSpectrum,
                         testing::Combine(testing::Values(ClosedForm{"star", star_beta}),
                                          testing::Values(3u, 4u, 50u, 300u)));

TEST(RingOfTwo, HasOneEdge) {
  EXPECT_NEAR(make("ring", 2).beta, 1.0 / 3, 1e-15);  // κ = 3: W = [2/3 1/3; 1/3 2/3]
}

// The product of two different cycles, one of them a single edge.
TEST(Torus, NeedNotBeSquare) {
  for (const std::uint32_t n : {6u, 10u, 14u, 15u, 50u, 202u})
    for (const std::string mixing : {"laplacian", "metropolis"}) {
      const Network network = make("torus", n, mixing);
      EXPECT_NEAR(network.beta, dense_spectrum(network).beta, 1e-13) << n << ' ' << mixing;
    }
}

TEST(Lanczos, AgreesWithLapack) {
  for (const std::string graph :
       {"ring", "torus", "star", "exponential", "k-regular:3", "erdos-renyi:0.05", "erdos-renyi:0.4"})
    for (const std::string mixing : {"laplacian", "metropolis"})
      for (const std::uint32_t n : {4u, 150u, 400u}) {
        if (n == 4 && graph == "erdos-renyi:0.05") continue;
        const Network network = make(graph, n, mixing);
        const Spectrum dense = dense_spectrum(network), lanczos = lanczos_spectrum(network);
        EXPECT_NEAR(lanczos.gap, dense.gap, 1e-6 * dense.gap + 1e-13) << graph << ' ' << n << ' ' << mixing;
        EXPECT_NEAR(lanczos.beta, dense.beta, 1e-11) << graph << ' ' << n << ' ' << mixing;
      }
}

// κ = d_max: the lowest eigenvalue, close to −1, decides and not the second-largest.
TEST(Lanczos, FindsTheLowerEndWhereItDecides) {
  const Network network = make("ring", 401, "laplacian:2");
  const double s = std::sin(std::numbers::pi / 802);  // 1 + λ_min = 2 sin²(π/2n), 1 − λ_2 = 2 sin²(π/n)
  EXPECT_NEAR(lanczos_spectrum(network).gap / (2 * s * s), 1, 1e-8);
  EXPECT_NEAR(dense_spectrum(network).gap / (2 * s * s), 1, 1e-8);
  EXPECT_NEAR(network.spectral_gap / (2 * s * s), 1, 1e-11);
}

// The hardest case: a gap of 10^−7 among 5,000 eigenvalues that crowd it.
// A ring with metropolis weights: 1/3 + 2/3 cos(2πk/n).
TEST(LeastEigenvalue, IsThatOfTheClosedForm) {
  for (const std::uint32_t n : {4u, 6u, 7u, 31u, kDenseNodes + 2}) {  // the last one by Lanczos
    const double least = 1.0 / 3 + 2.0 / 3 * std::cos(2 * std::numbers::pi * (n / 2) / n);
    EXPECT_NEAR(least_eigenvalue(make("ring", n, "metropolis")), least, n > kDenseNodes ? 1e-7 : 1e-13) << n;
  }
  EXPECT_NEAR(least_eigenvalue(make("ring", 6)), 0, 1e-13);            // 1 − 4/4
  EXPECT_NEAR(least_eigenvalue(make("complete", 5)), 1.0 / 6, 1e-13);  // 1 − 5/6
  EXPECT_EQ(least_eigenvalue(make("ring", 1)), 1);
  const Network random = make("erdos-renyi:0.01", kDenseNodes + 100, "metropolis");
  EXPECT_GT(least_eigenvalue(random), -1);
  EXPECT_LE(-least_eigenvalue(random), random.beta + 1e-7);
}

TEST(Lanczos, ResolvesARingOfTenThousand) {
  const Network network = make("ring", 10'000);
  const double s = std::sin(std::numbers::pi / 10'000);
  EXPECT_NEAR(network.spectral_gap / (s * s), 1, 1e-12);
  EXPECT_NEAR(lanczos_spectrum(network).gap / (s * s), 1, 1e-6);
}

// A path is no named graph: make_network itself takes the Lanczos way. Laplacian: 4 sin²(π/2n), κ = 4.
TEST(Lanczos, ServesLargeFiles) {
  constexpr std::uint32_t n = 2000;
  const std::string path = testing::TempDir() + "quantimed_path.txt";
  std::ofstream file(path);
  for (NodeId i = 0; i + 1 < n; ++i) file << i << ' ' << i + 1 << '\n';
  file.close();
  const double s = std::sin(std::numbers::pi / (2 * n));
  EXPECT_NEAR(make("file:" + path, n).spectral_gap / (s * s), 1, 1e-6);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace quantimed::topology

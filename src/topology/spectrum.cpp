// SPDX-License-Identifier: BSD-3-Clause
#include "topology/spectrum.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numbers>
#include <span>

#include "base/error.hpp"
#include "base/random.hpp"
#include "blas/blas.hpp"

namespace quantimed::topology {

namespace {

// From the ends of the spectrum of I − W without its 0: W's eigenvalues next to 1, and the lowest.
Spectrum from_ends(double smallest, double largest) {
  const double gap = std::min(smallest, 2 - largest);
  return {1 - gap, gap};
}

// Laplacian of a cycle: 2 − 2 cos(2πk/length) = 4 sin²(πk/length). A cycle of two is one edge, not two.
double cycle_eigenvalue(std::uint32_t length, std::uint32_t k) {
  const double s = std::sin(std::numbers::pi * k / length);
  return (length == 2 ? 2 : 4) * s * s;
}

}  // namespace

// The torus is the product of two cycles: its Laplacian's eigenvalues are the sums of theirs.
Spectrum torus_spectrum(TorusShape shape, double weight) {
  if (shape.columns == 1) return {0, 1};
  double smallest = cycle_eigenvalue(shape.columns, 1);
  if (shape.rows > 1) smallest = std::min(smallest, cycle_eigenvalue(shape.rows, 1));
  const double largest =
      cycle_eigenvalue(shape.rows, shape.rows / 2) + cycle_eigenvalue(shape.columns, shape.columns / 2);
  return from_ends(weight * smallest, weight * largest);
}

// Laplacian of a chain: 4 sin²(πk/2n), k = 0 … n − 1.
Spectrum chain_spectrum(std::uint32_t nodes, double weight) {
  if (nodes == 1) return {0, 1};
  const auto eigenvalue = [&](std::uint32_t k) {
    const double s = std::sin(std::numbers::pi * k / (2.0 * nodes));
    return 4 * s * s;
  };
  return from_ends(weight * eigenvalue(1), weight * eigenvalue(nodes - 1));
}

// The product of log₂ n edges, whose Laplacians have the eigenvalues 0 and 2.
Spectrum hypercube_spectrum(std::uint32_t nodes, double weight) {
  if (nodes == 1) return {0, 1};
  return from_ends(2 * weight, 2 * weight * std::bit_width(nodes - 1));
}

namespace {

// Ascending.
std::vector<double> dense_eigenvalues(const Network& network) {
  const std::size_t n = network.nodes;
  std::vector<double> w(n * n), eigenvalues(n);  // [n, n], [n] ascending
  for (std::size_t i = 0; i < n; ++i) w[i * n + i] = network.self_weights[i];
  for (std::size_t e = 0; e < network.edges.size(); ++e) {
    const auto [i, j] = network.edges[e];
    w[i * n + j] = w[j * n + i] = network.weights[e];
  }
  blas::symmetric_eigenvalues(n, w, eigenvalues);
  return eigenvalues;
}

}  // namespace

Spectrum dense_spectrum(const Network& network) {
  const std::size_t n = network.nodes;
  if (n == 1) return {0, 1};
  const std::vector<double> eigenvalues = dense_eigenvalues(network);
  return from_ends(1 - eigenvalues[n - 2], 1 - eigenvalues[0]);
}

Spectrum directed_spectrum(const Network& network) {
  const std::size_t n = network.nodes;
  if (n == 1) return {0, 1};
  std::vector<double> w(n * n);
  for (std::size_t i = 0; i < n; ++i) w[i * n + i] = network.self_weights[i];
  for (const Arc& arc : network.arcs) w[arc.to * n + arc.from] = arc.weight;
  std::vector<double> moduli = blas::eigenvalue_moduli(n, w);
  std::ranges::sort(moduli, std::greater());
  const double beta = std::min(moduli[1], 1.0);
  return {beta, 1 - beta};
}

// ---- Lanczos --------------------------------------------------------------------------------------------------------
// On M = I − W, restricted to vectors that sum to 0 (W's eigenvalue 1 is gone), whose two ends are wanted.
// No reorthogonalisation: its loss of orthogonality only repeats eigenvalues that have converged already (Paige,
// "Accuracy and effectiveness of the Lanczos algorithm for the symmetric eigenproblem", Linear Algebra Appl. 34, 1980),
// and repeats do no harm to the ends. So memory is O(n), and there can be enough steps for gaps of 10^−8.
namespace {

struct Ritz {
  double value;     // the smallest eigenvalue of the tridiagonal matrix
  double residual;  // M has an eigenvalue within this distance
};

// Tridiagonal T of m steps: diagonal a [m], off-diagonal b [m], of which b[m − 1] leads out of T.
// sign = −1 asks for −T, whose smallest eigenvalue is minus T's largest.
class Tridiagonal {
 public:
  Tridiagonal(std::span<const double> a, std::span<const double> b, double sign) : a_(a), b_(b), sign_(sign) {}

  Ritz smallest() const {
    double low = -2.5, high = 2.5;  // M's eigenvalues lie in [0, 2]
    for (int bisection = 0; bisection < 60; ++bisection) {
      const double middle = 0.5 * (low + high);
      (all_above(middle) ? low : high) = middle;
    }
    return {0.5 * (low + high), b_.back() * last_component(low)};
  }

 private:
  // Pivots of the factorisation of T − x are positive just as long as all eigenvalues lie above x.
  bool all_above(double x) const {
    double pivot = 1;
    for (std::size_t k = 0; k < a_.size(); ++k) {
      pivot = sign_ * a_[k] - x - (k > 0 ? b_[k - 1] * b_[k - 1] / pivot : 0);
      if (!(pivot > 0)) return false;
    }
    return true;
  }

  // |last component| of the unit eigenvector at the bottom, by inverse iteration at x just below its eigenvalue.
  // The off-diagonal's sign does not matter to it: taken as −b, T − x has a positive inverse and nothing cancels.
  double last_component(double x) const {
    const std::size_t m = a_.size();
    std::vector<double> pivot(m), y(m, 1 / std::sqrt(static_cast<double>(m)));
    for (std::size_t k = 0; k < m; ++k)
      pivot[k] = sign_ * a_[k] - x - (k > 0 ? b_[k - 1] * b_[k - 1] / pivot[k - 1] : 0);
    for (int iteration = 0; iteration < 3; ++iteration) {
      for (std::size_t k = 1; k < m; ++k) y[k] += b_[k - 1] / pivot[k - 1] * y[k - 1];
      y[m - 1] /= pivot[m - 1];
      for (std::size_t k = m - 1; k-- > 0;) y[k] = (y[k] + b_[k] * y[k + 1]) / pivot[k];
      double squares = 0;
      for (const double value : y) squares += value * value;
      for (double& value : y) value /= std::sqrt(squares);
    }
    return y[m - 1];
  }

  std::span<const double> a_, b_;
  double sign_;
};

// y ← M x. Differences, not I − W: what a near-constant x leaves is small and must be exact.
void apply(const Network& network, std::span<const double> x, std::span<double> y) {
  std::fill(y.begin(), y.end(), 0.0);
  for (std::size_t e = 0; e < network.edges.size(); ++e) {
    const auto [i, j] = network.edges[e];
    const double flow = network.weights[e] * (x[i] - x[j]);
    y[i] += flow;
    y[j] -= flow;
  }
}

double dot(std::span<const double> x, std::span<const double> y) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

// x ← x − mean(x), returns ‖x‖.
double deflate(std::span<double> x) {
  double sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i];
  const double mean = sum / static_cast<double>(x.size());
#pragma omp simd reduction(+ : squares)
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] -= mean;
    squares += x[i] * x[i];
  }
  return std::sqrt(squares);
}

// Both ends count: the one that decides β must have converged, the other must be unable to overtake it.
bool converged(const Ritz& bottom, const Ritz& top) {
  constexpr double kRelative = 1e-6, kRounding = 1e-14;
  const double gap_below = bottom.value, gap_above = 2 + top.value;  // top belongs to −M
  const Ritz& winner = gap_below <= gap_above ? bottom : top;
  const Ritz& loser = gap_below <= gap_above ? top : bottom;
  const double gap = std::min(gap_below, gap_above), other = std::max(gap_below, gap_above);
  const double tolerance = kRelative * gap + kRounding;
  return winner.residual <= tolerance && other - loser.residual >= gap - tolerance;
}

// The ends of M, once `is_enough`; of −M for the upper one.
struct Ends {
  Ritz bottom, top;
};
Ends lanczos(const Network& network, bool (*is_enough)(const Ritz& bottom, const Ritz& top)) {
  const std::size_t n = network.nodes;
  std::vector<double> before(n), v(n), next(n), a, b;
  Stream stream({.purpose = Purpose::check});
  for (double& value : v) value = stream.uniform(-1, 1);
  const double length = deflate(v);
  for (double& value : v) value /= length;

  const std::size_t limit = 1000 + 20 * n;
  for (std::size_t step = 1, look = 8; step <= limit; ++step) {
    apply(network, v, next);
    a.push_back(dot(v, next));
    for (std::size_t i = 0; i < n; ++i) next[i] -= a.back() * v[i] + (step > 1 ? b.back() * before[i] : 0);
    b.push_back(deflate(next));
    // b = 0: the vectors so far span all that the start contains, and T's eigenvalues are M's.
    const bool exhausted = b.back() < 1e-14;
    if (exhausted || step >= look) {
      const Ritz bottom = Tridiagonal(a, b, 1).smallest(), top = Tridiagonal(a, b, -1).smallest();
      if (exhausted || is_enough(bottom, top)) return {bottom, top};
      look = step + 1 + step / 4;
    }
    for (std::size_t i = 0; i < n; ++i) next[i] /= b.back();
    std::swap(before, v);
    std::swap(v, next);
  }
  throw InputError(
      "--graph, --nodes {}: the spectral gap is too small to be computed ({} Lanczos steps); "
      "take a better connected graph",
      n, limit);
}

}  // namespace

Spectrum lanczos_spectrum(const Network& network) {
  if (network.nodes == 1) return {0, 1};
  const Ends ends = lanczos(network, converged);
  return from_ends(ends.bottom.value, -ends.top.value);
}

double least_eigenvalue(const Network& network) {
  if (network.nodes == 1) return 1;
  if (network.nodes <= kDenseNodes) return dense_eigenvalues(network).front();
  const Ends ends = lanczos(network, [](const Ritz&, const Ritz& top) { return top.residual <= 1e-7; });
  return 1 + ends.top.value;
}

}  // namespace quantimed::topology

// SPDX-License-Identifier: BSD-3-Clause
// Problems, graphs and codecs for tests of the twins: all of them repeat bit for bit.
#pragma once

#include "algorithm/twins.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <utility>

namespace quantimed::twin {

// A number in [−1, 1) of its own for each list of whole numbers (the mixing of SplitMix64).
inline double noise(std::initializer_list<std::uint64_t> key) {
  std::uint64_t z = 0;
  for (const std::uint64_t part : key) {
    z = (z ^ part) + 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
  }
  return static_cast<double>(z >> 11) * 0x1p-52 - 1;
}

// Node i holds f_i(x) = ½‖A_i x − b_i‖²; each f_i has its minimum elsewhere.
class Quadratics {
 public:
  Quadratics(unsigned n, unsigned size) : p(size) {
    for (unsigned i = 0; i < n; ++i) {
      Matrix a(p + 2, Vector(p));
      Vector b(p + 2);
      for (unsigned r = 0; r < p + 2; ++r) {
        for (unsigned k = 0; k < p; ++k) a[r][k] = (r == k ? 0.8 : 0) + 0.3 * noise({1, i, r, k});
        b[r] = 2 * noise({2, i, r});
      }
      a_.push_back(a);
      b_.push_back(b);
    }
  }

  // A_iᵀ(A_i x − b_i)
  Vector gradient(unsigned i, const Vector& x) const {
    Vector g(p, 0.0);
    for (std::size_t r = 0; r < b_[i].size(); ++r) {
      double residual = -b_[i][r];
      for (unsigned k = 0; k < p; ++k) residual += a_[i][r][k] * x[k];
      for (unsigned k = 0; k < p; ++k) g[k] += a_[i][r][k] * residual;
    }
    return g;
  }

  // x* of Σ_i c_i f_i: Gauss on (Σ c_i A_iᵀA_i) x = Σ c_i A_iᵀ b_i, a positive definite matrix.
  Vector minimiser(const Vector& c) const {
    Matrix m(p, Vector(p + 1, 0.0));
    for (unsigned i = 0; i < a_.size(); ++i)
      for (std::size_t r = 0; r < b_[i].size(); ++r)
        for (unsigned k = 0; k < p; ++k) {
          for (unsigned l = 0; l < p; ++l) m[k][l] += c[i] * a_[i][r][k] * a_[i][r][l];
          m[k][p] += c[i] * a_[i][r][k] * b_[i][r];
        }
    for (unsigned k = 0; k < p; ++k)
      for (unsigned row = 0; row < p; ++row) {
        if (row == k) continue;
        const double factor = m[row][k] / m[k][k];
        for (unsigned l = k; l <= p; ++l) m[row][l] -= factor * m[k][l];
      }
    Vector x(p);
    for (unsigned k = 0; k < p; ++k) x[k] = m[k][p] / m[k][k];
    return x;
  }

  const unsigned p;

 private:
  std::vector<Matrix> a_;  // [n][p + 2, p]
  Matrix b_;               // [n, p + 2]
};

// ---- graphs: W of them --------------------------------------------------------------------------

using Edges = std::vector<std::pair<unsigned, unsigned>>;

// w_ij = weight on edges, and w_ii what is left.
inline Matrix weights(unsigned n, const Edges& edges, double weight) {
  Matrix w(n, Vector(n, 0.0));
  for (const auto& [i, j] : edges) w[i][j] = w[j][i] = weight;
  for (unsigned i = 0; i < n; ++i) w[i][i] = 1 - std::accumulate(w[i].begin(), w[i].end(), 0.0);
  return w;
}

// Its smallest eigenvalue is 1 − 4 weight, where n is even.
inline Matrix ring(unsigned n, double weight) {
  Edges edges;
  for (unsigned i = 0; i < n; ++i) edges.emplace_back(i, (i + 1) % n);
  return weights(n, edges, weight);
}

inline Matrix complete(unsigned n) { return Matrix(n, Vector(n, 1.0 / n)); }

// Node 2 has three neighbours, the ends have one: the longest way is from 0 to 7, six hops.
inline Edges tree_edges() { return {{0, 1}, {1, 2}, {2, 3}, {2, 4}, {4, 5}, {5, 6}, {6, 7}}; }

// (1 − γ) I + γ W
inline Matrix lazy(Matrix w, double gamma) {
  for (std::size_t i = 0; i < w.size(); ++i)
    for (std::size_t j = 0; j < w.size(); ++j) w[i][j] = gamma * w[i][j] + (i == j ? 1 - gamma : 0);
  return w;
}

// ---- codecs -------------------------------------------------------------------------------------

using Codec = std::function<Vector(unsigned node, unsigned channel, std::size_t k, const Vector& exact)>;

// The count largest, the lower index first among equals.
inline Codec top(std::size_t count) {
  return [count](unsigned, unsigned, std::size_t, const Vector& v) {
    std::vector<std::size_t> order(v.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return std::abs(v[a]) > std::abs(v[b]); });
    Vector out(v.size(), 0.0);
    for (std::size_t e = 0; e < count; ++e) out[order[e]] = v[order[e]];
    return out;
  };
}

// Unbiased: multiples of ‖v‖₂/levels, drawn anew for each node, channel and message.
inline Codec qsgd(double levels) {
  return [levels](unsigned node, unsigned channel, std::size_t k, const Vector& v) {
    const double norm = std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
    Vector out(v.size(), 0.0);
    for (std::size_t e = 0; norm > 0 && e < v.size(); ++e) {
      const double level = levels * std::abs(v[e]) / norm;
      const double draw = (noise({3, node, channel, k, e}) + 1) / 2;
      out[e] = std::copysign(norm / levels * (std::floor(level) + (draw < level - std::floor(level) ? 1 : 0)), v[e]);
    }
    return out;
  };
}

// The nearest point of a grid.
inline Codec grid(double step) {
  return [step](unsigned, unsigned, std::size_t, const Vector& v) {
    Vector out;
    for (const double value : v) out.push_back(step * std::round(value / step));
    return out;
  };
}

// ---- settings and what is measured --------------------------------------------------------------

inline Setting exact_gradients(const Quadratics& problem, const Matrix& w, const Parameters& parameters) {
  Setting s;
  s.w = w;
  s.parameters = parameters;
  s.gradient = [problem](unsigned i, std::size_t, unsigned, const Vector& x) { return problem.gradient(i, x); };
  return s;
}

// Every node, iteration and batch has noise of its own.
inline Setting noisy_gradients(const Quadratics& problem, const Matrix& w, const Parameters& parameters) {
  Setting s = exact_gradients(problem, w, parameters);
  s.gradient = [problem](unsigned i, std::size_t t, unsigned kth, const Vector& x) {
    Vector g = problem.gradient(i, x);
    for (std::size_t e = 0; e < g.size(); ++e) g[e] += 0.5 * noise({4, i, t, kth, e});
    return g;
  };
  return s;
}

inline Matrix start(std::size_t n, unsigned p) {
  Vector x(p);
  for (unsigned k = 0; k < p; ++k) x[k] = noise({5, k});
  return Matrix(n, x);
}

// The largest |a − b|; infinite where one of them is no number.
inline double distance(const Matrix& a, const Matrix& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < a[i].size(); ++k) {
      const double apart = std::abs(a[i][k] - b[i][k]);
      most = std::isfinite(apart) ? std::max(most, apart) : HUGE_VAL;
    }
  return most;
}

}  // namespace quantimed::twin

// SPDX-License-Identifier: BSD-3-Clause
#include "theory/estimates.hpp"

#include "base/random.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace quantimed {

namespace {

double squared_norm(std::span<const Real> x) {
  double sum = 0;
  for (const Real value : x) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

}  // namespace

double estimate_gradient_noise(const Problem& problem, const Shards& shards, std::span<const Real> x) {
  Workspace work = problem.make_workspace();
  AlignedVector<Real> one(x.size()), sum(x.size());
  const double m = shards.per_node;
  double most = 0;
  for (NodeId i = 0; i < shards.nodes; ++i) {
    const auto rows = shards.of(i);
    double squares = 0;
    for (std::size_t k = 0; k < rows.size(); ++k) {
      problem.gradient_sum(x, rows.subspan(k, 1), false, one, work);
      squares += squared_norm(one);
    }
    problem.gradient_sum(x, rows, false, sum, work);
    most = std::max(most, squares / m - squared_norm(sum) / (m * m));
  }
  return most;
}

double estimate_curvature(const Problem& problem, const Shards& shards, std::span<const Real> x, std::uint64_t seed) {
  constexpr int kSteps = 30;
  constexpr double kDistance = 0.05;  // between the two gradients: small for the loss, large for float32
  const std::size_t p = x.size();
  Workspace work = problem.make_workspace();
  AlignedVector<Real> ahead(x.begin(), x.end()), behind(p), direction(p);
  Stream random({.seed = seed, .iteration = 1, .purpose = Purpose::check});
  for (Real& d : direction) d = static_cast<Real>(random.uniform(-1, 1));
  double curvature = 0;
  AlignedVector<Real> g_ahead(p), g_behind(p);
  for (int step = 0; step < kSteps; ++step) {
    const double length = std::sqrt(squared_norm(direction));
    if (length == 0) return 0;
    for (std::size_t k = 0; k < p; ++k) {
      const auto d = static_cast<Real>(kDistance / length * static_cast<double>(direction[k]));
      ahead[k] = x[k] + d;
      behind[k] = x[k] - d;
    }
    problem.gradient_sum(ahead, shards.rows, false, g_ahead, work);
    problem.gradient_sum(behind, shards.rows, false, g_behind, work);
    for (std::size_t k = 0; k < p; ++k) direction[k] = g_ahead[k] - g_behind[k];
    curvature = std::sqrt(squared_norm(direction)) / (2 * kDistance) / static_cast<double>(shards.rows.size());
  }
  return curvature;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "theory/convex_problem.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quantimed {

namespace {

constexpr std::size_t kMostBytes = std::size_t{4} << 30;

void add(double weight, std::span<const double> a, std::span<double> sum) {
  for (std::size_t k = 0; k < a.size(); ++k) sum[k] += weight * a[k];
}

}  // namespace

double softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))); }
double logistic(double z) { return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z)); }

double dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

ConvexProblem::ConvexProblem(const Dataset& data, const Shards& shards, ConvexLoss loss, double lambda)
    : nodes_(shards.nodes),
      m_(shards.per_node),
      p_(data.features),
      loss_(loss),
      ridge_(lambda / static_cast<double>(shards.rows.size())) {
  const std::size_t samples = shards.rows.size();
  if (samples > kMostBytes / sizeof(double) / p_)
    throw InputError(
        "--samples-per-node {}: {} samples of {} features are too many for a solution in float64; give fewer", m_,
        samples, p_);
  if (p_ > kMostBytes / sizeof(double) / p_)
    throw InputError(
        "--dataset {}: {} features are too many for a Hessian matrix; name one with fewer (run --optimum has f* "
        "without "
        "a matrix)",
        data.name, p_);
  a_.resize(samples * p_);
  std::vector<float> features(p_);
  for (std::size_t k = 0; k < samples; ++k) {
    data.gather(std::span(shards.rows).subspan(k, 1), features.data());
    std::copy(features.begin(), features.end(), a_.begin() + static_cast<std::ptrdiff_t>(k * p_));
    y_.push_back(static_cast<double>(data.targets[shards.rows[k]]));
  }
}

double ConvexProblem::slope(double z, double y) const { return (loss_ == ConvexLoss::squared ? z : logistic(z)) - y; }

double ConvexProblem::bend(double z) const {
  if (loss_ == ConvexLoss::squared) return 1;
  const double s = logistic(z);
  return s * (1 - s);
}

double ConvexProblem::value(std::span<const double> x) const {
  double sum = 0;
  for (std::size_t k = 0; k < y_.size(); ++k) {
    const double z = dot(row(k), x);
    sum += loss_ == ConvexLoss::squared ? (z - y_[k]) * (z - y_[k]) / 2 : softplus(z) - y_[k] * z;
  }
  return sum / static_cast<double>(y_.size()) + ridge_ / 2 * dot(x, x);
}

void ConvexProblem::local_gradient(std::size_t i, std::span<const double> x, std::span<double> g) const {
  std::ranges::fill(g, 0.0);
  for (std::size_t k = i * m_; k < (i + 1) * m_; ++k)
    add(slope(dot(row(k), x), y_[k]) / static_cast<double>(m_), row(k), g);
  add(ridge_, x, g);
}

void ConvexProblem::gradient(std::span<const double> x, std::span<double> g) const {
  std::ranges::fill(g, 0.0);
  for (std::size_t k = 0; k < y_.size(); ++k)
    add(slope(dot(row(k), x), y_[k]) / static_cast<double>(y_.size()), row(k), g);
  add(ridge_, x, g);
}

void ConvexProblem::curvatures(std::size_t i, std::span<const double> x, std::span<double> weights) const {
  for (std::size_t k = 0; k < m_; ++k) weights[k] = bend(dot(row(i * m_ + k), x));
}

void ConvexProblem::local_curvature(std::size_t i, std::span<const double> weights, std::span<const double> v,
                                    std::span<double> h) const {
  std::ranges::fill(h, 0.0);
  for (std::size_t k = 0; k < m_; ++k) {
    const auto a = row(i * m_ + k);
    add(weights[k] * dot(a, v) / static_cast<double>(m_), a, h);
  }
  add(ridge_, v, h);
}

void ConvexProblem::hessian(std::size_t first, std::span<const double> weights, std::span<double> h) const {
  std::ranges::fill(h, 0.0);
  for (std::size_t k = 0; k < weights.size(); ++k) {
    const auto a = row(first + k);
    for (std::size_t r = 0; r < p_; ++r)
      add(weights[k] * a[r] / static_cast<double>(weights.size()), a, h.subspan(r * p_, p_));
  }
  for (std::size_t r = 0; r < p_; ++r) h[r * p_ + r] += ridge_;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "theory/optimum.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {

constexpr int kMostNewtonSteps = 200;
constexpr std::size_t kMostProducts = 200'000;

double euclidean(std::span<const double> v) { return std::sqrt(dot(v, v)); }

// f, ∇f and ∇²f · v over the rows as they are held.
class Objective {
 public:
  Objective(const Dataset& data, const Shards& shards, ConvexLoss loss, double lambda, std::span<const double> shares)
      : data_(data),
        rows_(shards.rows),
        loss_(loss),
        ridge_(lambda / static_cast<double>(shards.rows.size())),
        bends_(shards.rows.size()),
        dense_(data.is_sparse() ? 0 : data.features),
        per_node_(shards.per_node) {
    for (const double share : shares) factors_.push_back(share * shards.nodes);
  }

  double ridge() const { return ridge_; }

  double value(std::span<const double> x) {
    double sum = 0;
    for (std::size_t k = 0; k < rows_.size(); ++k) {
      const double z = product(k, x), y = target(k);
      sum += factor(k) * (loss_ == ConvexLoss::squared ? (z - y) * (z - y) / 2 : softplus(z) - y * z);
    }
    return sum / count() + ridge_ / 2 * dot(x, x);
  }

  // g ← ∇f(x), and from now on curvature() is taken at x.
  void gradient(std::span<const double> x, std::span<double> g) {
    std::ranges::fill(g, 0.0);
    for (std::size_t k = 0; k < rows_.size(); ++k) {
      const double z = product(k, x);
      const double guess = loss_ == ConvexLoss::squared ? z : logistic(z);
      bends_[k] = factor(k) * (loss_ == ConvexLoss::squared ? 1 : guess * (1 - guess));
      add(k, factor(k) * (guess - target(k)) / count(), g);
    }
    for (std::size_t c = 0; c < x.size(); ++c) g[c] += ridge_ * x[c];
  }

  // h ← ∇²f · v
  void curvature(std::span<const double> v, std::span<double> h) {
    ++products;
    std::ranges::fill(h, 0.0);
    for (std::size_t k = 0; k < rows_.size(); ++k) add(k, bends_[k] * product(k, v) / count(), h);
    for (std::size_t c = 0; c < v.size(); ++c) h[c] += ridge_ * v[c];
  }

  // Whether x has every class on its own side.
  bool is_parted(std::span<const double> x) {
    for (std::size_t k = 0; k < rows_.size(); ++k)
      if (const double z = product(k, x); z == 0 || (z > 0) != (target(k) > 0)) return false;
    return true;
  }

  std::size_t products = 0;

 private:
  double count() const { return static_cast<double>(rows_.size()); }
  // What row k counts over what it would count if all nodes counted alike.
  double factor(std::size_t k) const { return factors_.empty() ? 1 : factors_[k / per_node_]; }
  double target(std::size_t k) const { return static_cast<double>(data_.targets[rows_[k]]); }

  double product(std::size_t k, std::span<const double> x) {
    double sum = 0;
    if (data_.is_sparse()) {
      const SparseRow row = data_.sparse.row(rows_[k]);
      for (std::size_t e = 0; e < row.values.size(); ++e) sum += static_cast<double>(row.values[e]) * x[row.columns[e]];
      return sum;
    }
    data_.gather(rows_.subspan(k, 1), dense_.data());
    for (std::size_t c = 0; c < x.size(); ++c) sum += static_cast<double>(dense_[c]) * x[c];
    return sum;
  }
  // Follows product() of the same row.
  void add(std::size_t k, double weight, std::span<double> to) const {
    if (data_.is_sparse()) {
      const SparseRow row = data_.sparse.row(rows_[k]);
      for (std::size_t e = 0; e < row.values.size(); ++e)
        to[row.columns[e]] += weight * static_cast<double>(row.values[e]);
      return;
    }
    for (std::size_t c = 0; c < to.size(); ++c) to[c] += weight * static_cast<double>(dense_[c]);
  }

  const Dataset& data_;
  std::span<const SampleId> rows_;
  ConvexLoss loss_;
  double ridge_;
  std::vector<double> bends_;  // [N]: ℓ″
  std::vector<float> dense_;   // [p]: a row
  std::size_t per_node_;
  std::vector<double> factors_;  // [n], or empty
};

// d ← the solution of ∇²f d = g, until what is left of g is a share of it.
void solve(Objective& f, std::span<const double> g, double share, std::vector<double>& d) {
  std::vector<double> left(g.begin(), g.end()), direction = left, bent(g.size());
  std::ranges::fill(d, 0.0);
  double square = dot(left, left);
  const double enough = share * share * square;
  while (square > enough && f.products < kMostProducts) {
    f.curvature(direction, bent);
    const double curve = dot(direction, bent);
    if (!(curve > 0)) break;  // flat: no further
    const double length = square / curve;
    for (std::size_t c = 0; c < d.size(); ++c) {
      d[c] += length * direction[c];
      left[c] -= length * bent[c];
    }
    const double next = dot(left, left);
    for (std::size_t c = 0; c < d.size(); ++c) direction[c] = left[c] + next / square * direction[c];
    square = next;
  }
}

// Moves x against d until f falls enough; false where it cannot.
bool step(Objective& f, std::span<const double> g, std::span<const double> d, std::vector<double>& x, double& value) {
  const double slope = dot(g, d);
  std::vector<double> next(x.size());
  for (double length = 1; length > 1e-10; length /= 2) {
    for (std::size_t c = 0; c < x.size(); ++c) next[c] = x[c] - length * d[c];
    const double there = f.value(next);
    if (there <= value - 1e-4 * length * slope) {
      x.swap(next);
      value = there;
      return true;
    }
  }
  return false;
}

}  // namespace

double objective_value(const Dataset& data, const Shards& shards, ConvexLoss loss, double lambda,
                       std::span<const double> shares, std::span<const double> x) {
  return Objective(data, shards, loss, lambda, shares).value(x);
}

Optimum find_optimum(const Dataset& data, const Shards& shards, ConvexLoss loss, double lambda,
                     std::span<const double> shares) {
  const std::size_t p = data.features;
  Objective f(data, shards, loss, lambda, shares);
  Optimum found{.x = std::vector<double>(p, 0.0)};
  std::vector<double> g(p), d(p);
  found.value = f.value(found.x);
  f.gradient(found.x, g);
  const double first = euclidean(g), enough = 1e-12 * (1 + first);
  found.gradient_norm = first;
  for (; found.steps < kMostNewtonSteps && found.gradient_norm > enough; ++found.steps) {
    solve(f, g, std::min(0.1, std::sqrt(found.gradient_norm / first)), d);
    if (!step(f, g, d, found.x, found.value)) {
      // f has no more digits. One whole step still makes the gradient smaller, unless rounding ends that, too.
      std::vector<double> next = found.x, next_g(p);
      for (std::size_t c = 0; c < p; ++c) next[c] -= d[c];
      f.gradient(next, next_g);
      if (!(euclidean(next_g) < found.gradient_norm)) break;
      found.x.swap(next);
      found.value = std::min(found.value, f.value(found.x));
      g.swap(next_g);
    } else {
      f.gradient(found.x, g);
    }
    found.gradient_norm = euclidean(g);
  }
  found.products = f.products;
  if (!(found.gradient_norm <= std::max(1e-8 * (1 + first), enough)))
    throw InputError(
        "--l2 {}: f* was not reached in {} steps of Newton's method, for f is flat or has no minimiser; give a larger "
        "--l2, or other data",
        lambda, found.steps);
  if (loss == ConvexLoss::logistic && lambda == 0 && f.is_parted(found.x))
    throw InputError(
        "--l2 0: without it this logistic regression has no minimiser, for a plane parts the classes; give --l2 above "
        "0, or other data");
  found.error = f.ridge() > 0 ? found.gradient_norm * found.gradient_norm / (2 * f.ridge()) : kForever;
  return found;
}

}  // namespace quantimed

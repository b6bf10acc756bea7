// SPDX-License-Identifier: BSD-3-Clause
// The problems whose solution can be computed, in float64: least squares and logistic regression with one output.
//
//   f(x) = (1/n) Σ_i f_i(x),   f_i(x) = (1/m) Σ_{θ=(a,y) in shard i} ℓ(aᵀx, y) + λ/(2N) ‖x‖²,   N = n · m
//   ℓ(z, y) = ½ (z − y)²  or  log(1 + e^z) − y z
//
// The same functions as problem/'s, which works in float32; a test holds the two against each other.
#pragma once

#include "dataset/dataset.hpp"
#include "dataset/shards.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace quantimed {

enum class ConvexLoss { squared, logistic };

class ConvexProblem {
 public:
  // Copies the shards' rows as float64. Throws InputError where that needs more than 4 GiB.
  ConvexProblem(const Dataset& data, const Shards& shards, ConvexLoss loss, double lambda);

  std::size_t nodes() const { return nodes_; }  // n
  std::size_t dimension() const { return p_; }  // p
  std::size_t per_node() const { return m_; }   // m
  ConvexLoss loss() const { return loss_; }
  double ridge() const { return ridge_; }                                                          // λ/N
  std::span<const double> row(std::size_t sample) const { return {a_.data() + sample * p_, p_}; }  // of [N, p]

  double value(std::span<const double> x) const;                                             // f(x)
  void gradient(std::span<const double> x, std::span<double> g) const;                       // g ← ∇f(x)
  void local_gradient(std::size_t i, std::span<const double> x, std::span<double> g) const;  // g ← ∇f_i(x)
  // h ← ∇²f_i(x) v, where `weights` are node i's ℓ″ at x: [m], see curvatures().
  void local_curvature(std::size_t i, std::span<const double> weights, std::span<const double> v,
                       std::span<double> h) const;
  // ℓ″(a_kᵀx) of node i's samples: [m].
  void curvatures(std::size_t i, std::span<const double> x, std::span<double> weights) const;
  // H ← (1/count) Σ_k w_k a_k a_kᵀ + (λ/N) I over samples first … first + count − 1.  H: [p, p]
  void hessian(std::size_t first, std::span<const double> weights, std::span<double> h) const;

  // ℓ′ and ℓ″ at z.
  double slope(double z, double y) const;
  double bend(double z) const;
  double target(std::size_t sample) const { return y_[sample]; }

 private:
  std::size_t nodes_, m_, p_;
  ConvexLoss loss_;
  double ridge_;
  std::vector<double> a_;  // [N, p], shard after shard
  std::vector<double> y_;  // [N]
};

// log(1 + e^z) and 1 / (1 + e^−z), without overflow.
double softplus(double z);
double logistic(double z);

double dot(std::span<const double> a, std::span<const double> b);

}  // namespace quantimed

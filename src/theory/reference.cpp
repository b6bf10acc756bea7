// SPDX-License-Identifier: BSD-3-Clause
#include "theory/reference.hpp"

#include "base/error.hpp"
#include "blas/blas.hpp"

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {

constexpr int kMostSteps = 100;  // of Newton's method
constexpr double kFlat = 1e-9;   // of the largest curvature at 0: below, a direction is flat

double norm(std::span<const double> x) { return std::sqrt(dot(x, x)); }

// x ← the solution of H x = b of least norm; H symmetric and ≥ 0, destroyed.
std::vector<double> solve(std::vector<double>& h, std::span<const double> b) {
  const std::size_t p = b.size();
  std::vector<double> eigenvalues(p), x(p, 0.0);
  blas::symmetric_eigenvectors(p, h, eigenvalues);
  const double least = eigenvalues.back() * 1e-13 * static_cast<double>(p);
  for (std::size_t k = 0; k < p; ++k) {
    if (eigenvalues[k] <= least) continue;
    const auto v = std::span<const double>(h).subspan(k * p, p);
    const double share = dot(v, b) / eigenvalues[k];
    for (std::size_t c = 0; c < p; ++c) x[c] += share * v[c];
  }
  return x;
}

void hessian_at(const ConvexProblem& problem, std::span<const double> x, std::span<double> h) {
  std::vector<double> weights(problem.nodes() * problem.per_node());
  for (std::size_t i = 0; i < problem.nodes(); ++i)
    problem.curvatures(i, x, std::span(weights).subspan(i * problem.per_node(), problem.per_node()));
  problem.hessian(0, weights, h);
}

std::vector<double> hessian_eigenvalues(const ConvexProblem& problem, std::span<const double> x) {
  std::vector<double> h(x.size() * x.size()), eigenvalues(x.size());
  hessian_at(problem, x, h);
  blas::symmetric_eigenvalues(x.size(), h, eigenvalues);
  return eigenvalues;
}

// Ends at a point where the step no longer makes f smaller.
double backtrack(const ConvexProblem& problem, std::vector<double>& x, std::span<const double> step, double value) {
  std::vector<double> next(x.size());
  for (double length = 1; length > 1e-10; length /= 2) {
    for (std::size_t k = 0; k < x.size(); ++k) next[k] = x[k] - length * step[k];
    const double there = problem.value(next);
    if (there <= value) {
      x = next;
      return there;
    }
  }
  return value;
}

// ∇h_α(x): (x_i − Σ_j w_ij x_j) + α ∇f_i(x_i), node after node.
class PenaltyFunction {
 public:
  PenaltyFunction(const ConvexProblem& problem, const Network& network, double alpha)
      : problem_(problem), network_(network), alpha_(alpha), weights_(problem.nodes() * problem.per_node()) {}

  void gradient(std::span<const double> x, std::span<double> g) const {
    apply(x, g, [&](std::size_t i, std::span<double> local) { problem_.local_gradient(i, of(x, i), local); });
  }
  // Where curvature() is taken.
  void look_at(std::span<const double> x) {
    for (std::size_t i = 0; i < problem_.nodes(); ++i) problem_.curvatures(i, of(x, i), weights_of(i));
  }
  void curvature(std::span<const double> v, std::span<double> h) {
    apply(v, h,
          [&](std::size_t i, std::span<double> local) { problem_.local_curvature(i, weights_of(i), of(v, i), local); });
  }

 private:
  template <class Local>
  void apply(std::span<const double> x, std::span<double> result, Local&& local) const {
    const std::size_t p = problem_.dimension();
    std::vector<double> part(p);
    for (std::size_t i = 0; i < problem_.nodes(); ++i) {
      local(i, std::span(part));
      const auto own = of(x, i);
      double* out = result.data() + i * p;
      // 1 − w_ii = Σ_j w_ij, summed as the differences: no digits are lost where neighbours agree.
      for (std::size_t k = 0; k < p; ++k) out[k] = alpha_ * part[k];
      for (const Neighbour& j : network_.neighbours(static_cast<NodeId>(i))) {
        const auto theirs = of(x, j.id);
        for (std::size_t k = 0; k < p; ++k) out[k] += static_cast<double>(j.weight) * (own[k] - theirs[k]);
      }
    }
  }
  std::span<const double> of(std::span<const double> x, std::size_t i) const {
    return x.subspan(i * problem_.dimension(), problem_.dimension());
  }
  std::span<double> weights_of(std::size_t i) {
    return std::span(weights_).subspan(i * problem_.per_node(), problem_.per_node());
  }

  const ConvexProblem& problem_;
  const Network& network_;
  double alpha_;
  std::vector<double> weights_;  // [n, m]: ℓ″
};

// Solves curvature · x = b by conjugate gradients, to `least` of ‖b‖ or as far as it goes.
std::vector<double> conjugate_gradients(PenaltyFunction& h, std::span<const double> b, double least) {
  std::vector<double> x(b.size(), 0.0), r(b.begin(), b.end()), d = r, q(b.size());
  double now = dot(r, r);
  const double enough = least * least * now;
  for (std::size_t step = 0; step < 20 * b.size() && now > enough; ++step) {
    h.curvature(d, q);
    const double length = now / dot(d, q);
    for (std::size_t k = 0; k < x.size(); ++k) {
      x[k] += length * d[k];
      r[k] -= length * q[k];
    }
    const double next = dot(r, r);
    for (std::size_t k = 0; k < x.size(); ++k) d[k] = r[k] + next / now * d[k];
    now = next;
  }
  return x;
}

}  // namespace

Minimum minimise(const ConvexProblem& problem) {
  const std::size_t p = problem.dimension();
  Minimum minimum{.x = std::vector<double>(p, 0.0)};
  std::vector<double> g(p), h(p * p);
  problem.gradient(minimum.x, g);
  const double enough = 1e-12 * (1 + norm(g));
  minimum.value = problem.value(minimum.x);
  double least = norm(g);
  for (int step = 0; step < kMostSteps; ++step) {
    hessian_at(problem, minimum.x, h);
    const std::vector<double> before = minimum.x;
    minimum.value = backtrack(problem, minimum.x, solve(h, g), minimum.value);
    problem.gradient(minimum.x, g);
    if (norm(g) <= enough || minimum.x == before) break;
    least = std::min(least, norm(g));
  }
  // Where classes can be parted f falls for ever, ever flatter: directions that were bent at 0 no longer are.
  const std::vector<double> here = hessian_eigenvalues(problem, minimum.x),
                            there = hessian_eigenvalues(problem, std::vector<double>(p, 0.0));
  const auto bent = [&](const std::vector<double>& values) {
    return std::ranges::count_if(values, [&](double value) { return value > kFlat * there.back(); });
  };
  if (bent(here) < bent(there))
    throw InputError(
        "--l2 0: without it this logistic regression has no minimiser, for a plane parts the classes; give --l2 above "
        "0, or other data");
  minimum.gradient_norm = norm(g);
  check(minimum.gradient_norm <= std::max(1e4 * enough, least * 2), "Newton's method did not reach the minimum");
  return minimum;
}

PenaltyMinimum minimise_penalty(const ConvexProblem& problem, const Network& network, double alpha, double mu,
                                std::span<const double> start) {
  check(mu > 0 && alpha > 0, "minimise_penalty: alpha and mu are above 0");
  PenaltyFunction h(problem, network, alpha);
  PenaltyMinimum minimum;
  for (std::size_t i = 0; i < problem.nodes(); ++i) minimum.x.insert(minimum.x.end(), start.begin(), start.end());
  std::vector<double> g(minimum.x.size()), best = minimum.x;
  h.gradient(minimum.x, g);
  double least = norm(g);
  const double enough = 1e-14 * (1 + least);
  for (int step = 0; step < kMostSteps && least > enough; ++step) {
    h.look_at(minimum.x);
    const std::vector<double> move = conjugate_gradients(h, g, 1e-10);
    for (std::size_t k = 0; k < move.size(); ++k) minimum.x[k] -= move[k];
    h.gradient(minimum.x, g);
    const double now = norm(g);
    if (!(now < least)) break;  // rounding: no more digits
    least = now;
    best = minimum.x;
  }
  minimum.x = best;
  minimum.error = least / (alpha * mu);
  if (!(minimum.error < 1e-8))
    throw InputError(
        "--l2 {}: the penalty function's minimiser is known only to {:.1g}, for it is hardly convex "
        "(alpha {:.3g}, mu {:.3g}); give a larger --l2",
        problem.ridge() * static_cast<double>(problem.nodes() * problem.per_node()), minimum.error, alpha, mu);
  return minimum;
}

Smoothness smoothness(const ConvexProblem& problem) {
  const std::size_t p = problem.dimension();
  const double most_bend = problem.loss() == ConvexLoss::squared ? 1 : 0.25;
  Smoothness result{.mu = kForever, .K = 0};
  std::vector<double> h(p * p), eigenvalues(p);
  const std::vector<double> weights(problem.per_node(), most_bend);
  for (std::size_t i = 0; i < problem.nodes(); ++i) {
    problem.hessian(i * problem.per_node(), weights, h);
    blas::symmetric_eigenvectors(p, h, eigenvalues);
    result.K = std::max(result.K, eigenvalues.back());
    const double least = std::max(eigenvalues.front(), problem.ridge());  // rounding may put it below
    result.mu = std::min(result.mu, problem.loss() == ConvexLoss::squared ? least : problem.ridge());
  }
  if (result.mu < 1e-12 * result.K) result.mu = 0;  // rounding of a rank that is short
  return result;
}

double gradient_noise(const ConvexProblem& problem, std::span<const double> x) {
  const std::size_t p = problem.dimension();
  std::vector<double> mean(p);
  double most = 0;
  for (std::size_t i = 0; i < problem.nodes(); ++i) {
    problem.local_gradient(i, x, mean);
    for (std::size_t c = 0; c < p; ++c) mean[c] -= problem.ridge() * x[c];  // the ℓ2 term is not drawn
    double sum = 0;
    for (std::size_t k = i * problem.per_node(); k < (i + 1) * problem.per_node(); ++k) {
      const auto a = problem.row(k);
      const double slope = problem.slope(dot(a, x), problem.target(k));
      for (std::size_t c = 0; c < p; ++c) sum += (slope * a[c] - mean[c]) * (slope * a[c] - mean[c]);
    }
    most = std::max(most, sum / static_cast<double>(problem.per_node()));
  }
  return most;
}

double disagreement(const ConvexProblem& problem, std::span<const double> x) {
  std::vector<double> g(problem.dimension());
  double sum = 0;
  for (std::size_t i = 0; i < problem.nodes(); ++i) {
    problem.local_gradient(i, x, g);
    sum += dot(g, g);
  }
  return sum / static_cast<double>(problem.nodes());
}

double quantizer_variance(const Codec& codec, std::span<const Real> x, std::uint64_t seed, int draws) {
  AlignedVector<std::byte> message(codec.capacity(x.size()));
  AlignedVector<Real> decoded(x.size());
  double sum = 0;
  for (int draw = 0; draw < draws; ++draw) {
    const StreamKey key{.seed = seed, .iteration = static_cast<std::uint32_t>(draw), .purpose = Purpose::check};
    const Encoded code = codec.encode(x, key, message);
    std::ranges::fill(decoded, 0.0f);
    codec.accumulate(std::span<const std::byte>(message).first(code.bytes), 1.0f, 0, x, decoded);
    for (std::size_t k = 0; k < x.size(); ++k) {
      const double d = static_cast<double>(decoded[k]) - static_cast<double>(x[k]);
      sum += d * d;
    }
  }
  return sum / draws;
}

double mean_seconds_a_sample(const SpeedModel& speed, std::uint32_t nodes) {
  const Round rounds = std::max<Round>(1, 100'000 / nodes);
  double sum = 0;
  for (Round t = 0; t < rounds; ++t)
    for (NodeId i = 0; i < nodes; ++i) sum += 1 / speed.speed(i, t);
  return sum / static_cast<double>(rounds) / nodes;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The constants of a theorem's bound, measured or computed for the problem at hand.
#include "command/theory_report.hpp"
#include "theory/estimates.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quantimed {

std::vector<Constant> theory_constants(const std::vector<TheoryPoint>& points, std::uint64_t seed,
                                       const Smoothness& smoothness) {
  const TheoryPoint& point = points.back();
  const Setup& setup = *point.setup;
  const Reference& reference = point.reference;
  std::vector<Real> x(setup.problem->dimension());
  setup.problem->initialise(x, seed);
  std::vector<Constant> list;
  const std::string where = reference.minimum ? "x*" : "the start";
  if (reference.minimum) {
    std::copy(reference.minimum->x.begin(), reference.minimum->x.end(), x.begin());
    double most_error = 0;
    for (const TheoryPoint& p : points) most_error = std::max(most_error, p.reference.penalty.error);
    list = {{"mu", "min_i least eigenvalue of the Hessian of f_i (logistic: of its l2 term)", smoothness.mu},
            {"K", "max_i largest eigenvalue of the Hessian of f_i (logistic: at most)", smoothness.K},
            {"f*", "min f", reference.minimum->value},
            {"|grad f(x*)|", "what is left at x*", reference.minimum->gradient_norm},
            {"error of x*_a", "bound on |x - x*_a| of the computed one, the largest of all points", most_error},
            {"|x*|^2", "squared norm", dot(reference.minimum->x, reference.minimum->x)},
            {kIsDouble ? "float64 floor" : "float32 floor",
             kIsDouble ? "|x*|^2 2^-106: what float64 can tell of a squared distance"
                       : "|x*|^2 2^-48: what float32 can tell of a squared distance",
             dot(reference.minimum->x, reference.minimum->x) * (kIsDouble ? 0x1.0p-106 : 0x1.0p-48)},
            {"gamma^2", "max_i (1/m) sum |grad l(x, theta) - grad f_i(x)|^2 at x*",
             gradient_noise(*reference.problem, reference.minimum->x)},
            {"D^2", "(1/n) sum_i |grad f_i(x*)|^2", disagreement(*reference.problem, reference.minimum->x)}};
  } else {
    list = {{"K", "largest |eigenvalue| of the Hessian of f at the start: no more than K",
             estimate_curvature(*setup.problem, setup.shards, x, seed)},
            {"gamma^2", "max_i (1/m) sum |grad l(x, theta) - grad f_i(x)|^2 at the start",
             estimate_gradient_noise(*setup.problem, setup.shards, x)}};
  }
  list.push_back({"sigma^2", fmt::format("E|Q(x) - x|^2 at {}, mean of 200 draws", where),
                  quantizer_variance(*setup.codec, x, seed)});
  list.push_back({"sigma^2 bound", fmt::format("the quantizer's bound at {}", where), setup.codec->variance_bound(x)});
  list.push_back({"beta", "second-largest |eigenvalue| of W, of the last point", setup.network.beta});
  list.push_back({"E[1/V]", "s a sample, mean over nodes and iterations", point.seconds_a_sample});
  list.push_back(
      {"max(E[1/V]/T_d, 1/m)", "the deadline's part in the gradient's noise, of the last point", point.noise_share});
  return list;
}

}  // namespace quantimed

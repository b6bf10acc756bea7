// SPDX-License-Identifier: BSD-3-Clause
#include "codec/sums.hpp"

#include <cmath>
#include <cstddef>

#include "base/instructions.hpp"

namespace quantimed {

namespace {

struct Square {
  // The square of a float is a double exactly, so contraction changes nothing.
  QUANTIMED_KERNEL double operator()(float v) const { return static_cast<double>(v) * static_cast<double>(v); }
};

struct Magnitude {
  QUANTIMED_KERNEL double operator()(float v) const { return static_cast<double>(std::abs(v)); }
};

template <class Term>
QUANTIMED_KERNEL double sum_in_lanes(std::span<const Real> x, Term term) {
  constexpr std::size_t kLanes = 16;
  double lanes[kLanes] = {};
  std::size_t k = 0;
  for (; k + kLanes <= x.size(); k += kLanes) {
#pragma omp simd
    for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(static_cast<float>(x[k + lane]));
  }
  for (std::size_t lane = 0; k < x.size(); ++k, ++lane) lanes[lane] += term(static_cast<float>(x[k]));
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

// Terms are not negative and finite ones do not reach the end of double: the sum is finite where all of x is.
template <class Term>
FiniteSum finite_sum(std::span<const Real> x, Term term) {
  FiniteSum sum{.value = dispatched<sum_in_lanes<Term>>(x, term)};
  if (std::isfinite(sum.value)) return sum;
  sum.value = 0;
  for (const Real each : x) {
    const auto v = static_cast<float>(each);
    if (std::isfinite(v))
      sum.value += term(v);
    else
      ++sum.not_finite;
  }
  return sum;
}

}  // namespace

FiniteSum sum_of_squares(std::span<const Real> x) { return finite_sum(x, Square{}); }
FiniteSum sum_of_magnitudes(std::span<const Real> x) { return finite_sum(x, Magnitude{}); }

}  // namespace quantimed

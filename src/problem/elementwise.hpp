// SPDX-License-Identifier: BSD-3-Clause
// exp, log(1 + u), sigmoid and tanh as straight-line code, which a compiler turns into vectors inside a
// `#pragma omp simd` loop without relaxed floating point: infinities and NaN pass through as they should.
//
// Everything is built on e^x and e^x − 1 for x ≤ 0, which cannot overflow. Errors of float32 against float64 are below
// 2e-7, relative (elementwise_test.cpp); its coefficients are our own Chebyshev fits. Double precision takes Taylor's
// series, as long as its terms count.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "base/instructions.hpp"
#include "base/real.hpp"

namespace quantimed {

// e^x = scale · (1 + tail): scale = 2^n, |tail| < 0.42.
struct SplitExponential {
  Real scale, tail;
};

// The constants of each precision, and the polynomials that depend on it.
template <class Number>
struct Exponential;

template <>
struct Exponential<float> {
  using Bits = std::uint32_t;
  static constexpr Bits kBias = 127, kMantissa = 23;
  static constexpr float kLowest = -87.0f;
  static constexpr float kLog2E = 1.44269504f;
  static constexpr float kLn2High = 0.693359375f;    // 9 bits, so that n · kLn2High is exact
  static constexpr float kLn2Low = -2.12194440e-4f;  // ln 2 − kLn2High
  static constexpr float kShift = 12582912.0f;       // 1.5 · 2^23: adding it rounds to an integer, in the low bits
  QUANTIMED_KERNEL static float quadratic(float r) {
    float q = 0.000199041038f;
    q = q * r + 0.00139381096f;
    q = q * r + 0.00833329186f;
    q = q * r + 0.0416664146f;
    q = q * r + 0.166666672f;
    return q * r + 0.5f;
  }
  QUANTIMED_KERNEL static float artanh(float t) {
    float q = 0.116238311f;
    q = q * t + 0.108556271f;
    q = q * t + 0.142955378f;
    q = q * t + 0.199998841f;
    return q * t + 0.333333343f;
  }
};

template <>
struct Exponential<double> {
  using Bits = std::uint64_t;
  static constexpr Bits kBias = 1023, kMantissa = 52;
  static constexpr double kLowest = -708;
  static constexpr double kLog2E = 1.4426950408889634;
  static constexpr double kLn2High = 6.93147180369123816490e-01;  // 32 bits
  static constexpr double kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kShift = 0x1.8p52;
  QUANTIMED_KERNEL static double quadratic(double r) {  // Σ r^k / (k + 2)!, k ≤ 12: what is left out is below 4e-18
    double q = 1.0 / 87178291200.0;
    q = q * r + 1.0 / 6227020800.0;
    q = q * r + 1.0 / 479001600.0;
    q = q * r + 1.0 / 39916800.0;
    q = q * r + 1.0 / 3628800.0;
    q = q * r + 1.0 / 362880.0;
    q = q * r + 1.0 / 40320.0;
    q = q * r + 1.0 / 5040.0;
    q = q * r + 1.0 / 720.0;
    q = q * r + 1.0 / 120.0;
    q = q * r + 1.0 / 24.0;
    q = q * r + 1.0 / 6.0;
    return q * r + 0.5;
  }
  QUANTIMED_KERNEL static double artanh(
      double t) {  // Σ t^k / (2 k + 3), t ≤ 1/9, k ≤ 15: what is left out is below 1e-17
    double q = 1.0 / 33;
    q = q * t + 1.0 / 31;
    q = q * t + 1.0 / 29;
    q = q * t + 1.0 / 27;
    q = q * t + 1.0 / 25;
    q = q * t + 1.0 / 23;
    q = q * t + 1.0 / 21;
    q = q * t + 1.0 / 19;
    q = q * t + 1.0 / 17;
    q = q * t + 1.0 / 15;
    q = q * t + 1.0 / 13;
    q = q * t + 1.0 / 11;
    q = q * t + 1.0 / 9;
    q = q * t + 1.0 / 7;
    q = q * t + 1.0 / 5;
    return q * t + 1.0 / 3;
  }
};

// x = n ln 2 + r with |r| ≤ ½ ln 2; tail = e^r − 1 = r + r² q(r).  For x ≤ 0; below −87 (−708 in double), where e^x
// would leave the normal numbers, it stays what it is there: 1.6e-38.
QUANTIMED_KERNEL SplitExponential split_exponential(Real x) {
  using E = Exponential<Real>;
  x = x < E::kLowest ? E::kLowest : x;  // this way round NaN stays
  const Real shifted = x * E::kLog2E + E::kShift;
  const Real n = shifted - E::kShift;
  const Real r = (x - n * E::kLn2High) - n * E::kLn2Low;
  const Real q = E::quadratic(r);
  const Real scale = std::bit_cast<Real>((std::bit_cast<E::Bits>(shifted) + E::kBias) << E::kMantissa);
  return {scale, r + (r * r) * q};
}

// e^x for x ≤ 0.
QUANTIMED_KERNEL Real exp_nonpositive(Real x) {
  const auto [scale, tail] = split_exponential(x);
  return scale + scale * tail;
}

// log(1 + u) for 0 ≤ u ≤ 1: 2 artanh(s) = 2s (1 + s² q(s²)) with s = u / (2 + u) ≤ ⅓.
QUANTIMED_KERNEL Real log1p_unit(Real u) {
  const Real s = u / (2.0f + u), t = s * s;
  const Real q = Exponential<Real>::artanh(t);
  return 2.0f * (s + (s * t) * q);
}

// log(1 + e^−|z|), the curved part of the softplus: log(1 + e^z) = max(z, 0) + softplus_tail(z).
QUANTIMED_KERNEL Real softplus_tail(Real z) { return log1p_unit(exp_nonpositive(-std::fabs(z))); }

// σ(z) = 1 / (1 + e^−z); for z < 0 as e^z / (1 + e^z), so that small values keep their digits.
QUANTIMED_KERNEL Real sigmoid(Real z) {
  const Real e = exp_nonpositive(-std::fabs(z));
  return (z < 0.0f ? e : 1.0f) / (1.0f + e);
}

// tanh |z| = −t / (2 + t) with t = e^(−2|z|) − 1, whose digits are kept near 0.
QUANTIMED_KERNEL Real tangent(Real z) {
  const auto [scale, tail] = split_exponential(-2.0f * std::fabs(z));
  const Real t = scale * tail + (scale - 1.0f);
  const Real magnitude = -t / (2.0f + t);
  return z < 0.0f ? -magnitude : magnitude;
}

}  // namespace quantimed

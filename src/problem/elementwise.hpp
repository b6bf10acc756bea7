// SPDX-License-Identifier: BSD-3-Clause
// float32 exp, log(1 + u), sigmoid and tanh as straight-line code, which a compiler turns into vectors inside a
// `#pragma omp simd` loop without relaxed floating point: infinities and NaN pass through as they should.
//
// Everything is built on e^x and e^x − 1 for x ≤ 0, which cannot overflow. Errors against float64 are below 2e-7,
// relative (elementwise_test.cpp). The coefficients are our own Chebyshev fits.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "base/instructions.hpp"

namespace quantimed {

// e^x = scale · (1 + tail): scale = 2^n, |tail| < 0.42.
struct SplitExponential {
  float scale, tail;
};

// x = n ln 2 + r with |r| ≤ ½ ln 2; tail = e^r − 1 = r + r² q(r).  For x ≤ 0; below −87, where e^x would leave the
// normal numbers, it stays e^−87 = 1.6e-38.
QUANTIMED_KERNEL SplitExponential split_exponential(float x) {
  constexpr float kLowest = -87.0f;
  constexpr float kLog2E = 1.44269504f;
  constexpr float kLn2High = 0.693359375f;    // 9 bits, so that n · kLn2High is exact
  constexpr float kLn2Low = -2.12194440e-4f;  // ln 2 − kLn2High
  constexpr float kShift = 12582912.0f;       // 1.5 · 2^23: adding it rounds to an integer, in the low bits
  x = x < kLowest ? kLowest : x;              // this way round NaN stays
  const float shifted = x * kLog2E + kShift;
  const float n = shifted - kShift;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float q = 0.000199041038f;
  q = q * r + 0.00139381096f;
  q = q * r + 0.00833329186f;
  q = q * r + 0.0416664146f;
  q = q * r + 0.166666672f;
  q = q * r + 0.5f;
  const float scale = std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127u) << 23);
  return {scale, r + (r * r) * q};
}

// e^x for x ≤ 0.
QUANTIMED_KERNEL float exp_nonpositive(float x) {
  const auto [scale, tail] = split_exponential(x);
  return scale + scale * tail;
}

// log(1 + u) for 0 ≤ u ≤ 1: 2 artanh(s) = 2s (1 + s² q(s²)) with s = u / (2 + u) ≤ ⅓.
QUANTIMED_KERNEL float log1p_unit(float u) {
  const float s = u / (2.0f + u), t = s * s;
  float q = 0.116238311f;
  q = q * t + 0.108556271f;
  q = q * t + 0.142955378f;
  q = q * t + 0.199998841f;
  q = q * t + 0.333333343f;
  return 2.0f * (s + (s * t) * q);
}

// log(1 + e^−|z|), the curved part of the softplus: log(1 + e^z) = max(z, 0) + softplus_tail(z).
QUANTIMED_KERNEL float softplus_tail(float z) { return log1p_unit(exp_nonpositive(-std::fabs(z))); }

// σ(z) = 1 / (1 + e^−z); for z < 0 as e^z / (1 + e^z), so that small values keep their digits.
QUANTIMED_KERNEL float sigmoid(float z) {
  const float e = exp_nonpositive(-std::fabs(z));
  return (z < 0.0f ? e : 1.0f) / (1.0f + e);
}

// tanh |z| = −t / (2 + t) with t = e^(−2|z|) − 1, whose digits are kept near 0.
QUANTIMED_KERNEL float tangent(float z) {
  const auto [scale, tail] = split_exponential(-2.0f * std::fabs(z));
  const float t = scale * tail + (scale - 1.0f);
  const float magnitude = -t / (2.0f + t);
  return z < 0.0f ? -magnitude : magnitude;
}

}  // namespace quantimed

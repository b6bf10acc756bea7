// SPDX-License-Identifier: BSD-3-Clause
#include "problem/activation.hpp"

#include "problem/elementwise.hpp"

namespace quantimed {
namespace {

QUANTIMED_KERNEL void sigmoid_all(std::size_t count, Real* a) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) a[i] = sigmoid(a[i]);
}
QUANTIMED_KERNEL void tangent_all(std::size_t count, Real* a) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) a[i] = tangent(a[i]);
}
QUANTIMED_KERNEL void rectify_all(std::size_t count, Real* a) {  // written so that NaN stays
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) a[i] = a[i] < 0.0f ? 0.0f : a[i];
}

QUANTIMED_KERNEL void back_sigmoid(std::size_t count, const Real* a, Real* delta) {  // φ′ = a (1 − a)
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) delta[i] *= a[i] * (1.0f - a[i]);
}
QUANTIMED_KERNEL void back_tangent(std::size_t count, const Real* a, Real* delta) {  // φ′ = 1 − a²
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) delta[i] *= (1.0f - a[i]) * (1.0f + a[i]);
}
QUANTIMED_KERNEL void back_rectify(std::size_t count, const Real* a, Real* delta) {  // φ′ = 1 above 0, else 0
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) delta[i] = a[i] <= 0.0f ? 0.0f : delta[i];
}

}  // namespace

void activate(Activation activation, std::size_t count, Real* a) {
  switch (activation) {
    case Activation::sigmoid:
      return dispatched<sigmoid_all>(count, a);
    case Activation::tanh:
      return dispatched<tangent_all>(count, a);
    case Activation::relu:
      return dispatched<rectify_all>(count, a);
  }
}

void back_activate(Activation activation, std::size_t count, const Real* a, Real* delta) {
  switch (activation) {
    case Activation::sigmoid:
      return dispatched<back_sigmoid>(count, a, delta);
    case Activation::tanh:
      return dispatched<back_tangent>(count, a, delta);
    case Activation::relu:
      return dispatched<back_rectify>(count, a, delta);
  }
}

}  // namespace quantimed

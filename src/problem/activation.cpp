// SPDX-License-Identifier: BSD-3-Clause
#include "problem/activation.hpp"

#include "problem/elementwise.hpp"

namespace quantimed {
namespace {

template <class Function>
void for_each_unit(std::size_t count, Function function) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) function(i);
}

}  // namespace

void activate(Activation activation, std::size_t count, float* a) {
  switch (activation) {
    case Activation::sigmoid:
      return for_each_unit(count, [=](std::size_t i) { a[i] = sigmoid(a[i]); });
    case Activation::tanh:
      return for_each_unit(count, [=](std::size_t i) { a[i] = tangent(a[i]); });
    case Activation::relu:  // written so that NaN stays
      return for_each_unit(count, [=](std::size_t i) { a[i] = a[i] < 0.0f ? 0.0f : a[i]; });
  }
}

void back_activate(Activation activation, std::size_t count, const float* a, float* delta) {
  switch (activation) {
    case Activation::sigmoid:  // φ′ = a (1 − a)
      return for_each_unit(count, [=](std::size_t i) { delta[i] *= a[i] * (1.0f - a[i]); });
    case Activation::tanh:  // φ′ = 1 − a²
      return for_each_unit(count, [=](std::size_t i) { delta[i] *= (1.0f - a[i]) * (1.0f + a[i]); });
    case Activation::relu:  // φ′ = 1 above 0, else 0
      return for_each_unit(count, [=](std::size_t i) { delta[i] = a[i] <= 0.0f ? 0.0f : delta[i]; });
  }
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Sums of what a term gives (float32, float64) inside kernels (instructions.hpp), in an order that does not depend on
// how wide a machine's vectors are.
#pragma once

#include <cstddef>

#include "base/instructions.hpp"

namespace quantimed {

// Σ term(k) over k < count: term k is added in lane k mod 16, those beyond the last whole sixteen in lane 0; then the
// lanes one after the other.
template <class Term>
QUANTIMED_KERNEL auto sum_in_lanes(std::size_t count, Term term) {
  using Number = decltype(term(std::size_t{}));
  constexpr std::size_t kLanes = 16;
  Number lanes[kLanes] = {};
  std::size_t k = 0;
  for (; k + kLanes <= count; k += kLanes) {
#pragma omp simd
    for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(k + lane);
  }
  for (; k < count; ++k) lanes[0] += term(k);
  Number sum = 0;
  for (const Number lane : lanes) sum += lane;
  return sum;
}

}  // namespace quantimed

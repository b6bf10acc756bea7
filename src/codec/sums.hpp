// SPDX-License-Identifier: BSD-3-Clause
// Sums over a vector, in an order that does not depend on the machine's vectors: lane k mod 16, then the lanes.
#pragma once

#include <cstdint>
#include <span>

#include "base/real.hpp"

namespace quantimed {

struct FiniteSum {
  double value = 0;              // over the finite coordinates
  std::uint64_t not_finite = 0;  // infinities and NaNs
};

FiniteSum sum_of_squares(std::span<const Real> x);     // ‖x‖²
FiniteSum sum_of_magnitudes(std::span<const Real> x);  // ‖x‖₁

}  // namespace quantimed

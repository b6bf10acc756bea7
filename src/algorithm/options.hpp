// SPDX-License-Identifier: BSD-3-Clause
// The numbers that an algorithm's text needs, resolved.
#pragma once

#include "base/types.hpp"

#include <cstdint>

namespace quantimed {

struct Options {
  Real alpha = 0;                            // weight of the gradient, in this iteration: read it within the loop
  Real epsilon = 1;                          // step of the mixing
  std::uint32_t batch = 0;                   // b, samples
  Real gamma = 1;                            // step of the mixing of compressed differences
  bool overlap = false;                      // choco-sgd's message travels while the gradient is computed
  Real momentum = 0;                         // β
  bool nesterov = false;                     // momentum looks one step ahead
  Real averaging = 0.5f;                     // a of LEAD: how fast its reference h follows the messages
  Real outer_step = static_cast<Real>(0.7);  // η_o of DiLoCo
  std::uint32_t local_steps = 4;             // τ, gradients between two exchanges
  std::uint32_t rounds = 5;                  // r, exchanges an iteration
  Real beta = -1;                            // K of β(t) = K + √t/α (amb); below 0: β is 1/α throughout
  std::uint32_t period = 8;                  // H, iterations from one average to the next
};

}  // namespace quantimed

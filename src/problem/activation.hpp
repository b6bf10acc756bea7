// SPDX-License-Identifier: BSD-3-Clause
// The hidden units' function φ, over whole arrays.
#pragma once

#include <cstddef>

#include "base/real.hpp"

namespace quantimed {

enum class Activation { sigmoid, tanh, relu };

// a ← φ(a).  a: [count]
void activate(Activation activation, std::size_t count, Real* a);

// delta ← delta ⊙ φ′, where φ′ follows from the unit's own output a = φ(z).  a, delta: [count]
void back_activate(Activation activation, std::size_t count, const Real* a, Real* delta);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The hidden units' function φ, over whole arrays.
#pragma once

#include <cstddef>

namespace quantimed {

enum class Activation { sigmoid, tanh, relu };

// a ← φ(a).  a: [count]
void activate(Activation activation, std::size_t count, float* a);

// delta ← delta ⊙ φ′, where φ′ follows from the unit's own output a = φ(z).  a, delta: [count]
void back_activate(Activation activation, std::size_t count, const float* a, float* delta);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Validate, then time: a run starts only if its mathematics holds on a sample.
#pragma once

#include "codec/codec.hpp"
#include "dataset/shards.hpp"
#include "problem/problem.hpp"

#include <cstdint>

namespace quantimed {

// The gradient against a central difference of the loss, along the gradient itself and along a random direction.
// Throws InternalError: a wrong gradient is our fault.
void check_gradient(const Problem& problem, const Shards& shards, std::uint64_t seed);

// E[Q(x)] = x on a sample of the start, but for contractions: the mean of many codes within five standard errors. The
// variance of each is within its bound. Throws InternalError, and InputError (naming --codec) where the start does not
// fit the code.
void check_codec(const Codec& codec, const Problem& problem, std::uint64_t seed);

}  // namespace quantimed

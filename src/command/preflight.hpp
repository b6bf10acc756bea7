// SPDX-License-Identifier: BSD-3-Clause
// Validate, then time: a run starts only if its mathematics holds on a sample.
#pragma once

#include "codec/codec.hpp"
#include "config/config.hpp"
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

// Workers that are left to the machine: `most`, or as many as a limit on address space grants what each takes (1 at
// least), which is said once unless `quiet`. Looked at once: later the program holds much of it itself.
std::uint32_t granted_workers(std::uint32_t most, bool quiet);
// Before products are computed by config.threads workers, and by `nodes` threads that are nodes (0: none are): what the
// BLAS library needs for as many callers. Where memory for it is refused and the number of workers was left to the
// machine, they are as many as it grants, which is said once. Throws as blas::admit.
void admit_workers(Config& config, std::size_t nodes = 0);

}  // namespace quantimed

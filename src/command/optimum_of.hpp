// SPDX-License-Identifier: BSD-3-Clause
// --optimum: how far a run is from the best that there is.
#pragma once

#include "command/setup.hpp"
#include "theory/optimum.hpp"
#include "trace/trace.hpp"

#include <optional>

namespace quantimed {

// f* of the loss that the curve shows, over the rows that the nodes hold; nothing unless --optimum. Throws InputError
// for models whose f* is not known.
std::optional<Optimum> optimum_of(const Setup& setup, const Dataset& data);

// Into /summary, which has a final loss: the gap to f*, and the gap of what the run has weighted its nodes by.
// `rounds`: who has computed how many samples.
void add_optimum(Trace& trace, const Setup& setup, const Dataset& data, const Optimum& optimum,
                 const RoundsSource& rounds);

}  // namespace quantimed

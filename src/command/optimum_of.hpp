// SPDX-License-Identifier: BSD-3-Clause
// --optimum: how far a run's loss is from the least that there is.
#pragma once

#include "command/setup.hpp"
#include "theory/optimum.hpp"
#include "trace/trace.hpp"

#include <optional>

namespace quantimed {

// f* of the loss that the curve shows, over the rows that the nodes hold; nothing unless --optimum. Throws InputError
// for models whose f* is not known.
std::optional<Optimum> optimum_of(const Setup& setup, const Dataset& data);

// Into /summary, which has a final loss.
void add_optimum(Trace& trace, const Config& config, const Optimum& optimum);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The tables of `quantimed info --jitter`, and a line on each figure.
#pragma once

#include "machine/jitter.hpp"

#include <span>
#include <string>

namespace quantimed {

// `clock_cost_ns`: of reading the clock, which hides detours where it takes as long as they do.
std::string jitter_text(std::span<const CoreJitter> cores, double clock_cost_ns);

}  // namespace quantimed

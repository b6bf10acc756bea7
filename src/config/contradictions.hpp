// SPDX-License-Identifier: BSD-3-Clause
// Beside validate() (config.hpp): what the command line alone can say wrong.
#pragma once

#include <string>

#include "config/config.hpp"

namespace quantimed {

bool runs_something(const std::string& command);

// Options that say how the clock goes, on a clock that does not go by them. An .ini may hold any option, so that one
// file serves both engines: only what was given on the command line is meant for this run. Throws InputError.
void refuse_other_clocks(const Request& request);

}  // namespace quantimed

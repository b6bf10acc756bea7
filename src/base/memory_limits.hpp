// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace quantimed {

// What to do where memory was refused, after "; ": limits on it are named (ulimit -v, ulimit -d), whose cure is
// another.
std::string memory_fix();

}  // namespace quantimed

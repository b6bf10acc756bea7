// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

namespace quantimed {

// Throws MachineRefused where the system does not start `count` threads beside this one (ulimit -u, a control group's
// pids.max, no memory for their stacks). OpenMP's runtime would end the program in its own way, at the first region.
// What has been shown once is not tried again: OpenMP keeps its threads.
void require_threads(std::size_t count);

}  // namespace quantimed

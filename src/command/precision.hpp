// SPDX-License-Identifier: BSD-3-Clause
// Which program carries out a request: quantimed computes in single precision, quantimed-double, its sibling in the
// same folder, in double precision.
#pragma once

#include "config/config.hpp"

namespace quantimed {

// Goes on as the sibling where the request is one for it, with the same arguments and environment: a run in the other
// --precision, or a trace of one that is to be resumed or replayed. Returns where this is the right program. Throws
// InputError, before any work: there is no sibling, it is none, or traces of both precisions are to be replayed.
void become_sibling_for(const Request& request, char** argv);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Figures of merit, a line each, for programs that read what another printed (ReFrame, Ramble, scripts).
#pragma once

#include <string>

namespace quantimed {

struct Trace;

// "FOM name: value unit". Without figures where the run does not count: an invalid time is never printed as a result.
std::string fom_lines(const Trace& trace);

}  // namespace quantimed

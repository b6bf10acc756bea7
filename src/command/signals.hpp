// SPDX-License-Identifier: BSD-3-Clause
// SIGINT, SIGTERM, SIGUSR1 and SIGXCPU (a limit on processor time) ask a run to finish its iteration and write its
// trace. A second SIGINT kills; the others come from batch systems, which repeat them while the trace is being written.
#pragma once

namespace quantimed {

void catch_signals();
bool signal_came();

}  // namespace quantimed

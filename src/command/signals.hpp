// SIGINT, SIGTERM and SIGUSR1 ask a run to finish its iteration and write its trace. A second one kills.
#pragma once

namespace quantimed {

void catch_signals();
bool signal_came();

}  // namespace quantimed

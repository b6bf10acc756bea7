// SPDX-License-Identifier: BSD-3-Clause
// The figures of a finished run that people quote.
#pragma once

#include "command/experiment.hpp"
#include "engine/engine.hpp"

#include <array>

namespace quantimed {

// Over all nodes and iterations.
struct Totals {
  std::array<double, kPhases> phases_s{};  // in the order of kPhaseNames
  double gradients = 0;                    // empty batches included
  double samples = 0;
  double message_bytes = 0;  // each message once
  double sent_bytes = 0;     // one copy to each neighbour
  double vectors = 0;        // sent to each neighbour; of a collective 2 (n − 1)/n
  double overwritten = 0;    // messages
};
Totals add_up(const RoundsSource& rounds, const Run& run);

// Fills trace.summary from the curve, the rounds' totals and the engine's outcome, and adds to trace.warnings.
void summarise(Trace& trace, const Run& run, const Config& config, const Outcome& outcome, const Totals& totals,
               double wall_s, double evaluation_s);

// Phases of every node and iteration as events, in the order in which the algorithm goes through them.
Timeline make_timeline(const RoundsSource& rounds, const Run& run);

}  // namespace quantimed

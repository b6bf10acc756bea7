// The figures of a finished run that people quote.
#pragma once

#include "command/experiment.hpp"
#include "engine/engine.hpp"

#include <array>

namespace quantimed {

// Shares of the time that all nodes spent, in the order of kPhaseNames; they sum to 1.
std::array<double, kPhases> phase_shares(const Rounds& rounds);

// Fills trace.summary from the curve, the rounds and the engine's outcome.
void summarise(Trace& trace, const Run& run, const Config& config, const Outcome& outcome, double wall_s,
               double evaluation_s);

// Phases of every node and iteration as events, in the order in which the algorithm goes through them.
Timeline make_timeline(const Rounds& rounds, Delivery delivery);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// --counters: a run's counts and energy, put into its trace and told.
#pragma once

#include "machine/energy.hpp"
#include "trace/trace.hpp"

#include <span>
#include <string>

namespace quantimed {

// Into a trace whose curve and summary are there: /counters, /progress/energy_j, and the totals in /summary. `counters`
// and `energy` are of the part of the run since it was resumed from `before` (null: all of it), whose own are added;
// where it has none nothing is told of the whole, and the reason is.
void add_counters(Trace& trace, const Counters& counters, const EnergyCurve& energy, const Trace* before);

// J from the start of the run until then, straight between the curve's points; ∞ at ∞, NaN where energy is not known.
double energy_at(std::span<const double> time_s, std::span<const double> energy_j, double at_s);
inline double energy_at(const Progress& curve, double at_s) { return energy_at(curve.time, curve.energy_j, at_s); }

// Lines of a run's summary, "" without --counters. Of an INVALID run only what is missing.
std::string counts_text(const Trace& trace);

}  // namespace quantimed

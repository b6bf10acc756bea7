// SPDX-License-Identifier: BSD-3-Clause
// The checks of `verify`, each beside the part of a trace that it is about; verify.cpp lists them.
// Every one returns one line that says where and by how much the trace fails it, or nothing.
#pragma once

#include "trace/trace.hpp"

#include <string>

namespace quantimed::checks {

// verify_network.cpp. W is looked at by other means than make_network() has.
std::string schedule_holds(const Trace& trace);
std::string neighbours_agree(const Trace& trace);
std::string non_negative_weights(const Trace& trace);
std::string doubly_stochastic(const Trace& trace);
std::string connected(const Trace& trace);
std::string beta_in_range(const Trace& trace);
std::string beta_reaches_power_iteration(const Trace& trace);

// verify_run.cpp
std::string progress_order(const Trace& trace);
std::string clock_of_bits(const Trace& trace);
std::string finite_losses(const Trace& trace);
std::string progress_ranges(const Trace& trace);
std::string classes_add_up(const Trace& trace);
std::string round_gaps(const Trace& trace);
std::string round_ranges(const Trace& trace);
std::string start_order(const Trace& trace);
std::string rounds_add_up(const Trace& trace);
std::string deadlines_kept(const Trace& trace);
std::string fixed_batches(const Trace& trace);
std::string finite_model(const Trace& trace);
std::string sums_kept(const Trace& trace);
std::string timeline_order(const Trace& trace);
std::string counts_possible(const Trace& trace);

}  // namespace quantimed::checks

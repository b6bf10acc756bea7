// SPDX-License-Identifier: BSD-3-Clause
// Stopping and going on: what both engines save alike, and what they ask of a checkpoint before they trust it.
//
// Algorithms are coroutines, whose frames cannot be saved. Instead a run stops where every node's next await is known,
// and goes on by starting the algorithms' texts anew at that iteration (Node::first_round): randomness is counted by
// iteration, so what they do again up to that await they do alike, and what they did before is in the checkpoint.
#pragma once

#include "engine/engine.hpp"
#include "record/records.hpp"

#include <span>
#include <string>
#include <vector>

namespace quantimed {

inline Round first_round(const Run& run, NodeId i) { return run.resume ? run.resume->checkpoint.iteration[i] : 0; }

// x_i where the run goes on, else its start.
void set_model(const Run& run, NodeId i, std::span<Real> x);

// A checkpoint that is taken only in case of a kill may not double a large run's memory. Runs with faults do not go on.
bool may_go_on(const Run& run);

// With those of the iterations that have ended; empty for a new run.
Records start_records(const Run& run);

// A count or a time of the checkpoint's state; 0 in a new run.
double resumed(const Run& run, const std::string& name);
std::uint64_t resumed_count(const Run& run, const std::string& name);

// How many iterations of a node are recorded.
Round recorded(const Rounds& rounds, NodeId i);

// What every engine relies on. Throws InputError that names the trace.
void require_fit(const Run& run);
[[noreturn]] void reject_checkpoint(const Run& run, const std::string& why);

}  // namespace quantimed

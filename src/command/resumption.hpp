// SPDX-License-Identifier: BSD-3-Clause
// From a stopped run's trace to what goes on from it: `run --resume`, and the runs of a command of several.
#pragma once

#include "command/experiment.hpp"
#include "config/config.hpp"
#include "trace/output_lock.hpp"
#include "trace/trace.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace quantimed {

class ProgressLine;

struct Resumption {
  std::string path;  // that the trace was read from
  OutputLock lock;   // on config.output
  Config config;     // resolved: the trace's, with --output, --quiet and --threads as given
  Trace trace;
};

// Why a trace cannot be resumed, after "PATH " or "it ", and what to do instead. Both empty: it can.
struct Obstacle {
  std::string why, fix;
};
Obstacle obstacle_to_resuming(const Trace& trace);  // with its checkpoint: not of read_trace_summary()

// Whether `run --resume PATH` would find a trace that can be resumed, PATH.partial included: "" where it does, else why
// not, after "it ".
std::string why_not_resumed(const std::string& path);

// Reads --resume TRACE: an interrupted trace, or TRACE.partial, which a killed run leaves behind, if that has come
// further. Throws InputError that names --resume where neither can go on, or the option that contradicts the trace.
Resumption prepare_resumption(const Request& request);

// How often the runs of a command need not begin at their start.
struct Continued {
  std::size_t kept = 0, resumed = 0;
};

// A run of a command of several, once its data are read: its trace where it is finished, resumed where it was stopped
// or killed and can be resumed, else run from its start; a line on standard error says where that throws away what a
// stopped run had. Throws as require_replaceable() does.
Trace run_or_continue(const Config& resolved, const DataSplit& data, ProgressLine& line, std::size_t piece,
                      const std::string& name, Continued& count);

// For people, at the end of a command of several runs: how many were kept and resumed, a line each, and how one that
// was stopped is continued.
std::string continued_text(const Continued& count);
std::string continuing_text(const Config& given);

// "12, 30": where a run was cut, in /summary and in the checkpoint's state.
void add_cut(Attributes& state, const Checkpoint& checkpoint);

}  // namespace quantimed

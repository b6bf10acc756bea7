// `run --resume`: from a stopped run's trace to what goes on from it.
#pragma once

#include "config/config.hpp"
#include "trace/output_lock.hpp"
#include "trace/trace.hpp"

#include <string>

namespace quantimed {

struct Resumption {
  std::string path;  // that the trace was read from
  OutputLock lock;   // on config.output
  Config config;     // resolved: the trace's, with --output, --quiet and --threads as given
  Trace trace;
};

// Reads --resume TRACE: an interrupted trace, or TRACE.partial, which a killed run leaves behind, if that has come
// further. Throws InputError that names --resume where neither can go on, or the option that contradicts the trace.
Resumption prepare_resumption(const Request& request);

// "12, 30": where a run was cut, in /summary and in the checkpoint's state.
void add_cut(Attributes& state, const Checkpoint& checkpoint);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Runs in real time once more, from what their traces have recorded of the clock's decisions
// (engine/replay/replay.hpp).
#pragma once

#include "command/experiment.hpp"
#include "engine/replay/replay.hpp"
#include "trace/trace.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quantimed {

struct Resumption;
struct Setup;

// A trace, and what its run was made of.
class TraceReplay {
 public:
  // Reads the data. `threads`: workers; 0: all cores allowed. Throws InputError for a trace that cannot be replayed,
  // and where the data or the graph are not those that the run had.
  TraceReplay(std::string path, Trace trace, std::uint32_t threads);
  ~TraceReplay();

  // evaluations > 0: a curve with that many points, and one more at the end, is in curve().
  Replayed operator()(std::uint32_t evaluations, const ProgressReport& report);

  const Trace& trace() const { return trace_; }
  const Progress& curve() const { return curve_; }
  const Classes& classes() const { return classes_; }  // of the curve
  double seconds() const { return seconds_; }          // that it took, evaluation included
  double processor_s() const { return processor_s_; }  // the same, of processor time
  std::uint32_t workers() const { return workers_; }
  // What is here other than where the run was made, and may have changed its bits: a line each.
  std::vector<std::string> surroundings() const;

 private:
  std::string path_;
  Trace trace_;
  Config config_;
  std::shared_ptr<const DataSplit> data_;
  std::unique_ptr<Setup> setup_;
  std::uint32_t workers_;
  Progress curve_;
  Classes classes_;
  double seconds_ = 0, processor_s_ = 0;
};

// "bit-exact: …" or where and why it is not, in one or several lines.
std::string verdict_of(const TraceReplay& replay, const Replayed& replayed);

// Leaves the verdict beside the trace, in PATH.replay, for the report; with the trace's seal, so that it speaks of no
// other one. Nothing for a trace without a seal. Throws InputError where there is another's file of that name.
void keep_verdict(const std::string& path, const Replayed& replayed);

// Of a run that was killed: its checkpoint, curve and rounds up to where all nodes can be resumed, from its log. Throws
// InputError where the log does not give the bits that it names.
void resume_from_log(Resumption& resumption, const Run& run, Evaluator& evaluator, const ProgressReport& report);

}  // namespace quantimed

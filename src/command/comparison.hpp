// What a set of runs says about its algorithms, as text. compare.cpp plans and runs; here nothing runs and no file is
// read.
#pragma once

#include "trace/trace.hpp"

#include <string>
#include <vector>

namespace quantimed {

// A run's curve as one clock sees it. One for each clock that the run has.
struct ClockedCurve {
  std::string clock;             // "paper", "wire": the bits that a message is charged; "real", "machine": measured
  std::vector<double> time;      // s, of the curve's points
  std::vector<double> loss;      // at these times
  std::vector<double> accuracy;  // on held-out data; empty or NaN: none
};

// What the judgement needs of a run. The trace itself is on disk.
struct ComparedRun {
  std::string algorithm;
  std::string setting;  // which of the algorithm's step sizes ("to loss 2"); empty: it has one
  std::uint64_t seed = 1;
  std::uint32_t repeat = 0;
  RunStatus status = RunStatus::running;
  std::string verdict;               // "VALID" or "INVALID: why"
  std::vector<ClockedCurve> curves;  // one for each clock, all runs the same clocks in the same order
  Attributes config, summary;        // the trace's own
};

// A run as its trace has it: the clock of its own options.
ComparedRun compared_run(Trace&& trace, const std::string& setting, std::uint32_t repeat);

// The table and what it says. `algorithms`: in the order of the rows; `target_loss` 0: one is chosen.
std::string comparison_text(const std::vector<std::string>& algorithms, const std::vector<ComparedRun>& runs,
                            double target_loss);

}  // namespace quantimed

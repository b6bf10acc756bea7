// SPDX-License-Identifier: BSD-3-Clause
// What a set of runs says about its algorithms: tables, sentences and warnings. compare.cpp plans and runs; judge.cpp
// reads a document. Here nothing runs and no file is read.
//
//   comparison.cpp  runs → what src/statistics judges, and the rest of a row      comparison_table.cpp  as people read
//   it warnings.cpp    what keeps the runs from saying so                            comparison_json.cpp   as programs
//   do
#pragma once

#include "statistics/judgement.hpp"
#include "trace/trace.hpp"

#include <span>
#include <string>
#include <vector>

namespace quantimed {

// A run's curve as one clock sees it. One for each clock that the run has.
struct ClockedCurve {
  std::string clock;             // "paper", "wire": the bits that a message is charged; "real", "machine": measured
  std::vector<double> time;      // s, of the curve's points
  std::vector<double> loss;      // at these times
  std::vector<double> accuracy;  // on held-out data; empty or NaN: none
  std::vector<double> energy_j;  // since the start of the run, at these times; empty: not known
};

// What the judgement needs of a run. The trace itself is on disk.
struct ComparedRun {
  std::string algorithm;
  std::string setting;    // which of the algorithm's step sizes ("alpha 2.27"); empty: it has one
  double for_target = 0;  // these step sizes are meant for this target loss alone; 0: for all
  std::string label;      // what a row is called; empty: algorithm and setting
  std::uint64_t seed = 1;
  std::uint32_t repeat = 0;
  RunStatus status = RunStatus::running;
  std::string verdict;               // "VALID" or "INVALID: why"
  std::vector<ClockedCurve> curves;  // one for each clock
  Attributes config, summary;        // the trace's own
};

// A run as its trace has it, on the clocks that it has.
ComparedRun compared_run(Trace&& trace, const std::string& setting, std::uint32_t repeat);

// The other figures of a row, over the same pairs as its times. A run that does not count is the worst of all: loss ∞,
// accuracy −∞. What describes rather than judges (bits, waiting) is of the runs that count.
struct RowFigures {
  std::string algorithm, setting;
  Estimate final_loss, test_accuracy;                    // at the end of the clock that the runs' time was given by
  double paper_bits = kNoFigure, wire_bits = kNoFigure;  // a coordinate, of all that an iteration sends
  double vector_bits = kNoFigure;                        // on the wire, a coordinate of one of them
  double vectors = 1;                                    // that an iteration sends
  double bytes_sent = kNoFigure, wait_share = kNoFigure;
  std::vector<double> end_s;  // [clock], median
};

struct Comparison {
  std::string title;  // "" where there is one table
  Inquiry inquiry;
  Judgement judgement;
  std::vector<RowFigures> rows;  // [entry]
  // [target][entry of its race], J that a run had taken when it arrived; empty where a run does not tell. In real time,
  // where there is one clock.
  std::vector<std::vector<Estimate>> energy_to_target;
  std::size_t main_clock = 0;       // the one that the runs' time was given by (--bits)
  std::vector<double> equal_until;  // [clock], s: where curves are cut, since the first ends there; infinity: nowhere
  std::vector<std::string> warnings;
};

inline constexpr double kSameEnd = 0.9;  // of the longest run's end: runs are as long as each other

// The row that speed-ups are over, where there is one row of it.
inline constexpr const char* kBaseline = "dsgd";

// One table: rows in the order of `algorithms`, others behind; or two where runs have step sizes of a target: the best
// for each target, and one setting for all. `targets` empty: they are shares of the fall. Only clocks that all runs
// have are judged.
std::vector<Comparison> judge_runs(const std::vector<std::string>& algorithms, const std::vector<ComparedRun>& runs,
                                   const std::vector<double>& targets, const std::string& baseline = kBaseline);

// What differs between the rows beside their own step sizes, and what else makes a figure mislead. One line each.
std::vector<std::string> warnings(const Comparison& comparison, std::span<const ComparedRun* const> runs);

// Where steps for one target were slower to it than those for all, by the clock that the runs have their time by.
std::vector<std::string> warnings_of_choice(const Comparison& for_each, const Comparison& for_all);

// What an algorithm's entries are called where that is one name without its steps, else the algorithm's.
std::string common_name(const Comparison& comparison, const std::string& algorithm);
// Of a comparison that has a baseline.
std::string baseline_name(const Comparison& comparison);

// The answer first, then the tables, then the warnings.
std::string comparison_text(const std::vector<Comparison>& comparisons);

// One JSON document; README of analysis/ has its fields. Never is "inf", no figure null.
std::string comparison_json(const std::vector<Comparison>& comparisons);

// How that begins, and no document of others.
std::string comparison_json_mark();

// Answers a document of runs, samples and families with one of the same form. Throws InputError that says where.
std::string answer_json(const std::string& document);

}  // namespace quantimed

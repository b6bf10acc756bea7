// SPDX-License-Identifier: BSD-3-Clause
// What `quantimed theory` found, as files and as a table.
#pragma once

#include "command/setup.hpp"
#include "theory/finding.hpp"
#include "theory/fit.hpp"
#include "theory/measurement.hpp"

#include <memory>
#include <string>
#include <vector>

namespace quantimed {

// One value on the axis: a horizon, a deadline or a graph.
struct TheoryPoint {
  std::string label;
  Config config;
  double x = 0;  // T, max(E[1/V]/T_d, 1/m) or 1 − β
  std::shared_ptr<const Setup> setup{};
  Reference reference{};
  double seconds_a_sample = 0;  // E[1/V]
  double noise_share = 0;       // max(E[1/V]/T_d, 1/m)
};

struct TheoryRun {
  std::uint64_t seed = 0;
  std::vector<CurvePoint> curve{};  // empty: not run
  double mean_batch = 0;
  Seconds end_time_s = 0;
  std::string invalid{};  // why it does not count; empty: it does
};

struct TheoryResults {
  Axis axis = Axis::horizon;
  StepSchedule schedule{};
  Smoothness smoothness{};
  std::vector<Constant> constants{};
  std::vector<std::vector<TheoryRun>> runs{};  // [points][seeds]
  bool is_complete = true;
};

// μ, K, γ², D², σ², β, E[1/V] and so on, each with its formula.
std::vector<Constant> theory_constants(const std::vector<TheoryPoint>& points, std::uint64_t seed,
                                       const Smoothness& smoothness);

// --quantities, or what there is a promise of; those that this problem has. Throws InputError.
std::vector<Quantity> theory_quantities(const Config& given, const TheoryResults& results, bool has_solution);

// Writes into the folder, all as CSV with a header: measurements (a line a run), curves (a line a point of a run's
// curve), fits (a line a quantity), constants; and table.md. Returns the table.
std::string write_theory(const std::string& folder, const Config& given, const std::vector<TheoryPoint>& points,
                         const TheoryResults& results);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Measures what the steps of a node cost on this machine, with the runtime itself: short real runs, timed phase by
// phase, and for what they do not show apart (gradients of other batches, further neighbours, latency) loops over the
// same code on the same pinned cores.
#pragma once

#include "engine/engine.hpp"
#include "machine/placement.hpp"
#include "timing/machine_costs.hpp"

#include <functional>

namespace quantimed {

// Told how far the calibration is, 0 … 1; false ends it.
using CalibrationProgress = std::function<bool(double)>;

struct Calibration {
  MachineCosts costs;
  std::string invalid;  // why the figures should not be trusted; empty: nothing was wrong
  bool interrupted = false;
};

// `fixed`: a run with fixed batches and the code whose costs are wanted; `until_deadline`: one with a deadline. Both
// threads runs of at least two nodes, one a core, without speed and link models.
Calibration calibrate(const Run& fixed, const Run& until_deadline, const CalibrationProgress& progress);

}  // namespace quantimed

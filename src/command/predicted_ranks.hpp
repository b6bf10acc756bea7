// SPDX-License-Identifier: BSD-3-Clause
// --ranks and --hosts: what a run over MPI would take on a machine that was calibrated over ranks.
#pragma once

#include "config/config.hpp"
#include "engine/engine.hpp"
#include "timing/machine_file.hpp"

#include <optional>
#include <string>

namespace quantimed {

// Contradictions of a resolved run. Throws InputError.
void require_predictable_ranks(const Config& config, const AlgorithmRow& row);
// … of what predict was given: what it measures is one process, and the ranks are those of --cores. Throws InputError.
void require_ranks_of_predict(const Config& given, const std::string& machine);
// Nothing without --ranks. Throws InputError where the file has not the links that are needed.
std::optional<PredictedRanks> predicted_ranks(const Config& resolved, const std::optional<MachineFile>& machine);

}  // namespace quantimed

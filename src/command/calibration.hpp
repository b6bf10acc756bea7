// SPDX-License-Identifier: BSD-3-Clause
// Calibrating from a Config: shared by `calibrate` and `predict`.
#pragma once

#include "config/config.hpp"
#include "dataset/dataset.hpp"
#include "timing/machine_file.hpp"

#include <functional>
#include <optional>

namespace quantimed {

// What this machine's cores cost for the data, model, batch and codes (exact, and --codec) of this Config, all cores of
// `config.nodes` at work. Nothing when `progress` (0 … 1) says to stop. Throws InputError where there are not two
// cores.
std::optional<MachineFile> calibrate_machine(const Config& config, const DataSplit& data,
                                             const std::function<bool(double)>& progress);

// Adds to that file what messages cost between the ranks that were started, and why that should not be trusted. False
// where it was interrupted.
bool calibrate_links(const Config& config, const DataSplit& data, const std::function<bool(double)>& progress,
                     MachineFile& file);

}  // namespace quantimed

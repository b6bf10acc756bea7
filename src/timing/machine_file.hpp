// SPDX-License-Identifier: BSD-3-Clause
// A machine's costs as a file, so that runs can be predicted where, and when, the machine is not there.
#pragma once

#include "timing/machine_costs.hpp"
#include "timing/rank_links.hpp"

#include <map>
#include <string>
#include <string_view>

namespace quantimed {

// An .ini: a [machine] section about what was measured, one section for each code, and where it was measured over ranks
// one for each kind of link between them. Times are in seconds.
struct MachineFile {
  std::string cpu, created, software, dataset, model;
  std::string invalid;               // why these figures should not be trusted; empty: nothing was wrong
  std::string placement, data;       // of the nodes; a fingerprint; "" in a file of a version that did not record them
  std::string augment = "none";      // --augment
  std::string precision = "single";  // --precision
  std::uint32_t batch = 0;           // the largest gradient that was measured; 0 as above
  std::uint32_t cores = 0;           // at work while it was measured
  std::size_t dimension = 0;         // p of the model
  double flops_per_sample = 0;       // of its gradient
  std::map<std::string, MachineCosts> codes;  // by name: "exact", "low-precision:0.001"
  RankLinks links = {};                       // between ranks, where several were started

  // Throws InputError, which names --machine, where this code was not measured.
  const MachineCosts& costs(std::string_view code) const;
};

// Whole or not at all. Throws InputError that names --output.
void write_machine_file(const std::string& path, const MachineFile& machine);

// Throws InputError that names --machine: absent, larger than 1 MiB, not such a file, a figure missing or not a time.
MachineFile read_machine_file(const std::string& path);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What this machine is, and what about it spoils timings. For /environment of a trace and `quantimed info`.
#pragma once

#include "machine/core_rule.hpp"
#include "trace/trace.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quantimed {

// Figures that cannot be read are 0, empty or absent. No host name: traces are made to be shared.
struct Machine {
  std::string cpu;                   // model
  std::string kernel;                // system, release, architecture
  std::string allowed;               // processing units of the affinity mask: "0-3,8"
  int units = 0;                     // how many
  CoreRule rule;                     // why so many
  int cores = 0;                     // physical cores that the mask touches; SMT siblings count once
  int packages = 0, numa_nodes = 0;  // of the machine
  std::int64_t l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;  // one cache each
  std::int64_t memory_bytes = 0;
  std::string clock_source;  // "tsc"
  double clock_cost_ns = 0;  // of reading the steady clock, median
  std::string governor;      // of the allowed units' frequencies; several are joined by ", "
  bool smt = false;          // on in the machine
  bool virtualised = false;
  double load = 0;                          // running tasks, mean of the last minute
  std::optional<double> cpu_quota;          // cores' worth of time that the control group grants
  std::vector<std::string> ignored;         // variables that were set and mean nothing here: "OMP_PLACES=cores"
  std::vector<std::string> blas_variables;  // set for OpenBLAS, which heeds them
  Attributes slurm;  // job, nodes, CPUs a task, array task, how often it was requeued: those that are set
};

// `root` stands before /proc and /sys: tests give a made-up tree.
Machine inspect_machine(const std::string& root = "");

// As a trace keeps it, with compiler and flags of this program. `blas`, `configuration`: what the BLAS library says of
// itself and of its build.
Attributes environment(const Machine& machine, const std::string& blas, const std::string& configuration = "");

// What is wrong with this machine for timing: one sentence each, with the fix. Empty: nothing. `slow_kernels`: what the
// BLAS library's are (blas::slow_kernels).
std::vector<std::string> concerns(const Machine& machine, const std::string& slow_kernels = "");

}  // namespace quantimed

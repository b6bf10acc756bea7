// SPDX-License-Identifier: BSD-3-Clause
// Why this process may use as many cores as it may: what decided, for people who wonder where the others are.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace quantimed {

// Processing units, as far as the system tells.
struct CoreFacts {
  std::size_t machine = 0;                     // on line
  std::optional<std::size_t> group = {};       // the control group's cpuset; nothing: none is set, or it cannot be read
  std::size_t mask = 0;                        // the affinity mask, as the parent process gave it
  std::optional<std::size_t> slurm_task = {};  // SLURM_CPUS_PER_TASK
  std::optional<std::size_t> slurm_job = {};   // SLURM_CPUS_ON_NODE, of a job
  bool slurm_binds = false;                    // SLURM has bound this task (SLURM_CPU_BIND_TYPE)
  bool openmp_binds = false;                   // the environment asks OpenMP programs to bind their first thread
  bool smt = false;                            // units are not cores
};

// `root` stands before /proc and /sys. `mask`: units in the affinity mask.
CoreFacts core_facts(std::size_t mask, const std::string& root = "");

struct CoreRule {
  std::size_t usable = 0, present = 0;
  bool is_narrow = false;  // by the affinity mask, which may be a mistake: the other limits are somebody's decision
  std::string text;        // "1 of 8 cores: affinity mask of the parent process"
};

// The tightest limit. An affinity mask is kept, since it may be meant (taskset).
CoreRule core_rule(const CoreFacts& facts);

// Variables that the program has set aside before its libraries saw them ("OMP_PLACES=cores"), in their order.
std::vector<std::string> ignored_variables();
// Those that change what OpenBLAS computes with: they are left to the user.
std::vector<std::string> blas_variables();

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What the batch system and the control group grant of what the machine has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quantimed {

// A whole number above 0 in a variable of the environment.
std::optional<std::uint64_t> count_variable(const char* name);

// SLURM_CPUS_PER_TASK; no limit where it is not set (the affinity mask is one by itself).
std::size_t granted_cores();

// The least that a figure of the control groups, from this process's own up to the root, says; nothing where none
// does. `read` has a group's folder. Lines of /proc/self/cgroup: "ID:controllers:path", with no controllers in
// version 2. `root` stands before /proc and /sys.
std::optional<double> tightest_group(const std::string& root, const std::string& controller,
                                     std::optional<double> (*read)(const std::string& folder));

// The machine's memory, or less where the control group or SLURM grants less.
double usable_memory_bytes(const std::string& root = "");

// What this process has of it now; 0 where the system does not say.
double resident_memory_bytes();

// The most that this process has had of it so far; 0 where the system does not say.
std::int64_t peak_memory_bytes();

// As 1.2 MiB, 812 MiB or 24.0 GiB.
std::string size_text(double bytes);

// What else can be done about too little memory, in a SLURM job.
std::string_view more_memory();

}  // namespace quantimed

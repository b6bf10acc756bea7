// SPDX-License-Identifier: BSD-3-Clause
#include "machine/machine.hpp"

#include "base/build_info.hpp"
#include "base/instructions.hpp"
#include "machine/allocation.hpp"
#include "machine/hardware.hpp"
#include "machine/small_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace quantimed {

namespace {

// ---- small files of /proc and /sys ---------------------------------------------------------------

// The rest of the first line that starts with `key`, without blanks and colon: /proc/cpuinfo, /proc/meminfo.
std::string value_of(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key)) {
      const std::size_t start = line.find_first_not_of("\t :", key.size());
      return start == std::string::npos ? "" : line.substr(start);
    }
  return {};
}

bool has_word(const std::string& text, const std::string& word) {
  std::istringstream words(text);
  for (std::string each; words >> each;)
    if (each == word) return true;
  return false;
}

// ---- control groups ------------------------------------------------------------------------------

// Cores' worth of time in one group's own files, or nothing: "max" or −1 is no limit.
std::optional<double> quota_in(const std::string& folder) {
  std::istringstream unified(small_file(folder + "/cpu.max"));
  std::istringstream old(small_file(folder + "/cpu.cfs_quota_us") + " " + small_file(folder + "/cpu.cfs_period_us"));
  for (auto* line : {&unified, &old})
    if (double quota = 0, period = 0; *line >> quota >> period && quota > 0 && period > 0) return quota / period;
  return {};
}

// ---- topology ------------------------------------------------------------------------------------

int touched(hwloc_topology_t topology, hwloc_obj_type_t type, hwloc_const_bitmap_t mask) {
  int count = 0;
  for (hwloc_obj_t each = nullptr; (each = hwloc_get_next_obj_by_type(topology, type, each)) != nullptr;)
    count += hwloc_bitmap_intersects(each->cpuset, mask);
  return count;
}

std::int64_t cache_bytes(hwloc_topology_t topology, hwloc_obj_type_t level) {
  const hwloc_obj_t cache = hwloc_get_obj_by_type(topology, level, 0);
  return cache == nullptr ? 0 : static_cast<std::int64_t>(cache->attr->cache.size);
}

std::string governors(const std::string& root, hwloc_const_bitmap_t mask) {
  std::vector<std::string> found;
  for (int unit = hwloc_bitmap_first(mask); unit >= 0; unit = hwloc_bitmap_next(mask, unit)) {
    const std::string name =
        small_file(fmt::format("{}/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor", root, unit));
    if (!name.empty() && std::find(found.begin(), found.end(), name) == found.end()) found.push_back(name);
  }
  std::string joined;
  for (const std::string& name : found) joined += (joined.empty() ? "" : ", ") + name;
  return joined;
}

void inspect_processors(const std::string& root, Machine& machine) {
  const auto [topology, mask, granted, rule] = load_hardware();
  machine.rule = rule;
  machine.allowed = to_list(mask.get());
  machine.units = hwloc_bitmap_weight(mask.get());
  machine.cores = touched(topology.get(), HWLOC_OBJ_CORE, mask.get());
  if (machine.cores == 0) machine.cores = machine.units;  // some virtual machines do not say
  machine.packages = hwloc_get_nbobjs_by_type(topology.get(), HWLOC_OBJ_PACKAGE);
  machine.numa_nodes = hwloc_get_nbobjs_by_type(topology.get(), HWLOC_OBJ_NUMANODE);
  machine.l1d_bytes = cache_bytes(topology.get(), HWLOC_OBJ_L1CACHE);
  machine.l2_bytes = cache_bytes(topology.get(), HWLOC_OBJ_L2CACHE);
  machine.l3_bytes = cache_bytes(topology.get(), HWLOC_OBJ_L3CACHE);
  machine.governor = governors(root, mask.get());
}

// ---- clock, system, SLURM ------------------------------------------------------------------------

double clock_cost_ns() {
  constexpr int kReads = 64;
  std::array<double, 101> samples{};
  for (double& sample : samples) {
    const auto start = std::chrono::steady_clock::now();
    auto end = start;
    for (int k = 0; k < kReads; ++k) end = std::chrono::steady_clock::now();
    sample = std::chrono::duration<double, std::nano>(end - start).count() / kReads;
  }
  std::nth_element(samples.begin(), samples.begin() + samples.size() / 2, samples.end());
  return samples[samples.size() / 2];
}

std::string kernel() {
  utsname names{};
  return ::uname(&names) == 0 ? fmt::format("{} {} {}", names.sysname, names.release, names.machine) : "";
}

Attributes slurm() {
  constexpr std::pair<const char*, const char*> kVariables[] = {{"slurm_job", "SLURM_JOB_ID"},
                                                                {"slurm_nodes", "SLURM_JOB_NODELIST"},
                                                                {"slurm_node", "SLURMD_NODENAME"},
                                                                {"slurm_task", "SLURM_PROCID"},
                                                                {"slurm_restarts", "SLURM_RESTART_COUNT"},
                                                                {"slurm_array_job", "SLURM_ARRAY_JOB_ID"},
                                                                {"slurm_cpus_per_task", "SLURM_CPUS_PER_TASK"},
                                                                {"slurm_array_task", "SLURM_ARRAY_TASK_ID"}};
  Attributes found;
  for (const auto& [name, variable] : kVariables)
    if (const char* value = std::getenv(variable)) found.emplace_back(name, std::string(value));
  return found;
}

}  // namespace

Machine inspect_machine(const std::string& root) {
  Machine machine;
  inspect_processors(root, machine);
  machine.cpu = value_of(root + "/proc/cpuinfo", "model name");
  machine.virtualised = has_word(value_of(root + "/proc/cpuinfo", "flags"), "hypervisor");
  machine.kernel = kernel();
  machine.memory_bytes = 1024 * std::strtoll(value_of(root + "/proc/meminfo", "MemTotal").c_str(), nullptr, 10);
  machine.load = std::strtod(small_file(root + "/proc/loadavg").c_str(), nullptr);
  machine.clock_source = small_file(root + "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  machine.clock_cost_ns = clock_cost_ns();
  machine.smt = small_file(root + "/sys/devices/system/cpu/smt/active") == "1";
  machine.cpu_quota = tightest_group(root, "cpu", quota_in);
  machine.ignored = ignored_variables();
  machine.blas_variables = blas_variables();
  machine.slurm = slurm();
  return machine;
}

Attributes environment(const Machine& machine, const std::string& blas, const std::string& configuration) {
  Attributes attributes = {
      {"cpu", machine.cpu},
      {"kernel", machine.kernel},
      {"affinity", machine.allowed},
      {"processing_units", std::int64_t{machine.units}},
      {"cores", std::int64_t{machine.cores}},
      {"cores_rule", machine.rule.text},
      {"ignored_variables", fmt::format("{}", fmt::join(machine.ignored, " "))},
      {"packages", std::int64_t{machine.packages}},
      {"numa_nodes", std::int64_t{machine.numa_nodes}},
      {"l1d_bytes", machine.l1d_bytes},
      {"l2_bytes", machine.l2_bytes},
      {"l3_bytes", machine.l3_bytes},
      {"memory_bytes", machine.memory_bytes},
      {"clock_source", machine.clock_source},
      {"clock_cost_ns", machine.clock_cost_ns},
      {"governor", machine.governor},
      {"smt", machine.smt},
      {"virtualised", machine.virtualised},
      {"load", machine.load},
      {"cpu_quota", machine.cpu_quota.value_or(kForever)},
      {"compiler", std::string(build::kCompiler)},
      {"flags", std::string(build::kFlags)},
      {"instructions", std::string(build::kInstructions)},
      {"instructions_in_use", to_string(instructions_in_use())},
      {"sanitizers", std::string(build::kSanitizers)},
      {"blas", blas},
      {"blas_configuration", configuration},
      {"blas_variables", fmt::format("{}", fmt::join(machine.blas_variables, " "))},
  };
  attributes.insert(attributes.end(), machine.slurm.begin(), machine.slurm.end());
  return attributes;
}

std::vector<std::string> concerns(const Machine& machine, const std::string& slow_kernels) {
  std::vector<std::string> found;
  // Half a core of other people's work is ordinary.
  if (machine.load > machine.cores + 0.5)
    found.push_back(
        fmt::format("The load is {:.1f} on {} cores: wait until the machine is idle.", machine.load, machine.cores));
  if (!machine.governor.empty() && machine.governor != "performance")
    found.push_back(fmt::format(
        "The frequency governor is {}: set performance (cpupower frequency-set -g performance).", machine.governor));
  if (machine.units > machine.cores)
    found.push_back(
        fmt::format("{} processing units share {} cores (SMT): allow one of each core (SLURM: "
                    "--hint=nomultithread).",
                    machine.units, machine.cores));
  if (machine.cpu_quota && *machine.cpu_quota < machine.units)
    found.push_back(
        fmt::format("The control group grants {:.2f} cores' time to {} processing units: raise the quota "
                    "or run on fewer.",
                    *machine.cpu_quota, machine.units));
  if (!machine.clock_source.empty() && machine.clock_source != "tsc")
    found.push_back(
        fmt::format("The clock source is {}, and reading it takes {:.0f} ns: use tsc (kernel option "
                    "clocksource=tsc).",
                    machine.clock_source, machine.clock_cost_ns));
  if (machine.rule.is_narrow)
    found.push_back(fmt::format("Only {}: if it was not meant, start the program without it.", machine.rule.text));
  for (const std::string& variable : machine.blas_variables)
    found.push_back(
        fmt::format("{} is set: OpenBLAS computes as it says and not as this processor would; unset it, or compare "
                    "only with machines where it is set, too.",
                    variable));
  if (!slow_kernels.empty()) found.push_back(slow_kernels);
  if (instructions_in_use() != possible_instructions().back())
    found.push_back(
        fmt::format("QUANTIMED_INSTRUCTIONS={} is set, and this processor can do more: unset it, or compare only with "
                    "machines where it is set, too.",
                    to_string(instructions_in_use())));
  if (machine.virtualised)
    found.emplace_back("This is a virtual machine, whose cores may be taken away at any time: time on a real one.");
  return found;
}

}  // namespace quantimed

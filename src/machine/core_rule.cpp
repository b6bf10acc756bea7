// SPDX-License-Identifier: BSD-3-Clause
#include "machine/core_rule.hpp"

#include "machine/allocation.hpp"
#include "start/variables.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string_view>

namespace quantimed {

namespace {

// "0-3,8": how many; nothing where it is no such list.
std::optional<std::size_t> count_of(std::string_view list) {
  std::size_t count = 0;
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), item.size() + 1));
    const std::size_t dash = std::min(item.find('-'), item.size());
    std::size_t first = 0, last = 0;
    const auto number = [](std::string_view text, std::size_t& value) {
      const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
      return failure == std::errc{} && end == text.data() + text.size();
    };
    if (!number(item.substr(0, dash), first)) return {};
    last = first;
    if (dash < item.size() && (!number(item.substr(dash + 1), last) || last < first)) return {};
    count += last - first + 1;
  }
  if (count == 0) return {};
  return count;
}

std::optional<std::size_t> count_in_file(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return {};
  return count_of(line);
}

// Version 2's file; version 1's, where `cpuset.cpus` alone is what was asked for.
std::optional<double> cpuset_in(const std::string& folder) {
  for (const char* name : {"/cpuset.cpus.effective", "/cpuset.effective_cpus", "/cpuset.cpus"})
    if (const auto count = count_in_file(folder + name)) return static_cast<double>(*count);
  return {};
}

std::vector<std::string> variables_starting_with(std::string_view start, std::size_t dropped) {
  std::vector<std::string> found;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each)
    if (std::string_view(*each).starts_with(start)) found.emplace_back(*each + dropped);
  return found;
}

bool asks_to_bind(const std::string& variable) {
  for (const char* name : {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY"})
    if (variable.starts_with(name)) return true;
  return false;
}

}  // namespace

CoreFacts core_facts(std::size_t mask, const std::string& root) {
  CoreFacts facts{.mask = mask, .slurm_task = count_variable("SLURM_CPUS_PER_TASK")};
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  facts.machine = count_in_file(root + "/sys/devices/system/cpu/online")
                      .value_or(root.empty() && online > 0 ? static_cast<std::size_t>(online) : mask);
  if (const auto group = tightest_group(root, "cpuset", cpuset_in)) facts.group = static_cast<std::size_t>(*group);
  if (std::getenv("SLURM_JOB_ID") != nullptr) {
    facts.slurm_job = count_variable("SLURM_CPUS_ON_NODE");
    const char* binding = std::getenv("SLURM_CPU_BIND_TYPE");
    facts.slurm_binds = binding != nullptr && *binding != '\0' && std::string_view(binding) != "none";
  }
  for (const std::string& variable : ignored_variables()) facts.openmp_binds |= asks_to_bind(variable);
  std::ifstream smt(root + "/sys/devices/system/cpu/smt/active");
  facts.smt = smt.get() == '1';
  return facts;
}

CoreRule core_rule(const CoreFacts& facts) {
  const char* const unit = facts.smt ? "processing units" : "cores";
  const std::size_t usable = std::min(facts.mask, facts.slurm_task.value_or(facts.mask));
  const auto rule = [&](std::size_t present, bool is_narrow, std::string_view why) {
    return CoreRule{usable, present, is_narrow, fmt::format("{} of {} {}: {}", usable, present, unit, why)};
  };
  if (usable >= facts.machine) return {usable, usable, false, fmt::format("all {} {} of the machine", usable, unit)};
  if (usable < facts.mask) return rule(facts.machine, false, "SLURM_CPUS_PER_TASK");
  const std::size_t granted = std::min(facts.machine, facts.group.value_or(facts.machine));
  if (usable >= granted) return rule(facts.machine, false, "the control group's cpuset");
  if (facts.slurm_binds)
    return rule(facts.slurm_job.value_or(granted), true,
                "SLURM's binding of this task (srun --cpus-per-task widens it)");
  return rule(granted, true,
              facts.openmp_binds ? "affinity mask of the parent process (which OMP_PROC_BIND may have bound)"
                                 : "affinity mask of the parent process");
}

std::vector<std::string> ignored_variables() {
  const std::string_view kept_as = start::kKeptAs;
  return variables_starting_with(kept_as, kept_as.size());
}

std::vector<std::string> blas_variables() {
  std::vector<std::string> found;
  for (const char* name : {"OPENBLAS_CORETYPE=", "OPENBLAS_L2_SIZE=", "OPENBLAS_BLOCK_FACTOR="})
    for (std::string& each : variables_starting_with(name, 0)) found.push_back(std::move(each));
  return found;
}

}  // namespace quantimed

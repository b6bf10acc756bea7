// SPDX-License-Identifier: BSD-3-Clause
#include "machine/allocation.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string_view>

namespace quantimed {

namespace {

// A whole number above 0; SLURM writes 0 where it grants all.
std::optional<std::uint64_t> count_in(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value == 0) return {};
  return value;
}

// memory.max of version 2 ("max": no limit), memory.limit_in_bytes of version 1.
std::optional<double> memory_limit(const std::string& folder) {
  for (const char* name : {"/memory.max", "/memory.limit_in_bytes"}) {
    std::ifstream file(folder + name);
    std::string line;
    if (!std::getline(file, line)) continue;
    if (const auto bytes = count_in(line)) return static_cast<double>(*bytes);
  }
  return {};
}

}  // namespace

std::optional<std::uint64_t> count_variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::nullopt : count_in(text);
}

std::size_t granted_cores() {
  return count_variable("SLURM_CPUS_PER_TASK").value_or(std::numeric_limits<std::size_t>::max());
}

std::optional<double> tightest_group(const std::string& root, const std::string& controller,
                                     std::optional<double> (*read)(const std::string& folder)) {
  std::optional<double> tightest;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers.find(controller) == std::string::npos) continue;
    const std::string mount = root + "/sys/fs/cgroup" + (controllers.empty() ? "" : "/" + controllers);
    for (std::string group = line.substr(second + 1);; group.erase(group.rfind('/'))) {
      if (const auto limit = read(mount + group); limit && (!tightest || *limit < *tightest)) tightest = limit;
      if (group.find('/') == std::string::npos) break;
    }
  }
  return tightest;
}

double resident_memory_bytes() {
  std::ifstream pages("/proc/self/statm");
  double size = 0, resident = 0;
  return pages >> size >> resident ? resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) : 0;
}

double usable_memory_bytes(const std::string& root) {
  constexpr double kMiB = 1 << 20;
  double least = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  if (const auto limit = tightest_group(root, "memory", memory_limit)) least = std::min(least, *limit);
  if (const auto mib = count_variable("SLURM_MEM_PER_NODE")) least = std::min(least, static_cast<double>(*mib) * kMiB);
  const auto mib_each = count_variable("SLURM_MEM_PER_CPU"), cpus = count_variable("SLURM_CPUS_ON_NODE");
  if (mib_each && cpus) least = std::min(least, static_cast<double>(*mib_each) * static_cast<double>(*cpus) * kMiB);
  return least;
}

std::int64_t peak_memory_bytes() {  // not getrusage: what it says is kept across exec, and may be the shell's
  std::ifstream status("/proc/self/status");
  std::int64_t kib = 0;
  for (std::string word; status >> word;)
    if (word == "VmHWM:" && status >> kib) break;
  return kib * 1024;
}

std::string size_text(double bytes) {
  if (bytes >= 10 * 0x1p30) return fmt::format("{:.1f} GiB", bytes / 0x1p30);
  return fmt::format("{:.{}f} MiB", bytes / 0x1p20, bytes < 10 * 0x1p20 ? 1 : 0);
}

std::string_view more_memory() { return std::getenv("SLURM_JOB_ID") != nullptr ? ", or give the job more --mem" : ""; }

}  // namespace quantimed

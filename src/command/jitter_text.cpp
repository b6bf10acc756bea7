// SPDX-License-Identifier: BSD-3-Clause
#include "command/jitter_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace quantimed {

namespace {

constexpr const char* kDecades[] = {"1-10 us", "10-100 us", "0.1-1 ms", "> 1 ms"};

constexpr const char* kLegend =
    "\n  detours/s     gaps above 1 us between two readings of the clock: interrupts, other programs, a hypervisor\n"
    "  median us     half of the detours are no longer than this\n"
    "  99 % us       99 in 100 are no longer than this\n"
    "  longest us    the worst one: a message or a deadline can be late by as much\n"
    "  time lost     the share of the time that went into detours\n"
    "  1-10 us ...   how many detours were that long\n"
    "  median ms     the usual time of the same arithmetic again and again, about 1 ms of it; cores should agree\n"
    "  99 % ms       99 in 100 repeats took no longer than this\n"
    "  worst/median  the slowest repeat over the usual one: 1 on a quiet core\n";

std::string detour_table(std::span<const CoreJitter> cores) {
  std::string out = fmt::format("  {:>6}{:>12}{:>12}{:>12}{:>12}{:>12}", "core", "detours/s", "median us", "99 % us",
                                "longest us", "time lost");
  for (const char* decade : kDecades) out += fmt::format("{:>11}", decade);
  for (const CoreJitter& core : cores) {
    const Detours& d = core.detours;
    out += fmt::format("\n  {:>6}{:>12.1f}{:>12.1f}{:>12.1f}{:>12.1f}{:>10.3f} %", core.unit, d.per_s, d.median_us,
                       d.p99_us, d.longest_us, 100 * d.lost_share);
    for (const std::uint64_t count : d.decades) out += fmt::format("{:>11}", count);
  }
  return out + '\n';
}

// All cores together. A bar grows by the same length for each factor of ten: rare long detours matter too.
std::string histogram(std::span<const CoreJitter> cores) {
  constexpr double kPerDecade = 8;
  std::string out = "\n  all detours by length (bars are logarithmic)\n";
  for (std::size_t k = 0; k < std::size(kDecades); ++k) {
    std::uint64_t count = 0;
    for (const CoreJitter& core : cores) count += core.detours.decades[k];
    const auto length = static_cast<std::size_t>(std::lround(kPerDecade * std::log10(static_cast<double>(count) + 1)));
    out += fmt::format("  {:>10}{:>10}{}{}\n", kDecades[k], count, length > 0 ? "  " : "", std::string(length, '#'));
  }
  return out;
}

std::string quanta_table(std::span<const CoreJitter> cores) {
  std::string out = fmt::format("\n  {:>6}{:>12}{:>12}{:>14}\n", "core", "median ms", "99 % ms", "worst/median");
  for (const CoreJitter& core : cores)
    out += fmt::format("  {:>6}{:>12.4f}{:>12.4f}{:>14.2f}\n", core.unit, core.quanta.median_ms, core.quanta.p99_ms,
                       core.quanta.worst_over_median);
  return out;
}

}  // namespace

std::string jitter_text(std::span<const CoreJitter> cores, double clock_cost_ns) {
  std::string out =
      fmt::format("natural jitter of {} cores, measured on all at once, {:g} s the clock and {:g} s work\n",
                  cores.size(), kJitter_s, kJitter_s);
  if (clock_cost_ns > 1e3 * kDetour_us)
    out +=
        fmt::format("  reading the clock takes {:.0f} ns, longer than a detour: the first table is the clock's own\n",
                    clock_cost_ns);
  return out + detour_table(cores) + histogram(cores) + quanta_table(cores) + kLegend;
}

}  // namespace quantimed

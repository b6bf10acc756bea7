// SPDX-License-Identifier: BSD-3-Clause
// How much of each core's time goes to others while a program wants all of it: what a timing on this machine may blame
// on the machine. Two measures: detours (a thread reads the clock without pause; a gap between two reads is time that
// it did not have) and a fixed quantum of work, repeated (what such gaps, clock rate and shared units cost real work).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace quantimed {

inline constexpr double kDetour_us = 1;  // gaps longer than this are detours

struct Detours {
  double per_s = 0;
  double median_us = 0, p99_us = 0, longest_us = 0;  // 0: there were none
  double lost_share = 0;                             // of the observed time
  std::array<std::uint64_t, 4> decades{};            // how many of 1–10 µs, 10–100 µs, 100 µs–1 ms, above
};

// From the gaps above kDetour_us that were seen in `observed_s` > 0.
Detours summarise_detours(std::span<const float> gaps_us, double observed_s);

struct Quanta {
  double median_ms = 0, p99_ms = 0, worst_over_median = 0;
};

// From the times of at least one quantum.
Quanta summarise_quanta(std::span<const float> times_ms);

struct CoreJitter {
  int unit;  // processing unit, operating-system number
  Detours detours;
  Quanta quanta;
};

inline constexpr double kJitter_s = 2;  // how long each of the two measures takes

// Measures these processing units all at once, by one pinned thread each. `progress` is told how far it is, 0 … 1, and
// costs a detour now and then; empty: nobody is told. Throws InputError where a unit is refused.
std::vector<CoreJitter> measure_jitter(std::span<const int> units, const std::function<void(double)>& progress);

}  // namespace quantimed

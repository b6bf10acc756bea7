// SPDX-License-Identifier: BSD-3-Clause
// Timing in alternation: what is compared is measured in the same seconds, and quoted as a ratio.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

namespace quantimed::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_of(const std::function<void()>& work, int repeats = 1) {
  const auto start = Clock::now();
  for (int k = 0; k < repeats; ++k) work();
  return std::chrono::duration<double>(Clock::now() - start).count() / repeats;
}

inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// A measured quantity against its limit, pass by pass.
struct Ratio {
  double time, limit;         // medians, s
  double ratio, least, most;  // time / limit: median and range over passes
};

// One pass measures the limit and then the kernel; the first pass warms up and is not counted.
inline Ratio alternate(const std::function<double()>& limit, const std::function<double()>& kernel, int passes = 15) {
  std::vector<double> times, limits, ratios;
  for (int pass = -1; pass < passes; ++pass) {
    const double l = limit(), t = kernel();
    if (pass < 0) continue;
    limits.push_back(l);
    times.push_back(t);
    ratios.push_back(t / l);
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  return {median(times), median(limits), median(ratios), *least, *most};
}

}  // namespace quantimed::bench

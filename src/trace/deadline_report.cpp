// SPDX-License-Identifier: BSD-3-Clause
#include "trace/trace.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace quantimed {

namespace {

// Upper bounds of |overshoot| in s; the last bin has none.
constexpr double kBounds[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, kForever};
constexpr const char* kBinNames[] = {"< 1 us", "1 - 10 us", "10 - 100 us", "0.1 - 1 ms", "1 - 10 ms", "> 10 ms"};
constexpr std::size_t kBins = std::size(kBounds);
constexpr double kBarWidth = 40;

std::string bar(double share) { return std::string(static_cast<std::size_t>(std::ceil(share * kBarWidth)), '#'); }

}  // namespace

std::string deadline_report(const Rounds& rounds) {
  std::vector<double> overshoot, relative;
  for (std::size_t at = 0; at < rounds.deadline.size(); ++at)
    if (rounds.deadline[at] > 0) {  // false for NaN: did not run
      overshoot.push_back(static_cast<double>(rounds.overshoot[at]));
      relative.push_back(std::abs(overshoot.back()) / static_cast<double>(rounds.deadline[at]));
    }
  if (overshoot.empty()) return {};
  std::array<std::array<std::size_t, kBins>, 2> counts{};  // [late, bin]
  for (const double s : overshoot)
    ++counts[s > 0][static_cast<std::size_t>(std::upper_bound(kBounds, std::end(kBounds), std::abs(s)) - kBounds)];
  const auto count = static_cast<double>(overshoot.size());
  std::sort(overshoot.begin(), overshoot.end());
  const auto quantile = [&](double q) { return overshoot[static_cast<std::size_t>(q * (count - 1))] * 1e6; };
  std::string text = fmt::format(
      "  deadlines: {} gradients, {:.2f} % ended within 1 % of theirs; end of the last sample - deadline: median "
      "{:.1f} "
      "us, 99 % below {:.1f} us, last {:.1f} us\n",
      overshoot.size(),
      100 * static_cast<double>(std::count_if(relative.begin(), relative.end(), [](double r) { return r <= 0.01; })) /
          count,
      quantile(0.5), quantile(0.99), quantile(1));
  for (const bool is_late : {false, true})
    for (std::size_t k = 0; k < kBins; ++k) {
      const std::size_t bin = is_late ? k : kBins - 1 - k;  // from the earliest to the latest
      if (const std::size_t found = counts[is_late][bin]; found > 0)
        text += fmt::format("    {:<12} {:<6} {:>9}  {:6.2f} %  {}\n", kBinNames[bin], is_late ? "late" : "early",
                            found, 100 * static_cast<double>(found) / count, bar(static_cast<double>(found) / count));
    }
  return text;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/median.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <utility>

namespace quantimed {

namespace {

std::vector<double> sorted_figures(std::vector<double> values) {
  std::erase_if(values, [](double v) { return std::isnan(v); });
  std::sort(values.begin(), values.end());
  return values;
}

double middle(const std::vector<double>& sorted) {
  if (sorted.empty()) return kNoFigure;
  const double below = sorted[(sorted.size() - 1) / 2], above = sorted[sorted.size() / 2];
  return below == above ? below : (below + above) / 2;  // ∞ stays ∞
}

}  // namespace

double median(std::vector<double> values) { return middle(sorted_figures(std::move(values))); }

double coverage(std::size_t n, std::size_t k) {
  check(k >= 1 && 2 * k <= n + 1, "no such pair of order statistics");
  const boost::math::binomial below(static_cast<double>(n), 0.5);
  return 1 - 2 * boost::math::cdf(below, static_cast<double>(k - 1));
}

std::size_t interval_rank(std::size_t n) {
  if (n <= kMostForRange) return 0;
  std::size_t rank = 1;
  while (2 * (rank + 1) <= n + 1 && coverage(n, rank + 1) >= kLevel) ++rank;
  return rank;
}

Estimate estimate_median(std::span<const double> least, std::span<const double> most) {
  check(least.size() == most.size(), "bounds of different numbers of values");
  std::vector<double> lower, upper, known;
  for (std::size_t k = 0; k < least.size(); ++k) {
    if (std::isnan(least[k]) || std::isnan(most[k])) continue;
    lower.push_back(least[k]);
    upper.push_back(most[k]);
    if (least[k] == most[k]) known.push_back(least[k]);
  }
  if (lower.empty()) return {};
  std::sort(lower.begin(), lower.end());
  std::sort(upper.begin(), upper.end());
  const std::size_t n = lower.size(), rank = interval_rank(n);
  Estimate estimate{.median = 2 * known.size() >= n ? median(known) : kNoFigure, .count = n};
  estimate.spread = rank > 0 ? SpreadKind::interval : SpreadKind::range;
  estimate.coverage = rank > 0 ? coverage(n, rank) : 0;
  estimate.low = lower[rank > 0 ? rank - 1 : 0];
  estimate.high = upper[rank > 0 ? n - rank : n - 1];
  return estimate;
}

// cppcheck-suppress passedByValue
Estimate estimate_median(std::vector<double> values) { return estimate_median(values, values); }

}  // namespace quantimed

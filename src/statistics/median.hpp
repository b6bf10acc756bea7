// SPDX-License-Identifier: BSD-3-Clause
// The one median of the project, and what a few values say of it.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace quantimed {

inline constexpr double kNoFigure = std::numeric_limits<double>::quiet_NaN();

// Of an even number the mean of the middle two. ∞ (never) is the largest value, and the mean of a time and never is
// never. NaN (no figure) are left out; without any value NaN.
double median(std::vector<double> values);

// What [low, high] is. Up to kMostForRange values say too little for an interval: [least, most] of three covers the
// true median with 75 %, of five with 93.75 %. So it is called what it is, their range.
enum class SpreadKind { none, range, interval };
inline constexpr std::size_t kMostForRange = 5;
inline constexpr double kLevel = 0.95;

struct Estimate {
  double median = kNoFigure, low = kNoFigure, high = kNoFigure;
  SpreadKind spread = SpreadKind::none;
  double coverage = 0;    // of an interval: the probability that it holds the true median, at least kLevel
  std::size_t count = 0;  // values
};

// With the narrowest symmetric pair of order statistics that covers the median with kLevel or more. The coverage is
// exact for any continuous distribution, and the least possible where values tie, as misses at ∞ do (David, Nagaraja:
// Order Statistics, 2003, section 7.1). NaN are left out.
Estimate estimate_median(std::vector<double> values);

// Of values that are known within bounds only: value k lies in [least[k], most[k]]. The edges are those of the bounds,
// so they hold whatever the values are; the median is over the values known exactly, NaN where those are fewer than
// half.
Estimate estimate_median(std::span<const double> least, std::span<const double> most);

// Of n values the k-th from below and the k-th from above hold the median with this probability: 1 − 2 P(B(n, ½) < k).
double coverage(std::size_t n, std::size_t k);

// The largest such k with kLevel or more; 0: none (n ≤ kMostForRange).
std::size_t interval_rank(std::size_t n);

}  // namespace quantimed

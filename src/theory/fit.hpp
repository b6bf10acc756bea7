// SPDX-License-Identifier: BSD-3-Clause
// Power laws through measured points: y ≈ C x^exponent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quantimed {

// The range over which a slope is a slope, by rule: it ends at the last point and reaches back as far as a straight
// line will do. A parabola through log y over log x is fitted beside the line; the range is straight where the change
// of slope from its one end to the other has a 95 % interval that holds 0, or is below a tenth of the slope. No fewer
// than kLeastPoints points; where even those are bent, they are taken and `is_straight` is false.
//
// The 95 % interval is the wider of two: the bootstrap over seeds (2,000 resamples, the same seeds at every point),
// and Student's t from the points' distances from the line, which also sees what seeds cannot.
struct PowerFit {
  double exponent = 0, low = 0, high = 0;
  double log_constant = 0;  // log C
  std::size_t first = 0;    // the range: points first … last of all
  bool is_straight = true;
};
inline constexpr std::size_t kLeastPoints = 4;

// x: [points], ascending or descending towards the limit; y: [points][seeds], above 0, as many seeds at each point.
// Fitted is the logarithm of the mean over seeds.
PowerFit fit_power(std::span<const double> x, const std::vector<std::vector<double>>& y, std::uint64_t seed);

}  // namespace quantimed

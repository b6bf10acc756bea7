// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/arrival.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace quantimed {

namespace {

constexpr std::size_t kFirstResolved = 3;  // the first point whose segment counts as resolved

double middle_of(double a, double b, double c) { return std::max(std::min(a, b), std::min(std::max(a, b), c)); }

}  // namespace

std::vector<double> smoothed(std::span<const double> loss) {
  std::vector<double> raw(loss.begin(), loss.end());
  for (double& value : raw)
    if (!std::isfinite(value)) value = kNever;
  std::vector<double> smooth = raw;
  const std::size_t n = raw.size();
  for (std::size_t k = 1; k + 1 < n; ++k) smooth[k] = middle_of(raw[k - 1], raw[k], raw[k + 1]);
  if (n >= 3) {
    const double near = smooth[n - 2], far = smooth[n - 3];
    // Where the line has no figure, the end is what its neighbour was.
    const double line = std::isfinite(near) && std::isfinite(far) ? 3 * near - 2 * far : near;
    smooth[n - 1] = middle_of(raw[n - 1], near, line);
  }
  return smooth;
}

Arrival arrival(std::span<const double> time, std::span<const double> loss, double target) {
  check(time.size() == loss.size(), "a curve whose times are not its losses'");
  const std::vector<double> curve = smoothed(loss);
  std::size_t first = curve.size();  // of the points from which on all are at or below the target
  while (first > 0 && curve[first - 1] <= target) --first;
  if (first == curve.size()) return {};
  if (first == 0) return {time[0], time[0], time[0], true};
  const double above = curve[first - 1], below = curve[first];
  const double share = std::isfinite(above) ? (above - target) / (above - below) : 1;
  const double at = time[first - 1] + share * (time[first] - time[first - 1]);
  return {at, time[first - 1], time[first], first >= kFirstResolved};
}

double lowest_loss(std::span<const double> loss) {
  const std::vector<double> curve = smoothed(loss);
  return curve.empty() ? kNever : *std::min_element(curve.begin(), curve.end());
}

}  // namespace quantimed

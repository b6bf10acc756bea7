// SPDX-License-Identifier: BSD-3-Clause
#include "timing/machine_costs.hpp"

#include "base/error.hpp"

#include <algorithm>

namespace quantimed {

namespace {

// Linear between the points on both sides, or beyond the last two on one side.
Seconds between(const std::vector<std::pair<std::size_t, Seconds>>& points, std::size_t at) {
  const auto high = std::lower_bound(points.begin() + 1, points.end() - 1, at,
                                     [](const auto& point, std::size_t value) { return point.first < value; });
  const auto low = high - 1;
  const double share =
      (static_cast<double>(at) - static_cast<double>(low->first)) / static_cast<double>(high->first - low->first);
  return std::max(0.0, low->second + share * (high->second - low->second));
}

}  // namespace

Seconds MachineCosts::gradient_time(std::size_t batch) const {
  check(!gradient.empty(), "a machine without gradients");
  const auto& [least, time] = gradient.front();
  if (gradient.size() == 1 || batch < least) return time * static_cast<double>(batch) / static_cast<double>(least);
  return between(gradient, batch);
}

Seconds MachineCosts::mix_time(std::size_t neighbours) const {
  check(!mix.empty(), "a machine without updates");
  return mix.size() == 1 ? mix.front().second : between(mix, neighbours);
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "timing/rank_links.hpp"

#include "base/error.hpp"

#include <algorithm>

namespace quantimed {

namespace {

Seconds time_at(const LinkCosts::Points& points, double bytes) {
  check(!points.empty(), "a link without a measurement");
  if (points.size() == 1 || bytes <= static_cast<double>(points.front().first)) return points.front().second;
  const auto above = std::find_if(points.begin() + 1, points.end() - 1,
                                  [&](const auto& point) { return static_cast<double>(point.first) >= bytes; });
  const auto& [low, time] = *(above - 1);
  const double share = (bytes - static_cast<double>(low)) / static_cast<double>(above->first - low);
  return std::max(0.0, time + share * (above->second - time));
}

}  // namespace

Seconds LinkCosts::gap_time(double bytes) const { return time_at(gap, bytes); }

Seconds LinkCosts::one_way_time(double bytes) const { return std::max(time_at(one_way, bytes), gap_time(bytes)); }

}  // namespace quantimed

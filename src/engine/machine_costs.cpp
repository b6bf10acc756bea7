#include "engine/machine_costs.hpp"

#include "base/error.hpp"

#include <algorithm>

namespace quantimed {

namespace {

Seconds between(const std::vector<std::pair<std::size_t, Seconds>>& points, std::size_t at) {
  check(!points.empty(), "a cost without a point");
  if (points.size() == 1 || at < points.front().first)
    return points.front().second * static_cast<double>(at) /
           static_cast<double>(std::max<std::size_t>(1, points.front().first));
  auto high = std::lower_bound(points.begin() + 1, points.end() - 1, at,
                               [](const auto& point, std::size_t value) { return point.first < value; });
  const auto low = high - 1;
  const double share =
      (static_cast<double>(at) - static_cast<double>(low->first)) / static_cast<double>(high->first - low->first);
  return low->second + share * (high->second - low->second);
}

}  // namespace

Seconds MachineCosts::gradient_time(std::size_t batch) const { return between(gradient, batch); }
Seconds MachineCosts::mix_time(std::size_t neighbours) const { return between(mix, neighbours); }

}  // namespace quantimed

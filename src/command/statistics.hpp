// Order statistics of a few repeats.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace quantimed {

struct Spread {
  double median = std::numeric_limits<double>::quiet_NaN(), min = median, max = median;
};

// ∞ counts as the largest value (a target that was missed). NaN entries are left out.
inline Spread spread(std::vector<double> values) {
  std::erase_if(values, [](double v) { return std::isnan(v); });
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  const double low = values[(n - 1) / 2], high = values[n / 2];
  return {low == high ? low : (low + high) / 2, values.front(), values.back()};
}

}  // namespace quantimed

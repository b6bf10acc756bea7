// SPDX-License-Identifier: BSD-3-Clause
#include "theory/fit.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <boost/math/distributions/students_t.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quantimed {

namespace {

constexpr int kResamples = 2000;
constexpr double kStraight = 0.1;  // change of slope, of the slope

using Points = std::vector<double>;

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

struct Line {
  double slope, intercept;
};
Line fit_line(std::span<const double> x, std::span<const double> y) {
  const double centre = mean(x), level = mean(y);
  double xy = 0, xx = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    xy += (x[k] - centre) * (y[k] - level);
    xx += (x[k] - centre) * (x[k] - centre);
  }
  return {xy / xx, level - xy / xx * centre};
}

// The slope's change from one end of x to the other, of the parabola through the points.
double change_of_slope(std::span<const double> x, std::span<const double> y) {
  // What a line leaves of x² explains what a line leaves of y.
  Points squares(x.size()), rest(x.size());
  const double centre = mean(x);
  for (std::size_t k = 0; k < x.size(); ++k) squares[k] = (x[k] - centre) * (x[k] - centre);
  const Line of_squares = fit_line(x, squares), of_y = fit_line(x, y);
  double top = 0, bottom = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    rest[k] = squares[k] - of_squares.intercept - of_squares.slope * x[k];
    top += rest[k] * (y[k] - of_y.intercept - of_y.slope * x[k]);
    bottom += rest[k] * rest[k];
  }
  return 2 * top / bottom * (x.back() - x.front());
}

struct Interval {
  double low, high;
};
// 95 % of the values lie inside.
Interval middle(Points values) {
  std::ranges::sort(values);
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  return {at(0.025), at(0.975)};
}

// log of the mean over the chosen seeds, at each point.
Points log_means(const std::vector<std::vector<double>>& y, std::span<const std::uint32_t> seeds) {
  Points result;
  for (const auto& values : y) {
    double sum = 0;
    for (const std::uint32_t seed : seeds) sum += values[seed];
    result.push_back(std::log(sum / static_cast<double>(seeds.size())));
  }
  return result;
}

// Half the width of Student's 95 % interval of the slope.
double half_width(std::span<const double> x, std::span<const double> y, const Line& line) {
  const double centre = mean(x);
  double xx = 0, left = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double d = y[k] - line.intercept - line.slope * x[k];
    xx += (x[k] - centre) * (x[k] - centre);
    left += d * d;
  }
  const double freedom = static_cast<double>(x.size()) - 2;
  const boost::math::students_t_distribution<> t(freedom);
  return boost::math::quantile(t, 0.975) * std::sqrt(left / freedom / xx);
}

}  // namespace

PowerFit fit_power(std::span<const double> x, const std::vector<std::vector<double>>& y, std::uint64_t seed) {
  check(x.size() == y.size() && x.size() >= kLeastPoints, "fit_power: too few points");
  const auto seeds = static_cast<std::uint32_t>(y.front().size());
  Points log_x;
  for (const double value : x) log_x.push_back(std::log(value));
  std::vector<std::uint32_t> all(seeds);
  std::iota(all.begin(), all.end(), 0u);
  const Points log_y = log_means(y, all);

  std::vector<Points> resampled;  // [resamples][points]
  Stream random({.seed = seed, .purpose = Purpose::check});
  for (int k = 0; k < kResamples && seeds > 1; ++k) {
    std::vector<std::uint32_t> drawn(seeds);
    for (std::uint32_t& s : drawn) s = random.index(seeds);
    resampled.push_back(log_means(y, drawn));
  }

  PowerFit fit{.is_straight = false};
  const std::size_t last_start = x.size() - kLeastPoints;
  for (fit.first = 0; fit.first <= last_start; ++fit.first) {
    const auto range_x = std::span<const double>(log_x).subspan(fit.first);
    const auto of = [&](const Points& points) { return std::span<const double>(points).subspan(fit.first); };
    const Line line = fit_line(range_x, of(log_y));
    Points changes = {change_of_slope(range_x, of(log_y))}, slopes = {line.slope};
    fit.is_straight = std::abs(changes[0]) <= kStraight * std::abs(line.slope);
    for (const Points& points : resampled) {
      slopes.push_back(fit_line(range_x, of(points)).slope);
      changes.push_back(change_of_slope(range_x, of(points)));
    }
    const Interval change = middle(changes), slope = middle(slopes);
    fit.is_straight = fit.is_straight || (seeds > 1 && change.low <= 0 && change.high >= 0);
    const double width = half_width(range_x, of(log_y), line);
    fit.exponent = line.slope;
    fit.log_constant = line.intercept;
    fit.low = std::min(slope.low, line.slope - width);
    fit.high = std::max(slope.high, line.slope + width);
    if (fit.is_straight || fit.first == last_start) break;
  }
  return fit;
}

}  // namespace quantimed

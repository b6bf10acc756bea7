// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/paired.hpp"

#include "base/error.hpp"
#include "statistics/median.hpp"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>

namespace quantimed {

namespace {

struct Moments {
  double mean, standard_error;
};

Moments log_moments(std::span<const double> ratios) {
  const double n = static_cast<double>(ratios.size());
  double sum = 0, squares = 0;
  for (const double ratio : ratios) sum += std::log(ratio);
  const double mean = sum / n;
  for (const double ratio : ratios) squares += (std::log(ratio) - mean) * (std::log(ratio) - mean);
  return {mean, std::sqrt(squares / (n - 1) / n)};
}

double log_t(std::span<const double> ratios) {
  const auto [mean, error] = log_moments(ratios);
  if (!(mean > 0)) return 1;
  if (error == 0) return 0;  // every pair says the same
  const boost::math::students_t t(static_cast<double>(ratios.size() - 1));
  return 2 * boost::math::cdf(boost::math::complement(t, mean / error));
}

double sign(std::span<const double> ratios) {
  const auto above = std::count_if(ratios.begin(), ratios.end(), [](double r) { return r > 1; });
  if (above == 0) return 1;
  const boost::math::binomial even(static_cast<double>(ratios.size()), 0.5);
  return std::min(1.0, 2 * boost::math::cdf(boost::math::complement(even, static_cast<double>(above - 1))));
}

}  // namespace

PairedP ratios_above_one(std::span<const double> ratios) {
  if (ratios.size() < kLeastPairs) return {};
  check(std::none_of(ratios.begin(), ratios.end(), [](double r) { return std::isnan(r); }), "a ratio that is none");
  const bool has_logs = std::all_of(ratios.begin(), ratios.end(), [](double r) { return r > 0 && std::isfinite(r); });
  if (has_logs) return {PairedTest::log_t, log_t(ratios)};
  return {PairedTest::sign, sign(ratios)};
}

GeometricMean geometric_mean(std::span<const double> ratios) {
  check(ratios.size() >= 2, "an interval of fewer than two values");
  const auto [mean, error] = log_moments(ratios);
  const boost::math::students_t t(static_cast<double>(ratios.size() - 1));
  const double reach = boost::math::quantile(t, (1 + kLevel) / 2) * error;
  return {std::exp(mean), std::exp(mean - reach), std::exp(mean + reach)};
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double greatest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    greatest = std::max(greatest, std::min(1.0, static_cast<double>(p.size() - k) * p[order[k]]));
    adjusted[order[k]] = greatest;
  }
  return adjusted;
}

}  // namespace quantimed

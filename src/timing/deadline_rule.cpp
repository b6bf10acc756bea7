// SPDX-License-Identifier: BSD-3-Clause
#include "timing/deadline_rule.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string_view>
#include <vector>

namespace quantimed {

namespace {

// The value below which a share q of the values lies, linear between neighbours. Sorts them.
double quantile(std::span<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

// Moves values further than three spreads from the median to there. `scratch`: as many.
void rein_in(std::span<double> values, std::span<double> scratch) {
  const double median = quantile(values, 0.5);
  for (std::size_t k = 0; k < values.size(); ++k) scratch[k] = std::abs(values[k] - median);
  const double reach = 3 * 1.4826 * quantile(scratch, 0.5);
  if (reach > 0)
    for (double& value : values) value = std::clamp(value, median - reach, median + reach);
}

}  // namespace

DeadlineRule parse_deadline(const std::string& text, double batch) {
  const auto number = [&](std::size_t from, double most) {
    double value = 0;
    const auto [stop, failure] = std::from_chars(text.data() + from, text.data() + text.size(), value);
    if (failure != std::errc{} || stop != text.data() + text.size() || !std::isfinite(value) || value <= 0 ||
        value >= most || value < kLeastNumber)
      throw InputError(
          "--deadline {}: give seconds from 1e-12 to 1e12, auto, auto:B for a mean batch of B, or auto:quantile:Q with "
          "Q between 0 and 1 for the share of nodes that finish a batch",
          text);
    return value;
  };
  constexpr std::string_view kQuantile = "auto:quantile:", kBatch = "auto:";
  if (text.empty() || text == "auto") return {.batch = batch};
  if (text.starts_with(kQuantile)) return {.batch = batch, .quantile = number(kQuantile.size(), 1)};
  if (text.starts_with(kBatch)) return {.batch = number(kBatch.size(), kMostSamples + 1)};
  return {.fixed_s = number(0, kMostNumber)};
}

Seconds choose_deadline(const DeadlineRule& rule, std::span<double> speeds) {
  check(!speeds.empty(), "a deadline is chosen from no speeds");
  if (rule.quantile > 0) return rule.batch / quantile(speeds, 1 - rule.quantile);
  return rule.batch * static_cast<double>(speeds.size()) / std::accumulate(speeds.begin(), speeds.end(), 0.0);
}

Seconds modelled_deadline(const DeadlineRule& rule, const SpeedModel& speed, std::uint32_t nodes) {
  if (rule.fixed_s > 0) return rule.fixed_s;
  if (rule.quantile == 0) return rule.batch / speed.mean();
  constexpr std::size_t kDraws = 100'000;
  std::vector<double> speeds;
  for (Round t = 0; speeds.size() < kDraws; ++t)
    for (NodeId i = 0; i < nodes && speeds.size() < kDraws; ++i) speeds.push_back(speed.speed(i, t));
  return choose_deadline(rule, speeds);
}

void AdaptiveDeadline::observe(double speed) {
  if (speed > 0 && !speeds_.empty()) speeds_[observed_++ % speeds_.size()] = speed;
}

// Only whether the ring is full and where it goes on is kept of the count.
void AdaptiveDeadline::save(std::vector<double>& speeds, std::vector<std::uint32_t>& counts) const {
  const std::size_t size = speeds_.size();
  speeds.insert(speeds.end(), speeds_.begin(), speeds_.end());
  counts.push_back(static_cast<std::uint32_t>(observed_ < size || size == 0 ? observed_ : size + observed_ % size));
}

bool AdaptiveDeadline::restore(std::span<const double>& speeds, std::uint32_t count) {
  if (speeds.size() < speeds_.size()) return false;
  const std::span<const double> own = speeds.first(speeds_.size());
  speeds = speeds.subspan(own.size());
  std::copy(own.begin(), own.end(), speeds_.begin());
  observed_ = count;
  return std::all_of(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(count, own.size())),
                     [](double speed) { return speed > 0 && std::isfinite(speed); });
}

Seconds AdaptiveDeadline::next(Seconds before_any) {
  const std::size_t count = std::min(observed_, speeds_.size());
  if (count == 0) return before_any;
  const std::span known(scratch_.data(), count), distances(scratch_.data() + speeds_.size(), count);
  std::copy_n(speeds_.begin(), count, known.begin());
  if (rule_.quantile == 0) rein_in(known, distances);
  return choose_deadline(rule_, known);
}

}  // namespace quantimed

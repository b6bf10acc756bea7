// SPDX-License-Identifier: BSD-3-Clause
#include "trace/trace.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace quantimed {

namespace {

// Upper bounds of |overshoot| in s; the last bin has none.
constexpr double kBounds[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, kForever};
constexpr const char* kBinNames[] = {"< 1 us", "1 - 10 us", "10 - 100 us", "0.1 - 1 ms", "1 - 10 ms", "> 10 ms"};
constexpr std::size_t kBins = std::size(kBounds);
constexpr double kBarWidth = 40;

std::string bar(double share) { return std::string(static_cast<std::size_t>(std::ceil(share * kBarWidth)), '#'); }

// --deadline-slack, s; 0: the usual one.
double slack_of(const Trace& trace) {
  const Attribute* given = find(trace.config, "deadline-slack");
  if (!given) return 0;
  if (const auto* whole = std::get_if<std::int64_t>(given)) return static_cast<double>(*whole);
  const auto* seconds = std::get_if<double>(given);
  return seconds ? *seconds : 0;
}

}  // namespace

LateGradients late_gradients(const Rounds& rounds, double slack_s) {
  LateGradients found;
  for (std::size_t at = 0; at < rounds.deadline.size(); ++at) {
    const auto deadline = static_cast<double>(rounds.deadline[at]);
    if (!(deadline > 0)) continue;  // a fixed batch, or NaN: did not run
    ++found.all;
    found.late +=
        static_cast<double>(rounds.compute_time[at]) > deadline + (slack_s > 0 ? slack_s : kUsualSlack * deadline);
  }
  return found;
}

std::string deadline_report(const Trace& trace) {
  const Rounds& rounds = trace.rounds;
  std::vector<double> overshoot;
  for (std::size_t at = 0; at < rounds.deadline.size(); ++at)
    if (rounds.deadline[at] > 0) overshoot.push_back(static_cast<double>(rounds.overshoot[at]));
  if (overshoot.empty()) return {};
  std::array<std::array<std::size_t, kBins>, 2> counts{};  // [after, bin]
  for (const double s : overshoot)
    ++counts[s > 0][static_cast<std::size_t>(std::upper_bound(kBounds, std::end(kBounds), std::abs(s)) - kBounds)];
  const auto count = static_cast<double>(overshoot.size());
  std::sort(overshoot.begin(), overshoot.end());
  const auto quantile = [&](double q) { return overshoot[static_cast<std::size_t>(q * (count - 1))] * 1e6; };
  const double slack = slack_of(trace);
  const LateGradients gradients = late_gradients(rounds, slack);
  std::string text = fmt::format(
      "  deadlines: {} of {} gradients, {:.2f} %, took longer than theirs and {} more; end of the last sample - "
      "deadline: "
      "median {:.1f} us, 99 % below {:.1f} us, last {:.1f} us\n",
      gradients.late, gradients.all, 100 * gradients.share(),
      slack > 0 ? fmt::format("{:g} s", slack) : fmt::format("{:g} %", 100 * kUsualSlack), quantile(0.5),
      quantile(0.99), quantile(1));
  for (const bool is_after : {false, true})
    for (std::size_t k = 0; k < kBins; ++k) {
      const std::size_t bin = is_after ? k : kBins - 1 - k;  // from the earliest to the latest
      if (const std::size_t found = counts[is_after][bin]; found > 0)
        text += fmt::format("    {:<12} {:<6} {:>9}  {:6.2f} %  {}\n", kBinNames[bin], is_after ? "after" : "before",
                            found, 100 * static_cast<double>(found) / count, bar(static_cast<double>(found) / count));
    }
  return text;
}

}  // namespace quantimed

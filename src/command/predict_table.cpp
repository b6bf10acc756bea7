// SPDX-License-Identifier: BSD-3-Clause
#include "command/predict_table.hpp"

#include "command/table_text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quantimed {

std::string extrapolation_table(const std::vector<Extrapolation>& points, bool is_over_ranks) {
  std::vector<std::vector<std::string>> lines = {
      {"algorithm", "cores", "iterations/s", "samples/s", "samples/s a core, of the fewest", "waiting"}};
  if (is_over_ranks)
    for (const char* name : {"messages within ranks", "between ranks of a host", "between hosts"})
      lines.front().emplace_back(name);
  for (const Extrapolation& point : points) {
    const auto fewest = std::find_if(points.begin(), points.end(),
                                     [&](const Extrapolation& other) { return other.algorithm == point.algorithm; });
    const double efficiency =
        point.samples_per_s / point.cores / (fewest->samples_per_s / static_cast<double>(fewest->cores));
    lines.push_back({point.algorithm, fmt::format("{}", point.cores), fmt::format("{:.4g}", point.rounds_per_s),
                     fmt::format("{:.4g}", point.samples_per_s), fmt::format("{:.1f} %", 100 * efficiency),
                     fmt::format("{:.1f} %", 100 * point.wait_share)});
    const CrossingMessages& count = point.messages;
    if (is_over_ranks)
      for (const std::uint64_t number :
           {count.within_ranks, count.between_ranks - count.between_hosts, count.between_hosts})
        lines.back().push_back(fmt::format("{}", number));
  }
  return table_text(lines);
}

std::string assumptions_over_ranks(const Config& given, const RankLinks& links) {
  const bool has_one = given.ranks > given.hosts, has_two = given.hosts > 1;
  const auto of = [](const LinkCosts& link) {
    return fmt::format("{:.3g} us for {} B and {:.3g} us for {} B, {:.3g} us and {:.3g} us after the one before",
                       1e6 * link.one_way.front().second, link.one_way.front().first, 1e6 * link.one_way.back().second,
                       link.one_way.back().first, 1e6 * link.gap.front().second, 1e6 * link.gap.back().second);
  };
  std::string text = fmt::format(
      "Over {} rank{} on {} host{}, nodes in blocks over the ranks and ranks over the hosts; each rank has one core "
      "more,\n"
      "for its courier. Messages as measured with {}:\n",
      given.ranks, given.ranks == 1 ? "" : "s", given.hosts, given.hosts == 1 ? "" : "s", links.library);
  if (has_one) text += fmt::format("  on one host    {}\n", of(*links.one_host));
  if (has_two) text += fmt::format("  between hosts  {}\n", of(*links.two_hosts));
  return text +
         "Assumed: all hosts and links of a kind are like those measured, one pair of ranks at a time; a courier, and "
         "a\n"
         "host's network in each direction, has one message after the other; nobody else uses them.\n";
}

}  // namespace quantimed

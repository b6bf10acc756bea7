// SPDX-License-Identifier: BSD-3-Clause
#include "timing/link_model.hpp"

#include "base/error.hpp"
#include "timing/speed_model.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace quantimed {

namespace {

// In the largest of these units that leaves 1 or more; 0 without one.
std::string in_unit(double value, std::span<const std::pair<double, const char*>> units) {
  for (const auto& [size, name] : units)
    if (value >= size) return fmt::format("{:.6g}{}", value / size, name);
  return fmt::format("{:g}", value);
}

constexpr std::array<std::pair<double, const char*>, 4> kDurations = {
    {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}}};
constexpr std::array<std::pair<double, const char*>, 4> kBytes = {{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1, "B"}}};

}  // namespace

std::string in_units(const LinkModel& link) {
  switch (link.kind) {
    case LinkModel::Kind::none:
      break;
    case LinkModel::Kind::paper:
      return fmt::format("paper:{:g}", link.full_exchange_s);
    case LinkModel::Kind::alpha_beta:
      return fmt::format("alpha-beta:{},{}", in_unit(link.latency_s, kDurations),
                         in_unit(link.bytes_per_second, kBytes));
  }
  return "none";
}

LinkModel parse_link(const std::string& text) {
  const auto [kind, numbers] = parse_model_spec("--link", text);
  if (kind == "none") {
    if (!numbers.empty()) throw InputError("--link {}: give none, without numbers", text);
    return {};
  }
  if (kind == "paper") {
    if (numbers.size() != 1 || numbers[0] < 0) throw InputError("--link {}: give paper:T_C in seconds, T_C >= 0", text);
    return {.kind = LinkModel::Kind::paper, .full_exchange_s = numbers[0]};
  }
  if (kind == "alpha-beta") {
    if (numbers.size() != 2 || numbers[0] < 0 || numbers[1] <= 0)
      throw InputError("--link {}: give alpha-beta:LATENCY,BANDWIDTH, LATENCY >= 0 s, BANDWIDTH > 0 bytes per second",
                       text);
    return {.kind = LinkModel::Kind::alpha_beta, .latency_s = numbers[0], .bytes_per_second = numbers[1]};
  }
  std::string known;
  for (const LinkKind& row : kLinkKinds) known += (known.empty() ? "" : ", ") + std::string(row.syntax);
  throw InputError("--link {}: not known; give one of {}", text, known);
}

}  // namespace quantimed

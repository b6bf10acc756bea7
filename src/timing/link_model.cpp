// SPDX-License-Identifier: BSD-3-Clause
#include "timing/link_model.hpp"

#include "base/error.hpp"
#include "timing/speed_model.hpp"

#include <fmt/format.h>

#include <array>

namespace quantimed {

namespace {

struct Size {
  double size;
  const char* name;
};

// In the largest of these units of which there is at least `least`.
template <std::size_t N>
std::string in_unit(double value, const std::array<Size, N>& units, double least) {
  for (const Size& unit : units)
    if (value >= least * unit.size) return fmt::format("{:.6g} {}", value / unit.size, unit.name);
  return fmt::format("{:g} {}", value, units.front().size == 1 ? units.front().name : units.back().name);
}

constexpr std::array<Size, 4> kDurations = {{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}}};
constexpr std::array<Size, 4> kBandwidths = {{{1e9, "GB/s"}, {1e6, "MB/s"}, {1e3, "kB/s"}, {1, "B/s"}}};

}  // namespace

std::string with_unit(Seconds duration) { return in_unit(duration, kDurations, 0.1); }

std::string in_words(const LinkModel& link) {
  switch (link.kind) {
    case LinkModel::Kind::none:
      break;
    case LinkModel::Kind::paper:
      return fmt::format("{} for 16 bits a coordinate", with_unit(link.full_exchange_s));
    case LinkModel::Kind::alpha_beta:
      return fmt::format("{}, {}", with_unit(link.latency_s), in_unit(link.bytes_per_second, kBandwidths, 1));
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

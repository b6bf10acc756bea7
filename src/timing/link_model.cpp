// SPDX-License-Identifier: BSD-3-Clause
#include "timing/link_model.hpp"

#include "base/error.hpp"
#include "timing/speed_model.hpp"

namespace quantimed {

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

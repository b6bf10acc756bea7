// SPDX-License-Identifier: BSD-3-Clause
#include "timing/faults.hpp"

#include "base/error.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <new>
#include <set>
#include <string_view>

namespace quantimed {

namespace {

// Takes a number, and the separator that must follow it ('\0': the end), off the front.
bool take(std::string_view& text, double& value, char separator) {
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || !std::isfinite(value)) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  if (separator == '\0') return text.empty();
  if (!text.starts_with(separator)) return false;
  text.remove_prefix(1);
  return true;
}

Fault parse_fault(std::string_view one, const std::string& text) {
  std::string_view rest = one;
  const bool is_crash = rest.starts_with("crash:"), is_stall = rest.starts_with("stall:");
  double node = 0, time = 0, lasts = kForever;
  if (is_crash || is_stall) rest.remove_prefix(6);
  const bool good = (is_crash || is_stall) && take(rest, node, '@') && take(rest, time, is_stall ? ',' : '\0') &&
                    (is_crash || take(rest, lasts, '\0')) && node >= 0 && node == std::floor(node) && node < 0x1p32 &&
                    time >= 0 && lasts > 0;
  if (!good)
    throw InputError(
        "--fault {}: \"{}\" is not a fault; give crash:NODE@TIME or stall:NODE@TIME,SECONDS, separated by ;", text,
        one);
  return {.node = static_cast<NodeId>(node), .time = time, .lasts = lasts};
}

}  // namespace

std::vector<Fault> parse_faults(const std::string& text, std::uint32_t nodes) {
  std::vector<Fault> faults;
  std::set<NodeId> struck;
  for (std::string_view rest = text; !text.empty();) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    const Fault fault = faults.emplace_back(parse_fault(rest.substr(0, end), text));
    if (fault.node >= nodes)
      throw InputError("--fault {}: there is no node {}; give one from 0 to {}", text, fault.node, nodes - 1);
    if (!struck.insert(fault.node).second)
      throw InputError("--fault {}: node {} has two; give at most one a node", text, fault.node);
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  if (!faults.empty() && struck.size() == nodes)
    throw InputError("--fault {}: nobody would be left; spare at least one of the {} nodes", text, nodes);
  return faults;
}

std::string list_of(std::span<const NodeId> nodes) {
  return fmt::format("node{} {}", nodes.size() == 1 ? "" : "s", fmt::join(nodes, ", "));
}

bool is_out_of_memory(const std::exception& why) { return dynamic_cast<const std::bad_alloc*>(&why) != nullptr; }

std::string failure_of(NodeId node, Round round, const std::exception& why) {
  return fmt::format("node {} failed in round {}: {}", node, round,
                     is_out_of_memory(why) ? "the machine's memory is used up" : why.what());
}

std::string silence(NodeId node, Round round, Seconds waited, std::span<const NodeId> waiting) {
  return fmt::format("node {} sent nothing of round {} for {:.3g} s; {} wait{} for it", node, round, waited,
                     list_of(waiting), waiting.size() == 1 ? "s" : "");
}

std::string messages_dropped(std::uint64_t messages) {
  return fmt::format("{} messages found the link full and were dropped, give --link a lower latency", messages);
}

std::string to_text(std::span<const LostNode> lost) {
  std::vector<std::string> texts;
  for (const auto& [node, round] : lost) texts.push_back(fmt::format("{}@round {}", node, round));
  return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace quantimed

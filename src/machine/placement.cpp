// SPDX-License-Identifier: BSD-3-Clause
#include "machine/placement.hpp"

#include "base/error.hpp"
#include "machine/hardware.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace quantimed {

namespace {

using Units = std::vector<int>;

// ---- the text of list: -----------------------------------------------------------------------------

int parse_unit(std::string_view item, const std::string& text) {
  constexpr int kMost = 65'536;  // eight times what Linux can number
  int unit = -1;
  const auto [stop, failure] = std::from_chars(item.data(), item.data() + item.size(), unit);
  if (failure != std::errc{} || stop != item.data() + item.size() || unit < 0 || unit >= kMost)
    throw InputError("--placement {}: \"{}\" is not a processing unit's number; give list:0-3,8", text, item);
  return unit;
}

Units parse_units(const std::string& text, std::string_view list) {
  Units units;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string_view item = list.substr(begin, end - begin);
    const std::size_t dash = std::min(item.find('-'), item.size());
    const int first = parse_unit(item.substr(0, dash), text);
    const int last = dash < item.size() ? parse_unit(item.substr(dash + 1), text) : first;
    if (last < first)
      throw InputError("--placement {}: the range {} runs backwards; give {}-{}", text, item, last, first);
    for (int unit = first; unit <= last; ++unit) units.push_back(unit);
    begin = end + 1;
  }
  Units sorted = units;
  std::sort(sorted.begin(), sorted.end());
  if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end())
    throw InputError("--placement {}: unit {} is there twice; give it once", text, *twice);
  return units;
}

// ---- orders ----------------------------------------------------------------------------------------

bool is_allowed(const Hardware& hardware, unsigned unit) {
  return hwloc_bitmap_isset(hardware.allowed.get(), unit) != 0;
}

// Null where the system does not say (some virtual machines): every unit is a core then.
hwloc_obj_t core_of(const Hardware& hardware, hwloc_obj_t unit) {
  return hwloc_get_ancestor_obj_by_type(hardware.topology.get(), HWLOC_OBJ_CORE, unit);
}

bool stands_for_a_core(const Hardware& hardware, hwloc_obj_t unit, bool smt) {
  if (!is_allowed(hardware, unit->os_index)) return false;
  const hwloc_obj_t core = core_of(hardware, unit);
  if (smt || core == nullptr) return true;
  int lowest = hwloc_bitmap_first(core->cpuset);
  while (!is_allowed(hardware, static_cast<unsigned>(lowest))) lowest = hwloc_bitmap_next(core->cpuset, lowest);
  return static_cast<unsigned>(lowest) == unit->os_index;
}

Units concatenated(const std::vector<Units>& lists) {
  Units all;
  for (const Units& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

Units round_robin(const std::vector<Units>& lists) {
  Units all;
  std::size_t longest = 0;
  for (const Units& list : lists) longest = std::max(longest, list.size());
  for (std::size_t k = 0; k < longest; ++k)
    for (const Units& list : lists)
      if (k < list.size()) all.push_back(list[k]);
  return all;
}

// The units below one object of hwloc's tree, where every NUMA node has an object of its own extent.
Units units_below(const Hardware& hardware, hwloc_obj_t object, bool smt, Units (*merge)(const std::vector<Units>&)) {
  if (object->type == HWLOC_OBJ_PU)
    return stands_for_a_core(hardware, object, smt) ? Units{static_cast<int>(object->os_index)} : Units{};
  std::vector<Units> children;
  for (unsigned k = 0; k < object->arity; ++k)
    children.push_back(units_below(hardware, object->children[k], smt, merge));
  return merge(children);
}

Units one_for_each_l3(const Hardware& hardware, const Placement& placement) {
  Units firsts;
  for (hwloc_obj_t cache = nullptr;
       (cache = hwloc_get_next_obj_by_type(hardware.topology.get(), HWLOC_OBJ_L3CACHE, cache)) != nullptr;) {
    const Units units = units_below(hardware, cache, placement.smt, concatenated);
    if (!units.empty()) firsts.push_back(units.front());
  }
  if (firsts.empty())
    throw InputError("--placement l3: the system names no L3 cache of the cores that may be used; give spread");
  return firsts;
}

Units listed(const Hardware& hardware, const Placement& placement) {
  std::vector<std::pair<hwloc_obj_t, int>> taken;  // core, unit
  for (const int unit : placement.list) {
    if (!is_allowed(hardware, static_cast<unsigned>(unit)))
      throw InputError("--placement {}: unit {} may not be used; choose among {}", placement.text, unit,
                       to_list(hardware.allowed.get()));
    const hwloc_obj_t core =
        core_of(hardware, hwloc_get_pu_obj_by_os_index(hardware.topology.get(), static_cast<unsigned>(unit)));
    if (placement.smt || core == nullptr) continue;
    for (const auto& [other_core, other] : taken)
      if (core == other_core)
        throw InputError("--placement {}: units {} and {} are siblings of one core; leave one out, or give --smt",
                         placement.text, other, unit);
    taken.emplace_back(core, unit);
  }
  return placement.list;
}

}  // namespace

Placement parse_placement(const std::string& text, bool smt) {
  using Policy = Placement::Policy;
  constexpr std::string_view kList = "list:";
  Placement placement{.smt = smt, .text = text};
  if (text == "compact")
    placement.policy = Policy::compact;
  else if (text == "spread")
    placement.policy = Policy::spread;
  else if (text == "l3")
    placement.policy = Policy::l3;
  else if (text.starts_with(kList)) {
    placement.policy = Policy::list;
    placement.list = parse_units(text, std::string_view(text).substr(kList.size()));
  } else
    throw InputError("--placement {}: not known; give compact, spread, l3 or list:0-3,8", text);
  return placement;
}

namespace {

Units allowed_units(const Hardware& hardware, const Placement& placement) {
  const hwloc_obj_t root = hwloc_get_root_obj(hardware.topology.get());
  switch (placement.policy) {
    case Placement::Policy::spread:
      return units_below(hardware, root, placement.smt, round_robin);
    case Placement::Policy::l3:
      return one_for_each_l3(hardware, placement);
    case Placement::Policy::list:
      return listed(hardware, placement);
    default:
      return units_below(hardware, root, placement.smt, concatenated);
  }
}

}  // namespace

std::vector<int> place(const Hardware& hardware, const Placement& placement) {
  Units units = allowed_units(hardware, placement);
  if (units.size() > hardware.granted) units.resize(hardware.granted);
  return units;
}

void require_units(const Placement& placement, std::size_t units, std::size_t nodes, const std::string& rule) {
  if (nodes <= units) return;
  if (placement.policy == Placement::Policy::list)
    throw InputError("--placement {}: {} processing units for {} nodes; list {}, or give --nodes {}", placement.text,
                     units, nodes, nodes, units);
  if (placement.policy == Placement::Policy::l3)
    throw InputError("--nodes {}: --placement l3 has room for {}, one for each L3 cache; give --nodes {}, or spread",
                     nodes, units, units);
  throw InputError(
      "--nodes {}: only {} core{} may be used{}; give at most {}, or --oversubscribe (timings are then INVALID)", nodes,
      units, units == 1 ? "" : "s", rule.empty() ? "" : " (" + rule + ")", units);
}

std::vector<int> usable_cores() { return place(load_hardware(), {}); }

std::string to_list(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t k = 0; k < numbers.size();) {
    std::size_t last = k;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += last > k ? fmt::format("{}-{}", numbers[k], numbers[last]) : fmt::format("{}", numbers[k]);
    k = last + 1;
  }
  return text;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Which cores the nodes of a real-time run live on. Processing units have their operating-system numbers here.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace quantimed {

struct Hardware;

// --placement and --smt. In every policy one processing unit stands for a core, the lowest that is allowed; with `smt`
// each simultaneous-multithreading sibling is a core of its own.
//   compact  the machine's own order: the cores of one L3 cache, of one NUMA node, of one package come first
//   spread   round robin over packages, within them over NUMA nodes, over L3 caches, and so on down to siblings
//   l3       the first core of each L3 cache
//   list     just these, in this order
struct Placement {
  enum class Policy { compact, spread, l3, list };
  Policy policy = Policy::compact;
  std::vector<int> list = {};  // of Policy::list
  bool smt = false;
  std::string text = "compact";  // as the user gave it
};

// One row a policy: how it is written, one line of help.
struct PlacementKind {
  const char* syntax;
  const char* help;
};
inline constexpr PlacementKind kPlacementKinds[] = {
    {"compact", "neighbouring cores: fills an L3 cache, a NUMA node, a package before the next"},
    {"spread", "as far apart as possible: round robin over packages, then NUMA nodes, then L3 caches"},
    {"l3", "one core for each L3 cache"},
    {"list:0-3,8", "these processing units, by the system's numbers; node 0 is on the first"},
};

// Throws InputError that names --placement.
Placement parse_placement(const std::string& text, bool smt = false);

// Where nodes 0, 1, … live: as many units as there can be nodes. Throws InputError that names --placement where a
// listed unit is not allowed or is the sibling of another without `smt`, and where l3 finds no L3 cache.
std::vector<int> place(const Hardware& hardware, const Placement& placement);

// Throws InputError where there are fewer units than nodes; `rule`: why there are so few.
void require_units(const Placement& placement, std::size_t units, std::size_t nodes, const std::string& rule = "");

// One processing unit for each core that this process may use, in the machine's order.
std::vector<int> usable_cores();

// "0-3,8"
std::string to_list(const std::vector<int>& numbers);

}  // namespace quantimed

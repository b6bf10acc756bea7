// SPDX-License-Identifier: BSD-3-Clause
#include "command/objective_note.hpp"

#include "algorithm/table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quantimed {

std::string objective_note(std::string_view algorithm, std::string_view engine, std::string_view speed,
                           std::string_view partition) {
  const auto table = algorithm_table();
  const auto row = std::ranges::find_if(table, [&](const AlgorithmRow& r) { return r.name == algorithm; });
  if (row == table.end() || !*row->minimises || partition == "iid") return "";
  const bool is_machines = engine != "virtual" && speed == "none";
  if (!is_machines && !speed.starts_with("slow-nodes") && !speed.starts_with("file")) return "";
  return fmt::format(
      "{} minimises {}, and with --partition {} these may differ from the mean of all samples' losses that is shown: "
      "more time will not close the gap",
      algorithm, row->minimises, partition);
}

}  // namespace quantimed

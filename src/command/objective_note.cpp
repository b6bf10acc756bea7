// SPDX-License-Identifier: BSD-3-Clause
#include "command/objective_note.hpp"

#include "algorithm/table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quantimed {

namespace {

// Null for an algorithm of another program.
const AlgorithmRow* row_of(std::string_view algorithm) {
  const auto table = algorithm_table();
  const auto row = std::ranges::find_if(table, [&](const AlgorithmRow& r) { return r.name == algorithm; });
  return row == table.end() ? nullptr : &*row;
}

}  // namespace

std::string objective_note(std::string_view algorithm, std::string_view engine, std::string_view speed,
                           std::string_view partition) {
  const AlgorithmRow* row = row_of(algorithm);
  if (!row || !*row->minimises || partition == "iid") return "";
  const bool is_machines = engine != "virtual" && speed == "none";
  if (!is_machines && !speed.starts_with("slow-nodes") && !speed.starts_with("file")) return "";
  return fmt::format(
      "{} minimises {}, and with --partition {} these may differ from the mean of all samples' losses that is shown: "
      "more time will not close the gap",
      algorithm, row->minimises, partition);
}

std::string loss_note(std::string_view algorithm, std::string_view lost) {
  const AlgorithmRow* row = row_of(algorithm);
  if (!row || !*row->loses || lost.empty() || lost == "none") return "";
  return fmt::format(
      "{}: a node that is lost takes {} with it, so those who go on end beside the optimum of their own samples, too: "
      "more time will not close the gap",
      algorithm, row->loses);
}

}  // namespace quantimed

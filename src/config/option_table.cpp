// SPDX-License-Identifier: BSD-3-Clause
#include "config/option_table.hpp"

#include "config/nearest.hpp"
#include "config/option_rows.hpp"
#include "config/synonyms.hpp"

namespace quantimed {

const std::vector<OptionRow>& option_table() {
  static const std::vector<OptionRow> table = [] {
    std::vector<OptionRow> rows;
    for (auto* topic : {participant_rows, length_rows, data_rows, model_rows, algorithm_rows, search_rows,
                        parameter_rows, network_rows, time_rows, evaluation_rows, output_rows})
      for (OptionRow& row : topic()) rows.push_back(std::move(row));
    return rows;
  }();
  return table;
}

const OptionRow* find_option(const std::string& name) {
  for (const OptionRow& row : option_table())
    if (name == row.name) return &row;
  return nullptr;
}

InputError unknown_option(const std::string& name) {
  std::vector<std::string> known;
  for (const OptionRow& row : option_table()) known.emplace_back(row.name);
  std::string meant = option_meant_by(name);
  if (meant.empty()) meant = nearest(name, known);
  return InputError("--{}: not an option; {}", name,
                    meant.empty() ? "quantimed help COMMAND lists them" : fmt::format("did you mean --{}?", meant));
}

std::string value_syntax(const OptionRow& row) {
  std::string syntax = row.value;
  if (syntax.empty())
    for (const std::string& choice : row.choices) syntax += (syntax.empty() ? "" : "|") + choice;
  return syntax;
}

}  // namespace quantimed

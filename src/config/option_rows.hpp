// SPDX-License-Identifier: BSD-3-Clause
// The rows of the table of options, topic by topic: option_table() is all of them in this order.
#pragma once

#include <string>
#include <vector>

#include "config/option_table.hpp"

namespace quantimed {

std::vector<OptionRow> participant_rows();  // rows_of_run.cpp
std::vector<OptionRow> length_rows();
std::vector<OptionRow> data_rows();  // rows_of_problem.cpp
std::vector<OptionRow> model_rows();
std::vector<OptionRow> algorithm_rows();  // rows_of_algorithm.cpp
std::vector<OptionRow> search_rows();
std::vector<OptionRow> parameter_rows();
std::vector<OptionRow> network_rows();  // rows_of_machine.cpp
std::vector<OptionRow> time_rows();
std::vector<OptionRow> evaluation_rows();  // rows_of_results.cpp
std::vector<OptionRow> output_rows();

// What another module's table offers.
template <class Rows>
Listing syntax_listing(const Rows& rows) {
  Listing listing;
  for (const auto& row : rows) listing.emplace_back(row.syntax, row.help);
  return listing;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The checks of options that have a value for each algorithm, as they are read.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "algorithm/parameters.hpp"

namespace quantimed {

// Every step can be evaluated, and every name is an algorithm's, once. Throws InputError.
void check_steps(const std::string& option, const std::string& text);

// --gamma, --momentum, …: every value is in the row's range, and every name is that of an algorithm that has the
// parameter, once. Throws InputError.
void check_parameter(const ParameterRow& row, const std::string& text);
// --gradient
void check_gradient(const std::string& text);

// --codec: every code can be made, and every name is that of an algorithm that quantizes, once.
void check_codes(const std::string& text);
// What --codec says for this algorithm, or for all that it does not name; "": nothing.
std::string code_for_algorithm(const std::string& text, const std::string& algorithm);

// One value of a parameter: a number in its range, whole where the row says so, also as Options keeps it. `text`: the
// option's, for the message. Throws InputError.
double parameter_value(const ParameterRow& row, const std::string& text, const std::string& item);
// "a number above 0 and at most 1", "a whole number from 1 to 1000000"
std::string range_text(const ParameterRow& row);

// --search of tune: NAME=LEAST:MOST for each parameter, both ends in its range. Throws InputError.
struct SearchedRange {
  Parameter parameter;
  double least, most;
};
std::vector<SearchedRange> searched_ranges(const std::string& text);

// Of --alpha, --epsilon, --codec, --gradient: every value is for a named algorithm, and none of them is chosen.
bool names_others_alone(const std::string& text, std::span<const std::string> chosen);

// Algorithms that have it.
std::vector<std::string> algorithms_with(Parameter parameter);

}  // namespace quantimed

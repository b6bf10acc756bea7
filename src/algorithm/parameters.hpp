// SPDX-License-Identifier: BSD-3-Clause
// What can be set of an algorithm beside its steps α and ε. One parameter, one row: its option, its range, its place in
// Options. Which algorithms have it, and their own usual values, is said in their rows.
#pragma once

#include "algorithm/options.hpp"

#include <span>
#include <string>

namespace quantimed {

enum class Parameter : std::uint8_t {
  gamma,
  momentum,
  averaging,
  outer_step,
  local_steps,
  rounds,
  period,
  nesterov,
  overlap,
  beta
};

struct ParameterRow {
  Parameter parameter;
  const char* option;  // without dashes
  const char* help;    // one line
  double least, most;
  bool has_least, has_most;  // false: the range is open at that end
  bool is_whole;
  void (*set)(Options&, double);
  double (*get)(const Options&);
  const char* word = nullptr;  // what may be given instead of a number
  double word_is = 0;          // the number that it stands for, out of the range
};

std::span<const ParameterRow> parameter_table();
const ParameterRow& row_of(Parameter parameter);
// A value as it is given: the number, or the word that stands for it.
std::string value_text(const ParameterRow& row, double value);

// An algorithm's parameter and its usual value there.
struct ParameterUse {
  Parameter parameter;
  double usual;
};

}  // namespace quantimed

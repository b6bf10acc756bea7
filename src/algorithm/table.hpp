// One algorithm, one row. Help, completion, sweeps and tests iterate this table.
#pragma once

#include "algorithm/options.hpp"
#include "node/node.hpp"

#include <span>
#include <string_view>

namespace quantimed {

struct AlgorithmRow {
  const char* name;  // as on the command line
  const char* help;  // one line
  Task (*run)(Node&, const Options&);
  Delivery delivery;     // round: every message of round t; newest: the latest only
  bool quantizes;        // its messages go through --codec; else they are exact
  bool uses_epsilon;     // its text has the step ε
  bool uses_deadline;    // T_d instead of b
  bool goes_on_without;  // a lost neighbour; else its neighbours wait for it, and the run ends
  const char* alpha;     // published step sizes (paper.md, MNIST)
  const char* epsilon;
};

std::span<const AlgorithmRow> algorithm_table();
const AlgorithmRow& find_algorithm(std::string_view name);  // throws InputError with the known names

}  // namespace quantimed

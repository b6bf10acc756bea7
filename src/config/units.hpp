// SPDX-License-Identifier: BSD-3-Clause
// Quantities as people write them: 5ms, 2min, 100MB, 1e3. What is kept is the plain number of the base unit.
#pragma once

#include <string>

namespace quantimed {

enum class Unit { none, seconds, bytes_per_second };

// `text` with every number that has a unit replaced by the plain number: "alpha-beta:5ms,1GB" →
// "alpha-beta:0.005,1000000000". `units`: one letter for each number of the text, in order: s seconds, b bytes per
// second, - none; the last holds for all that follow. Begins again after a ';'. Throws InputError that names --option,
// the text and the word at fault.
std::string without_units(const std::string& option, const std::string& text, const std::string& units);

}  // namespace quantimed

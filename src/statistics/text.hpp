// SPDX-License-Identifier: BSD-3-Clause
// Figures as people read them.
#pragma once

#include "statistics/median.hpp"

#include <string>

namespace quantimed {

// Four digits, `infinite` for ∞, "—" for none.
std::string figure_text(double value, const char* infinite = "missed");
// "1.88×"; three digits. Of an estimate, with its interval in the same digits, so that it holds what is said: "1.88×
// [1.61–2.20]".
std::string ratio_text(double value);
std::string ratio_text(const Estimate& estimate);
// "[1.61–2.2]"; empty where there is no spread.
std::string bracket_text(const Estimate& estimate, const char* infinite = "missed");

// What [a–b] is, once for a table of `n` seeds (or runs, or repeats): "the range of 5 seeds", "an interval …".
std::string spread_kind_text(std::size_t n, const std::string& unit);
// The same where rows have different numbers of runs.
inline constexpr const char* kSpreadRule =
    "[a–b] is the range of up to 5 runs, from 6 on an interval that holds the true median with 95 % or more";

}  // namespace quantimed

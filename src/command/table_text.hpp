// SPDX-License-Identifier: BSD-3-Clause
// Tables as people read them and Markdown takes them.
#pragma once

#include "statistics/median.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace quantimed {

// "12.3 s [11.9–12.8]"; "—" where there is no median, the word where a figure is infinite.
std::string estimate_text(const Estimate& estimate, const char* unit = "", const char* infinite = "missed");

// Columns padded to their widest cell. `lines`: the header first, all of one length.
std::string table_text(const std::vector<std::vector<std::string>>& lines);

// Sentences, each with how often it stands there. Those that differ in their numbers alone are one, with the numbers'
// ranges: "6–10 % of the gradients ended late".
std::vector<std::pair<std::string, std::size_t>> tally(std::span<const std::string> sentences);

// Whole or not at all. Throws InputError or MachineRefused that names --output.
void write_text(const std::string& path, const std::string& text);

}  // namespace quantimed

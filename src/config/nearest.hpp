// SPDX-License-Identifier: BSD-3-Clause
// "Did you mean …?"
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace quantimed {

// Edit distance: insertions, deletions, substitutions, and swaps of two neighbours.
std::size_t edit_distance(const std::string& a, const std::string& b);

// The nearest of `known` (the first, among equals); "" where none is near: a third of the letters would be wrong.
std::string nearest(const std::string& word, std::span<const std::string> known);

// "; did you mean dsgd?", or nothing.
std::string did_you_mean(const std::string& word, std::span<const std::string> known);

}  // namespace quantimed

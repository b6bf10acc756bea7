// "Did you mean …?"
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace quantimed {

// Edit distance: insertions, deletions, substitutions, and swaps of two neighbours.
std::size_t edit_distance(const std::string& a, const std::string& b);

// The nearest of `known` (the first, among equals).
std::string nearest(const std::string& word, std::span<const std::string> known);

}  // namespace quantimed

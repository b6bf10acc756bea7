// SPDX-License-Identifier: BSD-3-Clause
// Small files of /proc and /sys: a line, a number, a list of processing units. Whatever they hold, nothing is thrown.
#pragma once

#include <charconv>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quantimed {

// The first line of at most 255 characters, "" where there is none.
inline std::string small_file(const std::string& path) {
  std::ifstream file(path);
  char line[256] = {};
  file.getline(line, sizeof line);
  return line;
}

// All of the text is the number. `base` of integers alone.
template <class Number = std::int64_t, class... Base>
std::optional<Number> number_of(std::string_view text, Base... base) {
  Number value{};
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value, base...);
  if (error != std::errc() || end != last || text.empty()) return {};
  return value;
}

// "0,18" or "0-1,4"; nothing where it is no such list, or has a unit above 65,535.
inline std::optional<std::vector<int>> unit_list(std::string_view text) {
  constexpr int kMost = 65'535;
  std::vector<int> units;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    const std::size_t dash = part.find('-');
    const auto first = number_of<int>(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number_of<int>(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last > kMost) return {};
    for (int unit = *first; unit <= *last; ++unit) units.push_back(unit);
    text.remove_prefix(part.size());
    if (text == ",") return {};
    if (!text.empty()) text.remove_prefix(1);
  }
  if (units.empty()) return {};
  return units;
}

}  // namespace quantimed

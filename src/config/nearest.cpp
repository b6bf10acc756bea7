// SPDX-License-Identifier: BSD-3-Clause
#include "config/nearest.hpp"

#include <algorithm>
#include <vector>

namespace quantimed {

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

std::string nearest(const std::string& word, std::span<const std::string> known) {
  // A word that someone typed is short; what is not typed need not be compared letter by letter.
  const std::string typed = word.substr(0, 40);
  const auto distance = [&](const std::string& k) { return edit_distance(typed, k); };
  const auto found = std::ranges::min_element(known, {}, distance);
  if (found == known.end() || distance(*found) > std::max<std::size_t>(1, typed.size() / 3)) return "";
  return *found;
}

std::string did_you_mean(const std::string& word, std::span<const std::string> known) {
  const std::string near = nearest(word, known);
  return near.empty() ? "" : "; did you mean " + near + "?";
}

}  // namespace quantimed

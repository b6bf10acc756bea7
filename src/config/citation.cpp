// SPDX-License-Identifier: BSD-3-Clause
#include "config/citation.hpp"

#include "config/item_text.hpp"

#include "algorithm/table.hpp"
#include "base/build_info.hpp"
#include "base/error.hpp"
#include "config/nearest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace quantimed {

namespace {

// As AlgorithmRow::paper has it: "Surname, Surname et al.: title, venue year", or "…: title, year" of a preprint.
struct Paper {
  std::vector<std::string> authors;
  std::string title, venue, year;  // no year: not a paper
};

std::vector<std::string> authors_in(std::string_view text) {
  std::vector<std::string> authors;
  constexpr std::string_view kOthers = " et al.";
  const bool has_others = text.ends_with(kOthers);
  if (has_others) text.remove_suffix(kOthers.size());
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(", "), text.size());
    authors.push_back(fmt::format("{{{}}}", text.substr(0, end)));  // a surname alone: "Di Lorenzo" is one
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  if (has_others) authors.emplace_back("others");
  return authors;
}

Paper paper_of(const AlgorithmRow& row) {
  const std::string_view text = row.paper;
  const std::size_t colon = text.find(": "), comma = text.rfind(", ");
  if (text.size() < 4 || !std::ranges::all_of(text.substr(text.size() - 4), is_digit) || colon >= comma) return {};
  Paper paper{.authors = authors_in(text.substr(0, colon)),
              .title = std::string(text.substr(colon + 2, comma - colon - 2)),
              .venue = std::string(text.substr(comma + 2)),
              .year = std::string(text.substr(text.size() - 4))};
  paper.venue.resize(paper.venue.size() - 4);
  if (paper.venue.ends_with(' ')) paper.venue.pop_back();
  return paper;
}

// The letters and digits of the first word, small.
std::string key_part(std::string_view text) {
  std::string part;
  for (char c : text.substr(0, text.find_first_of(" ,}")))
    if (is_letter(c) || is_digit(c)) part += static_cast<char>(is_letter(c) ? c | 0x20 : c);
  return part;
}

std::string entry(const Paper& paper) {
  const bool is_journal = paper.venue.starts_with("IEEE") || paper.venue.find(" J. ") != std::string::npos;
  std::string name = paper.authors.front();
  std::erase(name, ' ');
  std::string out =
      fmt::format("@{}{{{}{}{},\n  author = {{{}}},\n  title = {{{{{}}}}},\n",
                  paper.venue.empty() ? "misc"
                  : is_journal        ? "article"
                                      : "inproceedings",
                  key_part(name), paper.year, key_part(paper.title), fmt::join(paper.authors, " and "), paper.title);
  if (!paper.venue.empty()) out += fmt::format("  {} = {{{}}},\n", is_journal ? "journal" : "booktitle", paper.venue);
  return out + fmt::format("  year = {{{}}}\n}}\n", paper.year);
}

std::string program_entry() {  // CITATION.cff says the same
  return fmt::format(
      "@software{{quantimed,\n  author = {{{{the quantimed authors}}}},\n"
      "  title = {{{{quantimed: decentralized SGD under stragglers and narrow links, measured}}}},\n"
      "  version = {{{}}},\n  note = {{commit {}; BSD-3-Clause}}\n}}\n",
      build::kVersion, build::kCommit);
}

const AlgorithmRow& named(const std::string& name) {
  std::vector<std::string> known = {"all"};
  for (const AlgorithmRow& row : algorithm_table()) {
    if (name == row.name) return row;
    known.emplace_back(row.name);
  }
  const std::string meant = nearest(name, known);
  throw InputError("cite {}: not an algorithm; {}", name,
                   meant.empty() ? "quantimed info --algorithms lists them" : fmt::format("did you mean {}?", meant));
}

}  // namespace

std::string citations(std::span<const std::string> algorithms) {
  std::vector<std::string> names(algorithms.begin(), algorithms.end());
  if (names.empty()) names = compared_algorithms();
  std::vector<const AlgorithmRow*> rows;
  for (const std::string& name : names)
    if (name == "all")
      for (const AlgorithmRow& row : algorithm_table()) rows.push_back(&row);
    else
      rows.push_back(&named(name));
  std::string out = program_entry();
  for (auto row = rows.begin(); row != rows.end(); ++row) {
    const auto is_same = [&](const AlgorithmRow* other) { return std::string_view(other->paper) == (*row)->paper; };
    if (std::any_of(rows.begin(), row, is_same)) continue;
    std::vector<std::string_view> of;
    for (const AlgorithmRow* other : rows)
      if (is_same(other) && std::ranges::find(of, other->name) == of.end()) of.emplace_back(other->name);
    const Paper paper = paper_of(**row);
    out += fmt::format("\n% {}", fmt::join(of, ", "));
    const std::string_view note = (*row)->paper;
    out += !paper.year.empty() ? "\n" + entry(paper)
                               : fmt::format(": no paper of its own{}{}\n", note.empty() ? "" : ": ", note);
  }
  return out;
}

}  // namespace quantimed

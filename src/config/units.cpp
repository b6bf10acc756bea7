// SPDX-License-Identifier: BSD-3-Clause
#include "config/units.hpp"

#include "config/item_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/error.hpp"

namespace quantimed {

namespace {

struct UnitRow {
  const char* name;
  double factor;
  bool divides;  // by the factor: 5 / 1000 is the double nearest to 0.005, 5 * 0.001 need not be
};
constexpr UnitRow kTimes[] = {{"s", 1, false},   {"ms", 1e3, true},  {"us", 1e6, true},  {"µs", 1e6, true},
                              {"ns", 1e9, true}, {"min", 60, false}, {"h", 3600, false}, {"d", 86400, false}};
constexpr UnitRow kBandwidths[] = {{"B", 1, false},          {"kB", 1e3, false},         {"MB", 1e6, false},
                                   {"GB", 1e9, false},       {"TB", 1e12, false},        {"KiB", 1024, false},
                                   {"MiB", 1048576, false},  {"GiB", 1073741824, false}, {"kbit", 125, false},
                                   {"Mbit", 125'000, false}, {"Gbit", 125e6, false}};
// "MB/s", "µs"
bool is_unit_letter(char c) { return is_letter(c) || c == '/' || static_cast<unsigned char>(c) >= 0x80; }

double in_base_unit(double value, std::string word, char unit, const std::string& option, const std::string& text) {
  const bool is_time = unit == 's';
  if (!is_time && word.ends_with("/s")) word.resize(word.size() - 2);
  const std::span<const UnitRow> rows = is_time ? std::span<const UnitRow>(kTimes) : kBandwidths;
  for (const UnitRow& row : rows)
    if (word == row.name) return row.divides ? value / row.factor : value * row.factor;
  throw InputError(
      "--{} {}: \"{}\" is not a unit of {}; give {}", option, text, word, is_time ? "time" : "bandwidth",
      is_time ? "ns, us, ms, s, min, h or d" : "B, kB, MB, GB, KiB, MiB, GiB, kbit, Mbit or Gbit, a second");
}

}  // namespace

std::string without_units(const std::string& option, const std::string& text, const std::string& units) {
  if (text.starts_with("auto")) return text;  // a rule with numbers of its own
  std::string plain;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ';') number = 0;
    const bool starts = is_digit(text[at]) || (text[at] == '.' && at + 1 < text.size() && is_digit(text[at + 1]));
    const bool in_a_word = at > 0 && (is_unit_letter(text[at - 1]) || is_digit(text[at - 1]));
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data() + at, end, value);
    if (!starts || in_a_word || failure != std::errc{}) {
      plain += text[at++];
      continue;
    }
    const std::string_view digits(text.data() + at, static_cast<std::size_t>(stop - text.data()) - at);
    const char* const word_end = std::find_if_not(stop, end, is_unit_letter);
    const std::string word(stop, word_end);
    if (!word.empty() && word_end != end && is_digit(*word_end) && !units.empty())
      throw InputError("--{} {}: goes on after \"{}{}\"; give one number with one unit, as in 90min", option, text,
                       digits, word);
    const char unit = units.empty() ? '-' : units[std::min(number++, units.size() - 1)];
    if (word.empty() || unit == '-')
      plain += std::string(digits) + word;
    else
      plain += fmt::format("{}", in_base_unit(value, word, unit, option, text));
    at = static_cast<std::size_t>(word_end - text.data());
  }
  return plain;
}

}  // namespace quantimed

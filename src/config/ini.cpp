// SPDX-License-Identifier: BSD-3-Clause
// Not Boost's .ini parser: it knows no line numbers, and cuts every value at its first '#'.
#include "config/ini.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "config/item_text.hpp"
#include "config/option_table.hpp"

namespace quantimed {

namespace {

constexpr const char* kBlanks = " \t\r";
constexpr std::uint64_t kMostBytes = 1 << 20;

std::string without_comment(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '#' && (i == 0 || std::string_view(kBlanks).find(text[i - 1]) != std::string_view::npos))
      return trimmed(text.substr(0, i), kBlanks);
  return trimmed(text, kBlanks);
}

// A value that starts with a quote ends at the next one that no backslash precedes.
std::string unquoted(const std::string& text) {
  std::string value;
  std::size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    value += text[i];
  }
  if (i >= text.size()) throw InputError("{}: the closing quote is missing; add it", text);
  if (!without_comment(text.substr(i + 1)).empty())
    throw InputError("{}: text after the closing quote; write a quote inside as \\\"", text);
  return value;
}

std::string quoted_where_needed(const std::string& value) {
  if (!value.empty() && value.find('#') == std::string::npos && value[0] != '"' && trimmed(value, kBlanks) == value)
    return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

// The other dialect: an experiment for bench/study, with sections and lists of values.
bool is_of_a_study(const std::string& line) {
  return line.starts_with("[") || line.starts_with("include") || line.starts_with("figure");
}

void read_line(const std::string& line, std::set<std::string>& seen, Config& config) {
  if (without_comment(line).empty()) return;
  if (is_of_a_study(trimmed(line, kBlanks)))
    throw InputError("{}: is a line of a study file, which bench/study runs; --config takes \"name = value\" lines",
                     without_comment(line));
  const std::size_t equals = line.find('=');
  if (equals == std::string::npos || trimmed(line.substr(0, equals), kBlanks).find('#') != std::string::npos)
    throw InputError("{}: not a line \"name = value\"; write {} = ...", without_comment(line), without_comment(line));
  const std::string name = trimmed(line.substr(0, equals), kBlanks), rest = trimmed(line.substr(equals + 1), kBlanks);
  const OptionRow* row = find_option(name);
  if (!row) throw unknown_option(name);
  if (std::holds_alternative<std::monostate>(row->field))
    throw InputError("--{}: belongs on the command line; leave it out here", name);
  if (!seen.insert(name).second) throw InputError("--{}: is set twice in this file; keep one", name);
  set_option(*row, config, rest.starts_with('"') ? unquoted(rest) : without_comment(rest));
}

}  // namespace

std::set<std::string> read_ini(const std::string& path, Config& config) {
  return read_ini_text(path, read_text_file("--config " + path, path, "a file of \"name = value\" lines", kMostBytes),
                       config);
}

std::set<std::string> read_ini_text(const std::string& name, const std::string& text, Config& config) {
  std::set<std::string> seen;
  int number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string line(take_line(rest));
    ++number;
    try {
      read_line(line, seen, config);
    } catch (const InputError& error) {
      throw InputError("{}:{}: {}", name, number, error.what());
    }
  }
  return seen;
}

std::vector<std::pair<std::string, std::string>> to_pairs(const Config& config) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const OptionRow& row : option_table())
    if (row.in_ini) pairs.emplace_back(row.name, get_option(row, config));
  return pairs;
}

std::string to_ini(const Config& config) {
  std::string ini;
  for (std::size_t topic = 0; topic < std::size(kTopics); ++topic) {
    ini += fmt::format("{}# {}\n", topic ? "\n" : "", kTopics[topic]);
    for (const OptionRow& row : option_table())
      if (row.in_ini && static_cast<std::size_t>(row.topic) == topic)
        ini += fmt::format("{} = {}\n", row.name, quoted_where_needed(get_option(row, config)));
  }
  return ini;
}

}  // namespace quantimed

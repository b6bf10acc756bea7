// SPDX-License-Identifier: BSD-3-Clause
#include "command/table_text.hpp"

#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "base/temporary.hpp"
#include "statistics/text.hpp"

#include <fmt/format.h>
#include <cerrno>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <system_error>

namespace quantimed {

namespace {

std::size_t width_of(const std::string& utf8) {  // one column a code point
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// A sentence cut at its numbers: texts[0] numbers[0] texts[1] … texts.back(). What follows a letter is part of a name.
struct Pieces {
  std::vector<std::string> texts, numbers;
};

Pieces cut(const std::string& sentence) {
  static const std::regex kNumber(R"(\b\d+(\.\d+)?)");
  Pieces result;
  std::string rest = sentence;
  for (std::sregex_iterator at(sentence.begin(), sentence.end(), kNumber), end; at != end; ++at) {
    result.texts.push_back(at->prefix());
    result.numbers.push_back(at->str());
    rest = at->suffix();
  }
  result.texts.push_back(rest);
  return result;
}

}  // namespace

std::vector<std::pair<std::string, std::size_t>> tally(std::span<const std::string> sentences) {
  struct Range {
    std::string least, most;
  };
  struct Group {
    std::vector<Range> ranges;
    std::size_t count = 0;
  };
  const auto value = [](const std::string& number) { return std::strtod(number.c_str(), nullptr); };
  std::map<std::vector<std::string>, Group> groups;  // by the texts between the numbers
  for (const std::string& sentence : sentences) {
    const Pieces parts = cut(sentence);
    Group& group = groups[parts.texts];
    if (group.count++ == 0)
      for (const std::string& number : parts.numbers) group.ranges.push_back({number, number});
    for (std::size_t k = 0; k < parts.numbers.size(); ++k) {
      auto& [least, most] = group.ranges[k];
      least = std::min(least, parts.numbers[k], [&](auto& a, auto& b) { return value(a) < value(b); });
      most = std::max(most, parts.numbers[k], [&](auto& a, auto& b) { return value(a) < value(b); });
    }
  }
  std::vector<std::pair<std::string, std::size_t>> result;
  for (const auto& [texts, group] : groups) {
    std::string sentence = texts.front();
    for (std::size_t k = 0; k < group.ranges.size(); ++k) {
      const auto& [least, most] = group.ranges[k];
      sentence += (least == most ? least : fmt::format("{}–{}", least, most)) + texts[k + 1];
    }
    result.emplace_back(sentence, group.count);
  }
  return result;
}

std::string estimate_text(const Estimate& e, const char* unit, const char* infinite) {
  if (std::isnan(e.median)) return "—";
  return fmt::format("{}{} {}", figure_text(e.median, infinite), std::isinf(e.median) ? "" : unit,
                     bracket_text(e, infinite));
}

std::string table_text(const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::size_t> widths(lines.front().size(), 0);
  for (const auto& line : lines)
    for (std::size_t k = 0; k < line.size(); ++k) widths[k] = std::max(widths[k], width_of(line[k]));
  std::string text;
  for (std::size_t l = 0; l < lines.size(); ++l) {
    text += "|";
    for (std::size_t k = 0; k < widths.size(); ++k)
      text += " " + lines[l][k] + std::string(widths[k] - width_of(lines[l][k]), ' ') + " |";
    text += "\n";
    if (l > 0) continue;
    text += "|";
    for (const std::size_t width : widths) text += std::string(width + 2, '-') + "|";
    text += "\n";
  }
  return text;
}

void write_text(const std::string& path, const std::string& text) {
  std::error_code error, ignored;
  std::filesystem::path target = std::filesystem::canonical(path, error);  // behind links
  if (error) target = path;
  errno = 0;
  const std::filesystem::path made = make_temporary_beside(target);
  int code = errno;
  if (!made.empty()) {
    errno = 0;
    std::ofstream file(made);
    file << text;
    file.close();
    code = errno;
    if (file) std::filesystem::rename(made, target, error);
    if (file && !error) return;
    if (file) code = error.value();
    std::filesystem::remove(made, ignored);
  }
  if (is_shortage(code)) throw MachineRefused("--output {}: cannot be written: {}", path, path_failure(code));
  throw InputError("--output {}: cannot be written: {}", path, path_failure(code));
}

}  // namespace quantimed

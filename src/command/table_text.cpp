#include "command/table_text.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <fstream>

namespace quantimed {

namespace {

std::size_t width_of(const std::string& utf8) {  // one column a code point
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string spread_text(const Spread& s, const char* unit, const char* infinite) {
  if (std::isnan(s.median)) return "—";
  const auto figure = [&](double v) -> std::string {
    if (std::isinf(v)) return infinite;
    return v >= 1e4 && v < 1e7 ? fmt::format("{:.0f}", v) : fmt::format("{:.4g}", v);
  };
  return fmt::format("{}{} [{}–{}]", figure(s.median), std::isinf(s.median) ? "" : unit, figure(s.min), figure(s.max));
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
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) throw InputError("--output {}: cannot be written; free some space or write elsewhere", path);
}

}  // namespace quantimed

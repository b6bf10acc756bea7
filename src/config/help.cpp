// SPDX-License-Identifier: BSD-3-Clause
#include "config/help.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <sstream>

#include "config/option_table.hpp"

namespace quantimed {

namespace {

constexpr std::size_t kWidth = 100;   // columns
constexpr std::size_t kIndent = 28;   // where the explanations start
constexpr std::size_t kListing = 34;  // where those of listed values start

constexpr const char* kIntroduction =
    "quantimed: straggler-resilient, communication-efficient decentralized SGD, measured head to head\n";

// `left` in its own column, `text` wrapped beside it; under it where `left` is too wide.
std::string entry(const std::string& left, const std::string& text, std::size_t column) {
  std::string out = left;
  std::size_t at = left.size();
  if (at + 2 > column) {
    out += '\n';
    at = 0;
  }
  out.append(column - at, ' ');
  at = column;
  std::istringstream words(text);
  bool is_first = true;
  for (std::string word; words >> word;) {
    if (!is_first && at + 1 + word.size() > kWidth) {
      out += '\n';
      out.append(column, ' ');
      at = column;
      is_first = true;
    }
    out += (is_first ? "" : " ") + word;
    at += word.size() + !is_first;
    is_first = false;
  }
  return out + '\n';
}

std::string command_lines() {
  std::string out = "Commands:\n";
  for (const CommandRow& row : command_table())
    out += entry(fmt::format("  {} {}", row.name, row.arguments), row.help, kIndent);
  return out;
}

// The commands' names in the mask, where they are not simply those that run something.
std::string restriction(const OptionRow& row, unsigned commands) {
  if (commands != ~0u || (row.commands & kRuns) == kRuns) return "";
  std::string names;
  for (const CommandRow& command : command_table())
    if (row.commands & command.bit) names += (names.empty() ? "" : ", ") + std::string(command.name);
  return fmt::format(" ({} only)", names);
}

std::string option_lines(const OptionRow& row, unsigned commands, const Config& defaults) {
  const std::string syntax = value_syntax(row);
  std::string text = row.help + restriction(row, commands);
  if (!is_switch(row) && !std::holds_alternative<std::monostate>(row.field))
    text += fmt::format(" [{}]", get_option(row, defaults));
  std::string out = entry(fmt::format("  --{}{}{}", row.name, syntax.empty() ? "" : " ", syntax), text, kIndent);
  if (row.listing)
    for (const auto& [value, meaning] : row.listing()) out += entry(fmt::format("      {}", value), meaning, kListing);
  return out;
}

std::string topic_lines(unsigned commands, const Config& defaults) {
  std::string out;
  for (std::size_t topic = 0; topic < std::size(kTopics); ++topic) {
    std::string lines;
    for (const OptionRow& row : option_table())
      if (static_cast<std::size_t>(row.topic) == topic && (row.commands & commands))
        lines += option_lines(row, commands, defaults);
    if (lines.empty()) continue;
    std::string title = kTopics[topic];
    title[0] = static_cast<char>(title[0] - 'a' + 'A');
    out += fmt::format("\n{}:\n{}", title, lines);
  }
  return out;
}

std::string exit_lines() {
  std::string out = "\nExit status:\n";
  for (const auto& [status, meaning] : kExitStatuses) out += entry(fmt::format("  {}", status), meaning, kIndent);
  return out;
}

}  // namespace

std::string short_help() {
  return std::string(kIntroduction) + "\nUsage: quantimed COMMAND [OPTIONS]\n\n" + command_lines() +
         "\nquantimed --help explains every option. A first run:\n"
         "  quantimed run --dataset digits\n";
}

std::string full_help() {
  return std::string(kIntroduction) + "\nUsage: quantimed COMMAND [OPTIONS]\n\n" + command_lines() +
         topic_lines(~0u, Config{}) + exit_lines();
}

std::string command_help(const std::string& command) {
  const CommandRow& row = *find_command(command);
  return fmt::format("Usage: quantimed {} {}\n{}\n{}", row.name, row.arguments, row.help,
                     topic_lines(row.bit, default_config(command)) + exit_lines());
}

}  // namespace quantimed

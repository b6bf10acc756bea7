// SPDX-License-Identifier: BSD-3-Clause
#include "trace/trace.hpp"

#include <fmt/core.h>

#include <charconv>
#include <system_error>
#include <type_traits>

namespace quantimed {

const char* to_string(RunStatus status) {
  switch (status) {
    case RunStatus::running:
      return "running";
    case RunStatus::complete:
      return "complete";
    case RunStatus::interrupted:
      return "interrupted";
    case RunStatus::diverged:
      return "diverged";
  }
  return "unknown";
}

const Attribute* find(const Attributes& attributes, const std::string& name) {
  for (const auto& [key, value] : attributes)
    if (key == name) return &value;
  return nullptr;
}

double number(const Attributes& attributes, const std::string& name, double otherwise) {
  const Attribute* attribute = find(attributes, name);
  if (attribute == nullptr) return otherwise;
  return std::visit(
      [&](const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>)
          return otherwise;
        else
          return static_cast<double>(value);
      },
      *attribute);
}

std::string text(const Attributes& attributes, const std::string& name, const std::string& otherwise) {
  const Attribute* attribute = find(attributes, name);
  const auto* value = attribute == nullptr ? nullptr : std::get_if<std::string>(attribute);
  return value == nullptr ? otherwise : *value;
}

Attribute to_attribute(const std::string& text) {
  const char *first = text.data(), *last = first + text.size();
  if (text == "true" || text == "false") return text == "true";
  const auto all_of = [&](auto& value) {
    const auto [end, error] = std::from_chars(first, last, value);
    return end == last && error == std::errc{};
  };
  if (std::int64_t whole = 0; all_of(whole)) return whole;
  if (double value = 0; all_of(value)) return value;
  return text;
}

std::string to_text(const Attribute& attribute) {
  return std::visit([](const auto& value) { return fmt::format("{}", value); }, attribute);
}

std::string to_text(const Attributes& attributes) {
  std::string lines;
  for (const auto& [name, value] : attributes) lines += fmt::format("{} = {}\n", name, to_text(value));
  return lines;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Texts of options' values: the items of a list, and how a refusal quotes one.
#pragma once

#include <fmt/core.h>

#include <string>

namespace quantimed {

// In every locale.
inline bool is_digit(char c) { return '0' <= c && c <= '9'; }
inline bool is_letter(char c) { return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z'); }

// Without blanks around it: "dsgd, q-dsgd" is a list, too.
inline std::string trimmed(const std::string& item, const char* blanks = " ") {
  const std::size_t first = item.find_first_not_of(blanks);
  return first == std::string::npos ? "" : item.substr(first, item.find_last_not_of(blanks) - first + 1);
}

// What an item of `text` is called in front of what is wrong with it; nothing where it is the whole text.
inline std::string quoted_item(const std::string& text, const std::string& item) {
  return item == text ? "" : fmt::format("\"{}\" is ", item);
}

}  // namespace quantimed

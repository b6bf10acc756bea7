// SPDX-License-Identifier: BSD-3-Clause
// VALID, or INVALID and every reason why the times of a run do not count.
#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quantimed {

class Verdict {
 public:
  Verdict() = default;  // VALID
  // As it is written. What is neither VALID nor INVALID with a reason is kept as it is, and is not known.
  Verdict(std::string_view text);
  Verdict(const char* text) : Verdict(std::string_view(text)) {}
  Verdict(const std::string& text) : Verdict(std::string_view(text)) {}

  // One more reason, unless it is there already. The written form separates reasons by "; ", so inside of one it
  // becomes ", ".
  void reject(std::string_view why);
  void reject_as(const Verdict& other);  // all reasons of another one

  bool is_valid() const { return reasons_.empty() && unknown_.empty(); }
  bool is_known() const { return unknown_.empty(); }
  std::span<const std::string> reasons() const { return reasons_; }
  std::string why() const;   // "a; b"
  std::string text() const;  // "VALID", "INVALID: a; b"
  operator std::string() const { return text(); }

  bool operator==(const Verdict&) const = default;

 private:
  std::vector<std::string> reasons_;
  std::string unknown_;
};

}  // namespace quantimed

template <>
struct fmt::formatter<quantimed::Verdict> : fmt::formatter<std::string> {
  auto format(const quantimed::Verdict& verdict, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(verdict.text(), context);
  }
};

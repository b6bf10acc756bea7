// SPDX-License-Identifier: BSD-3-Clause
#include "trace/verdict.hpp"

#include <fmt/ranges.h>

#include <algorithm>

namespace quantimed {

namespace {

constexpr std::string_view kValid = "VALID", kInvalid = "INVALID: ", kSeparator = "; ";

std::string on_one_line_without_separators(std::string_view why) {
  std::string reason(why);
  std::ranges::replace(reason, '\n', ' ');
  for (std::size_t at = 0; (at = reason.find(kSeparator, at)) != std::string::npos;) reason[at] = ',';
  return reason;
}

}  // namespace

Verdict::Verdict(std::string_view text) {
  if (text == kValid) return;
  if (!text.starts_with(kInvalid) || text.size() == kInvalid.size()) {
    unknown_ = text.empty() ? std::string(kInvalid) : std::string(text);
    return;
  }
  for (std::string_view rest = text.substr(kInvalid.size());;) {
    const std::size_t end = std::min(rest.find(kSeparator), rest.size());
    reasons_.emplace_back(rest.substr(0, end));
    if (end == rest.size()) return;
    rest.remove_prefix(end + kSeparator.size());
  }
}

void Verdict::reject(std::string_view why) {
  std::string reason = on_one_line_without_separators(why);
  if (std::ranges::find(reasons_, reason) == reasons_.end()) reasons_.push_back(std::move(reason));
}

void Verdict::reject_as(const Verdict& other) {
  for (const std::string& reason : other.reasons()) reject(reason);
}

std::string Verdict::why() const { return fmt::format("{}", fmt::join(reasons_, kSeparator)); }

std::string Verdict::text() const {
  if (!unknown_.empty()) return unknown_;
  return std::string(reasons_.empty() ? kValid : kInvalid) + why();
}

}  // namespace quantimed

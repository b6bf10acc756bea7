// SPDX-License-Identifier: BSD-3-Clause
#include "statistics/text.hpp"

#include <fmt/format.h>

#include <cmath>

namespace quantimed {

std::string figure_text(double value, const char* infinite) {
  if (std::isnan(value)) return "—";
  if (std::isinf(value)) return infinite;
  return value >= 1e4 && value < 1e7 ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
}

namespace {

std::string ratio_digits(double value) {
  if (std::isinf(value)) return "∞";
  return value >= 100 || value < 0.1 ? fmt::format("{:.3g}", value) : fmt::format("{:.2f}", value);
}

}  // namespace

std::string ratio_text(double value) { return std::isnan(value) ? "—" : ratio_digits(value) + "×"; }

std::string ratio_text(const Estimate& e) {
  if (e.spread == SpreadKind::none || std::isnan(e.median)) return ratio_text(e.median);
  return fmt::format("{} [{}–{}]", ratio_text(e.median), ratio_digits(e.low), ratio_digits(e.high));
}

std::string bracket_text(const Estimate& e, const char* infinite) {
  if (e.spread == SpreadKind::none) return "";
  return fmt::format("[{}–{}]", figure_text(e.low, infinite), figure_text(e.high, infinite));
}

std::string spread_kind_text(std::size_t n, const std::string& unit) {
  const std::size_t rank = interval_rank(n);
  if (rank == 0) return fmt::format("[a–b] is the range of {} {}{}", n, unit, n == 1 ? "" : "s");
  return fmt::format("[a–b] holds the true median with {:.1f} % ({} {}s)", 100 * coverage(n, rank), n, unit);
}

}  // namespace quantimed

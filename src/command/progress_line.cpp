// SPDX-License-Identifier: BSD-3-Clause
#include "command/progress_line.hpp"

#include "base/streams.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace quantimed {

namespace {
// In a file a line now and then, and none of what ends soon.
constexpr double kFirstLine_s = 20;
constexpr std::chrono::milliseconds kBetweenLines(30'000), kRefresh(200);
}  // namespace

ProgressLine::ProgressLine(std::size_t pieces, bool quiet)
    : pieces_(pieces), active_(!quiet), is_terminal_(::isatty(STDERR_FILENO)) {}

void ProgressLine::show(std::size_t piece, const std::string& name, double done) {
  if (!active_) return;
  const auto now = Clock::now();
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  if (elapsed < (is_terminal_ ? 1 : kFirstLine_s) || now - last_ < (is_terminal_ ? kRefresh : kBetweenLines)) return;
  last_ = now;
  const double share = (static_cast<double>(piece) + std::clamp(done, 0.0, 1.0)) / static_cast<double>(pieces_);
  const double left = share > 0 ? elapsed * (1 - share) / share : 0;
  const std::string count = pieces_ > 1 ? fmt::format("{}/{}  ", piece + 1, pieces_) : "";
  tell("{}{}{}  {:.0f} %  about {} left{}", is_terminal_ ? "\r\033[K" : "", count, name, 100 * share,
       duration_text(left), is_terminal_ ? "" : "\n");
  std::fflush(stderr);
  visible_ = is_terminal_;
}

void ProgressLine::clear() {
  if (visible_) tell("\r\033[K");
  visible_ = false;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace quantimed

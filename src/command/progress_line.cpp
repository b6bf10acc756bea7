#include "command/progress_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace quantimed {

ProgressLine::ProgressLine(std::size_t pieces, bool quiet)
    : pieces_(pieces), active_(!quiet && ::isatty(STDERR_FILENO)) {}

void ProgressLine::show(std::size_t piece, const std::string& name, double done) {
  if (!active_) return;
  const auto now = Clock::now();
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  if (elapsed < 1 || now - last_ < std::chrono::milliseconds(200)) return;
  last_ = now;
  const double share = (static_cast<double>(piece) + std::clamp(done, 0.0, 1.0)) / static_cast<double>(pieces_);
  const double left = share > 0 ? elapsed * (1 - share) / share : 0;
  const std::string count = pieces_ > 1 ? fmt::format("{}/{}  ", piece + 1, pieces_) : "";
  fmt::print(stderr, "\r\033[K{}{}  {:.0f} %  about {} left", count, name, 100 * share, duration_text(left));
  std::fflush(stderr);
  visible_ = true;
}

void ProgressLine::clear() {
  if (visible_) fmt::print(stderr, "\r\033[K");
  visible_ = false;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace quantimed

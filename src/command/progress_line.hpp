// SPDX-License-Identifier: BSD-3-Clause
// How far a command is and how long it will take: one line on a terminal; elsewhere, in a job's log, a line every half
// minute.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace quantimed {

class ProgressLine {
 public:
  // `pieces`: equal parts of the whole (the runs of a comparison).
  ProgressLine(std::size_t pieces, bool quiet);
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Piece number `piece`, called `name`, is done to this share (0 … 1).
  void show(std::size_t piece, const std::string& name, double done);
  void clear();
  bool active() const { return active_; }  // is anything ever shown?

 private:
  using Clock = std::chrono::steady_clock;
  std::size_t pieces_;
  bool active_, is_terminal_;
  bool visible_ = false;
  Clock::time_point start_ = Clock::now(), last_{};
};

// "3 s", "2 min 05 s", "1 h 10 min"
std::string duration_text(double seconds);

}  // namespace quantimed

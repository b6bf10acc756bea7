// SPDX-License-Identifier: BSD-3-Clause
// How the generated digits are written: strokes on the unit square, x to the right, y downwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quantimed {

struct StrokePoint {
  double x, y;
};

struct Stroke {
  bool smooth;  // a curve through the points, else straight lines between them
  std::vector<StrokePoint> points;
};

inline constexpr std::size_t kMostPoints = 16;  // in one stroke

// All ways to write one digit (0 … 9), each a list of strokes.
std::span<const std::vector<Stroke>> ways_to_write(std::uint32_t digit);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// A step that changes with the iteration.
#pragma once

#include "base/types.hpp"

#include <vector>

namespace quantimed {

struct AlphaSchedule {
  struct Piece {
    Round until = 0;  // holds in iterations below this one, and the last piece in all that follow
    Real alpha = 0;
  };
  std::vector<Piece> pieces = {};  // ascending; empty: the step is the usual one throughout
  Round warm_up = 0;               // iterations in which the step grows in a straight line, from 1/warm_up of itself

  // α_t
  Real at(Round t, Real usual) const {
    Real alpha = usual;
    for (const Piece& piece : pieces) {
      alpha = piece.alpha;
      if (t < piece.until) break;
    }
    if (t >= warm_up) return alpha;
    return alpha * static_cast<Real>(t + 1) / static_cast<Real>(warm_up);
  }
};

}  // namespace quantimed

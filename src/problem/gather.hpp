// SPDX-License-Identifier: BSD-3-Clause
// A batch's rows as the numbers that a problem computes with. Data sets are float32: in double precision each feature
// is that float, so that both precisions minimise the same function.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "problem/problem.hpp"

namespace quantimed {

// out[k · stride …] ← the features of row k, moved as the batch says.  out: [rows, stride], stride ≥ features
template <class Number>
void gather(const Dataset& data, const Batch& rows, std::size_t stride, Number* out) {
  const std::size_t p = data.features;
  if constexpr (std::is_same_v<Number, float>) {
    if (stride == p) {
      data.gather(rows.rows(), out);
    } else {
      for (std::size_t k = 0; k < rows.size(); ++k) data.gather(rows.rows().subspan(k, 1), out + k * stride);
    }
    for (std::size_t k = 0; k < rows.size(); ++k) rows.move(data, k, out + k * stride);
  } else {
    // The floats of a row first lie in the second half of its own room, where none is written over that is still to be
    // read.
    static_assert(sizeof(Number) == 2 * sizeof(float));
    constexpr std::size_t kBlock = 256;
    float block[kBlock];
    for (std::size_t k = 0; k < rows.size(); ++k) {
      Number* const row = out + k * stride;
      float* const floats = reinterpret_cast<float*>(row) + p;
      data.gather(rows.rows().subspan(k, 1), floats);
      rows.move(data, k, floats);
      for (std::size_t first = 0; first < p; first += kBlock) {
        const std::size_t count = std::min(kBlock, p - first);
        std::memcpy(block, floats + first, count * sizeof(float));
        std::copy_n(block, count, row + first);
      }
    }
  }
}

}  // namespace quantimed

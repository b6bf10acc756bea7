// SPDX-License-Identifier: BSD-3-Clause
#include "problem/sparse_input.hpp"

#include <algorithm>

#include "base/instructions.hpp"

namespace quantimed {

namespace {

// Four sums at a time: a single one would wait for each addition. They are added in one order always.
QUANTIMED_KERNEL Real gathered_dot(SparseRow row, const Real* w) {
  constexpr std::size_t kSums = 4;
  Real sums[kSums] = {};
  const std::size_t count = row.values.size(), whole = count - count % kSums;
  for (std::size_t e = 0; e < whole; e += kSums)
    for (std::size_t s = 0; s < kSums; ++s) sums[s] += row.values[e + s] * w[row.columns[e + s]];
  for (std::size_t e = whole; e < count; ++e) sums[e - whole] += row.values[e] * w[row.columns[e]];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// Sampled rows lie anywhere, so the next one's is asked for while this one is worked off.
void prefetch(const SparseRow& row) {
  for (std::size_t e = 0; e < row.values.size(); e += kCacheLine / sizeof(float)) {
    __builtin_prefetch(&row.columns[e]);
    __builtin_prefetch(&row.values[e]);
  }
}

// z += row · W
QUANTIMED_KERNEL void add_product(SparseRow row, const Real* w, std::size_t outputs, Real* z) {
  for (std::size_t e = 0; e < row.values.size(); ++e) {
    const Real value = row.values[e];
    const Real* const from = w + row.columns[e] * outputs;
    for (std::size_t j = 0; j < outputs; ++j) z[j] += value * from[j];
  }
}

// G += rowᵀ d
QUANTIMED_KERNEL void add_outer(SparseRow row, const Real* d, std::size_t outputs, Real* g) {
  for (std::size_t e = 0; e < row.values.size(); ++e) {
    const Real value = row.values[e];
    Real* const to = g + row.columns[e] * outputs;
    for (std::size_t j = 0; j < outputs; ++j) to[j] += value * d[j];
  }
}

}  // namespace

void sparse_forward(const SparseRows& x, std::span<const SampleId> rows, const Real* w, std::size_t outputs,
                    bool accumulate, Real* z) {
  for (std::size_t k = 0; k < rows.size(); ++k, z += outputs) {
    if (k + 1 < rows.size()) prefetch(x.row(rows[k + 1]));
    const SparseRow row = x.row(rows[k]);
    if (!accumulate) std::fill_n(z, outputs, 0.0f);
    if (outputs == 1)
      z[0] += dispatched<gathered_dot>(row, w);
    else
      dispatched<add_product>(row, w, outputs, z);
  }
}

void sparse_backward(const SparseRows& x, std::span<const SampleId> rows, const Real* d, std::size_t outputs, Real* g) {
  for (std::size_t k = 0; k < rows.size(); ++k, d += outputs) dispatched<add_outer>(x.row(rows[k]), d, outputs, g);
}

}  // namespace quantimed

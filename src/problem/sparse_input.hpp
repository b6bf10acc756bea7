// SPDX-License-Identifier: BSD-3-Clause
// The first layer's two products where the batch is of sparse rows: they read and write those rows of W alone that the
// samples speak of.
#pragma once

#include <cstddef>
#include <span>

#include "dataset/dataset.hpp"

namespace quantimed {

// Z ← X W, or Z += X W where `accumulate`.  rows of X: those of `rows`; W: [features, outputs]; Z: [rows, outputs]
void sparse_forward(const SparseRows& x, std::span<const SampleId> rows, const Real* w, std::size_t outputs,
                    bool accumulate, Real* z);

// G += Xᵀ D.  D: [rows, outputs]; G: [features, outputs]
void sparse_backward(const SparseRows& x, std::span<const SampleId> rows, const Real* d, std::size_t outputs, Real* g);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Sparse classes of any size, shaped like bags of words: some features are in many rows, most in few.
#pragma once

#include "dataset/dataset.hpp"

namespace quantimed {

// "sparse-logistic:D,DENSITY,N": rows of k = round(D · DENSITY) ≥ 1 different columns ⌊D u²⌋, u uniform, with values
// N(0, 1)/√k; w ~ N(0, I), P(y = 1) = σ(3 aᵀw). N training samples and N/5 to test with; the seed alone fixes every
// one. Throws InputError for numbers out of range, and MachineRefused where memory does not hold it.
DataSplit generate_sparse_logistic(const DatasetRequest& request);

}  // namespace quantimed

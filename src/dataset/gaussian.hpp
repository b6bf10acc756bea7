// SPDX-License-Identifier: BSD-3-Clause
// Normal features with a linear model's answers: problems whose solution can be computed (theory/).
#pragma once

#include "base/random.hpp"
#include "dataset/dataset.hpp"

namespace quantimed {

// "gaussian-linear:D":    a ~ N(0, I) of D features, w ~ N(0, I/D), y = aᵀw + ½ N(0, 1)
// "gaussian-logistic:D":  the same a and w, P(y = 1) = σ(3 aᵀw)
// 10,000 and 2,000 samples, or with "D,N" N and N/5; the seed alone fixes every one. Throws InputError for a D outside
// 1 … 2,000.
DataSplit generate_gaussian(const DatasetRequest& request);

// One value of N(0, 1), from two draws.
double normal(Stream& random);

}  // namespace quantimed

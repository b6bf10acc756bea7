// SPDX-License-Identifier: BSD-3-Clause
// Features of mean 0 and standard deviation 1.
#pragma once

#include "dataset/dataset.hpp"

namespace quantimed {

// Fills scale and shift of both parts in, from the training set: for each colour of an image, one for a grey image, for
// each column of a table. What never changes becomes 0. Throws InputError: sparse rows, or beyond float32.
void normalise(DataSplit& split);

}  // namespace quantimed

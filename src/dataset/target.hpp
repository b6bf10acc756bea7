// SPDX-License-Identifier: BSD-3-Clause
// What the numbers that stand as targets are, where the files leave it open: labels of classes, or values to regress
// on.
#pragma once

#include "dataset/dataset.hpp"

namespace quantimed {

enum class Target { automatic, classes, regression };

struct TargetWish {
  Target asked = Target::automatic;    // by the user
  Target leaning = Target::automatic;  // what the model would have of whole numbers that may be either
};

// As load_dataset(request), which wishes nothing. A test set never changes training: features, classes and what targets
// are come of the training set alone. `request.classes` are labels as they stand in the files.
DataSplit load_dataset(const DatasetRequest& request, const TargetWish& wish);

}  // namespace quantimed

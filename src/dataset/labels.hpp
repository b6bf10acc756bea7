// SPDX-License-Identifier: BSD-3-Clause
// From the numbers that stand as targets in a source to classes, or to values to regress on. Training alone decides:
// a test set is read with what was decided for training, whatever it holds.
#pragma once

#include "dataset/formats.hpp"
#include "dataset/target.hpp"

namespace quantimed {

// Takes what `reading` found, fills `classes`, `targets` and `source.labels` in, and keeps request.classes alone.
// Throws InputError: contradicts --target or --classes, all labels the same, or a test label that training lacks.
DataSplit decide_targets(Reading reading, const DatasetRequest& request, const TargetWish& wish);

}  // namespace quantimed

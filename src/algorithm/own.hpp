// SPDX-License-Identifier: BSD-3-Clause
// Rows from outside of this repository, in programs that link the library with its main().
#pragma once

#include "algorithm/table.hpp"

namespace quantimed {

// At namespace scope, so that the table is complete before main(). The commit in a trace is the library's, and says
// nothing of this row's text: once that has changed, run again with --overwrite, or under another name.
struct OwnAlgorithm {
  explicit OwnAlgorithm(const AlgorithmRow& row);
};

std::span<const AlgorithmRow> own_algorithms();

}  // namespace quantimed

// Rows from outside of this repository, in programs that link the library with its main().
#pragma once

#include "algorithm/table.hpp"

namespace quantimed {

// At namespace scope, so that the table is complete before main().
struct OwnAlgorithm {
  explicit OwnAlgorithm(const AlgorithmRow& row);
};

std::span<const AlgorithmRow> own_algorithms();

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Handwriting-like digits, generated: something to learn from on a machine without any data set.
#pragma once

#include "dataset/dataset.hpp"

namespace quantimed {

inline constexpr std::uint32_t kDigitsTrain = 10'000;
inline constexpr std::uint32_t kDigitsTest = 2'000;
inline constexpr std::uint32_t kDigitsSide = 28;  // pixels

// 28×28 grey images as bytes, ten classes in equal numbers and random order. The seed alone fixes every byte,
// whatever the number of threads: sample i of both parts together draws from the stream of node i.
DataSplit generate_digits(std::uint64_t seed);
// "digits", or "digits:N" with N training images and N/5 to test with.
DataSplit generate_digits(const DatasetRequest& request);

}  // namespace quantimed

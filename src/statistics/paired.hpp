// SPDX-License-Identifier: BSD-3-Clause
// Whether one of a pair is faster: tests on ratios, and Holm's correction for several.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace quantimed {

enum class PairedTest { none, log_t, sign };

struct PairedP {
  PairedTest test = PairedTest::none;
  double p = 1;  // two-sided, of "ratio 1"; 1 where the ratios do not point above 1
};

// Fewer pairs than these name no winner, whatever their ratios: between two equals whose ratios all have one size,
// 2 of 2ⁿ outcomes point one way with no spread at all.
inline constexpr std::size_t kLeastPairs = 5;

// Whether ratios (theirs over mine) lie above 1. Student's t of their logarithms where all are above 0 and finite:
// times scatter by factors. Otherwise the exact sign test, in which a pair counts for us where its ratio is above 1.
// A ratio that is known within bounds only is given by its lower bound, 0 where nothing is known.
PairedP ratios_above_one(std::span<const double> ratios);

// The geometric mean of ratios and Student's t interval of it, at kLevel. All finite and above 0; two or more.
struct GeometricMean {
  double mean, low, high;
};
GeometricMean geometric_mean(std::span<const double> ratios);

// Holm's step-down adjustment: p[k] becomes the lowest level at which comparison k is still rejected when all of them
// are made together (Holm, Scand. J. Statist. 6, 1979).
std::vector<double> holm(std::span<const double> p);

}  // namespace quantimed

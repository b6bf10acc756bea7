// SPDX-License-Identifier: BSD-3-Clause
// The number that models, gradients and exact messages are made of: float32, or float64 in the program that
// `--precision double` starts (QUANTIMED_DOUBLE). Data sets, lossy codes and records of time are float32 in both.
#pragma once

namespace quantimed {

#ifdef QUANTIMED_DOUBLE
using Real = double;
inline constexpr const char* kPrecision = "double";
#else
using Real = float;
inline constexpr const char* kPrecision = "single";
#endif

inline constexpr bool kIsDouble = sizeof(Real) == sizeof(double);

}  // namespace quantimed

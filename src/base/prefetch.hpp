// SPDX-License-Identifier: BSD-3-Clause
// Memory that will be read soon, asked for before it is. It changes no result: where there are many nodes, each of them
// has left the cache when its turn comes, and what it consists of is then fetched all at once instead of piece by
// piece.
#pragma once

#include "base/types.hpp"

#include <algorithm>
#include <cstddef>

namespace quantimed {

// Addresses need not be valid: nothing is read.
inline void prefetch(const void* memory, std::size_t bytes = 1) {
  constexpr std::size_t kMost = 1024;  // of long arrays their beginning: the machine itself follows from there
  const char* const first = static_cast<const char*>(memory);
  for (std::size_t at = 0; at < std::min(bytes, kMost); at += kCacheLine) __builtin_prefetch(first + at);
}

}  // namespace quantimed

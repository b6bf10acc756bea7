// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/huge_pages.hpp"

#include <sys/mman.h>

#include <cstdint>

namespace quantimed {

namespace {

constexpr std::uintptr_t kHugePage = std::uintptr_t{1} << 21;
constexpr int kCollapse = 25;  // MADV_COLLAPSE, which headers before Linux 6.1 do not name

template <class T>
void wish_for(std::vector<T>& list) {
  wish_huge_pages(list.data(), list.size() * sizeof(T));
}

}  // namespace

void wish_huge_pages(void* memory, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (begin + kHugePage - 1) / kHugePage * kHugePage,
                       last = (begin + bytes) / kHugePage * kHugePage;
  if (first >= last) return;
  void* const whole = reinterpret_cast<void*>(first);
  if (::madvise(whole, last - first, MADV_HUGEPAGE) == 0) static_cast<void>(::madvise(whole, last - first, kCollapse));
}

void wish_huge_pages(Dataset& data) {
  wish_for(data.bytes);
  wish_for(data.values);
  wish_for(data.sparse.columns);
  wish_for(data.sparse.values);
}

}  // namespace quantimed

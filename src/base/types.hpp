// SPDX-License-Identifier: BSD-3-Clause
// The words that the whole program shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <span>
#include <vector>

#include "base/real.hpp"

namespace quantimed {

using NodeId = std::uint32_t;    // 0 … n−1
using Round = std::uint32_t;     // iteration t of one node
using SampleId = std::uint32_t;  // row of a data set
using Seconds = double;          // of the run's own clock, real or virtual

inline constexpr Seconds kForever = std::numeric_limits<Seconds>::infinity();

// The largest batch: traces keep counts as floats, which are exact up to here.
inline constexpr std::uint32_t kMostSamples = 1u << 24;

// Two cache lines: adjacent-line prefetchers couple neighbouring lines on x86.
inline constexpr std::size_t kCacheLine = 64;
inline constexpr std::size_t kSeparation = 2 * kCacheLine;

// std::vector storage that starts on a cache line and is left uninitialised on resize(),
// so that the thread that first writes a page owns it.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) noexcept {}
  T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{kCacheLine}));
  }
  void deallocate(T* p, std::size_t) noexcept { ::operator delete (p, std::align_val_t{kCacheLine}); }
  template <class U>
  void construct(U* p) noexcept(noexcept(::new (static_cast<void*>(p)) U)) {
    ::new (static_cast<void*>(p)) U;
  }
  template <class U, class... Args>
  void construct(U* p, Args&&... args) {
    ::new (static_cast<void*>(p)) U(static_cast<Args&&>(args)...);
  }
  template <class U>
  bool operator==(const AlignedAllocator<U>&) const noexcept {
    return true;
  }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace quantimed

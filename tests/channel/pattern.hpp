// SPDX-License-Identifier: BSD-3-Clause
// The torn-message detector: every word of a payload follows from its version and its place, and so does the length.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <thread>

#include "base/types.hpp"

namespace quantimed::testing {

// Ordinary memory, as codecs use it: ThreadSanitizer sees every race.
struct Plain {
  static std::uint64_t load(const std::byte* p) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    return word;
  }
  static void store(std::byte* p, std::uint64_t word) { std::memcpy(p, &word, sizeof word); }
};

// For mailboxes that are broken on purpose: torn messages without undefined behaviour.
struct Relaxed {
  static std::uint64_t load(const std::byte* p) {
    auto* word = reinterpret_cast<std::uint64_t*>(const_cast<std::byte*>(p));
    return std::atomic_ref(*word).load(std::memory_order_relaxed);
  }
  static void store(std::byte* p, std::uint64_t word) {
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(p)).store(word, std::memory_order_relaxed);
  }
};

inline std::uint64_t pattern_word(std::uint64_t version, std::size_t index) {
  const std::uint64_t mixed = (version * 0x9e3779b97f4a7c15u) ^ (index * 0xbf58476d1ce4e5b9u + 1);
  return (mixed ^ (mixed >> 29)) * 0x94d049bb133111ebu;
}

// Lengths differ from message to message: capacity/2 … capacity, in whole words.
inline std::size_t pattern_bytes(std::uint64_t version, std::size_t capacity) {
  const std::size_t words = capacity / 8;
  return 8 * (words - pattern_word(version, words) % (words / 2 + 1));
}

// Delays are injected where threads meet: usually none, now and then a busy loop or the core given away.
class Jitter {
 public:
  explicit Jitter(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint32_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(state_ >> 33);
  }
  void delay() {
    const std::uint32_t kind = next() % 16;
    if (kind == 0) std::this_thread::yield();
    if (kind >= 1 && kind <= 3)
      for (std::uint32_t i = next() % 300; i > 0; --i) std::atomic_signal_fence(std::memory_order_seq_cst);
  }

 private:
  std::uint64_t state_;
};

// Half-way through, a writer may be delayed: that is when a reader must not look.
template <class Access = Plain>
std::size_t fill_pattern(std::span<std::byte> buffer, std::uint64_t version, Jitter& jitter) {
  const std::size_t bytes = pattern_bytes(version, buffer.size());
  for (std::size_t i = 0; i < bytes / 8; ++i) {
    if (i == bytes / 16) jitter.delay();
    Access::store(buffer.data() + 8 * i, pattern_word(version, i));
  }
  return bytes;
}

template <class Access = Plain>
bool whole(std::span<const std::byte> payload, std::uint64_t version, std::size_t capacity, Jitter& jitter) {
  if (payload.size() != pattern_bytes(version, capacity)) return false;
  bool same = true;
  for (std::size_t i = 0; i < payload.size() / 8; ++i) {
    if (i == payload.size() / 16) jitter.delay();
    same = same && Access::load(payload.data() + 8 * i) == pattern_word(version, i);
  }
  return same;
}

}  // namespace quantimed::testing

// SPDX-License-Identifier: BSD-3-Clause
// Counter-based randomness: a separate stream for each (seed, node, iteration, purpose).
// No stream depends on scheduling, engine or thread count, so two algorithms that run with the same seed
// see the same graph, start, samples and speeds.
//
// Generator: Threefry-4x32 with 12 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
// from the Random123 library. Twelve rounds are the fewest that its authors found to pass all of BigCrush; it is
// chosen over Philox because it needs only 32-bit additions, rotations and xors, which every vector unit has.
#pragma once

#include <Random123/threefry.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace quantimed {

enum class Purpose : std::uint32_t {
  graph,
  initial_model,
  partition,
  samples,
  speed,
  link,
  quantizer,
  generated_data,
  check,
  interference,
  schedule,
  augmentation
};

// Names one stream. `node` and `iteration` are 0 where they have no meaning.
struct StreamKey {
  std::uint64_t seed = 0;
  std::uint32_t node = 0;
  std::uint32_t iteration = 0;
  Purpose purpose = Purpose::check;
  std::uint32_t draw = 0;  // tells apart several of one iteration
};

using Threefry = r123::Threefry4x32_R<12>;

// The four words number 4·block … 4·block + 3 of a stream.
inline std::array<std::uint32_t, 4> random_block(const StreamKey& key, std::uint32_t block) {
  const Threefry::key_type k{{static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32),
                              key.node, static_cast<std::uint32_t>(key.purpose)}};
  const Threefry::ctr_type c{{block, key.iteration, key.draw, 0}};
  const auto r = Threefry{}(c, k);
  return {r[0], r[1], r[2], r[3]};
}

// The same stream as 16-bit words, vectorised, in blocks of 512 that can be had in any order (so that a kernel draws
// as it goes, inside L1). Words 512·block … 512·block + 511. Their order is the kernel's own: for each group of 128,
// the four words of 16 consecutive random_blocks, lane by lane (random.cpp states it exactly).
inline constexpr std::size_t kWordsBlock = 512;
void random_words16(const StreamKey& key, std::uint32_t block, std::span<std::uint16_t, kWordsBlock> out);

// The stream's first out.size() words.
void random_words16(const StreamKey& key, std::span<std::uint16_t> out);

// A stream as a UniformRandomBitGenerator, for the standard library's distributions and our own.
class Stream {
 public:
  using result_type = std::uint32_t;
  explicit Stream(const StreamKey& key) : key_(key) {}
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 0xffffffffu; }
  result_type operator()() {
    if (next_ == 4) {
      words_ = random_block(key_, block_++);
      next_ = 0;
    }
    return words_[next_++];
  }
  // Uniform on [0, 1), 53 bits.
  double uniform() {
    const std::uint64_t high = (*this)() >> 5, low = (*this)() >> 6;
    return static_cast<double>((high << 26) | low) * 0x1.0p-53;
  }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // Uniform on {0, …, bound − 1}; the bias is below bound / 2^32.
  std::uint32_t index(std::uint32_t bound) {
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>((*this)()) * bound) >> 32);
  }

 private:
  StreamKey key_;
  std::uint32_t block_ = 0;
  std::uint32_t next_ = 4;
  std::array<std::uint32_t, 4> words_{};
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "base/random.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/instructions.hpp"

namespace quantimed {

namespace {

// Low half first, then high half, is then what memory holds.
static_assert(std::endian::native == std::endian::little);

constexpr std::uint32_t kLanes = 16;  // random_blocks computed side by side, one a vector lane
constexpr std::uint32_t kGroup = kLanes * 4 * sizeof(std::uint32_t) / sizeof(std::uint16_t);  // 128 words
constexpr std::uint32_t kGroups = kWordsBlock / kGroup;
static_assert(kGroup * kGroups == kWordsBlock);

// The rotations of Threefry-4x32's eight rounds (Salmon et al. 2011, section 4.2; they repeat with period 8).
constexpr int kRotations[8][2] = {{10, 26}, {11, 21}, {13, 27}, {23, 5}, {6, 20}, {17, 11}, {25, 10}, {18, 20}};
constexpr int kRounds = 12;
constexpr std::uint32_t kParity = 0x1BD11BDAu;

// random_block(key, first + lane) for 16 lanes; words: [4, lanes]. Written out a second time, lane by lane, because
// compilers then keep all the state in vector registers (with g++ twice as fast as the library's loop over blocks).
QUANTIMED_KERNEL void threefry_lanes(const StreamKey& key, std::uint32_t first, std::uint32_t (&words)[4][kLanes]) {
  const std::uint32_t k[4] = {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32),
                              key.node, static_cast<std::uint32_t>(key.purpose)};
  const std::uint32_t schedule[5] = {k[0], k[1], k[2], k[3], kParity ^ k[0] ^ k[1] ^ k[2] ^ k[3]};
#pragma omp simd
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    std::uint32_t x0 = first + lane + schedule[0];
    std::uint32_t x1 = key.iteration + schedule[1];
    std::uint32_t x2 = key.draw + schedule[2];
    std::uint32_t x3 = schedule[3];
#pragma GCC unroll 12
    for (int round = 0; round < kRounds; ++round) {
      // Even rounds mix (x0, x1) and (x2, x3); odd rounds (x0, x3) and (x2, x1).
      std::uint32_t& with_x0 = round % 2 == 0 ? x1 : x3;
      std::uint32_t& with_x2 = round % 2 == 0 ? x3 : x1;
      x0 += with_x0;
      with_x0 = std::rotl(with_x0, kRotations[round % 8][0]) ^ x0;
      x2 += with_x2;
      with_x2 = std::rotl(with_x2, kRotations[round % 8][1]) ^ x2;
      if (round % 4 == 3) {
        const auto turn = static_cast<std::uint32_t>(round / 4 + 1);
        x0 += schedule[turn % 5];
        x1 += schedule[(turn + 1) % 5];
        x2 += schedule[(turn + 2) % 5];
        x3 += schedule[(turn + 3) % 5] + turn;
      }
    }
    words[0][lane] = x0;
    words[1][lane] = x1;
    words[2][lane] = x2;
    words[3][lane] = x3;
  }
}

// Group g of 128 words comes from the random_blocks 16 g … 16 g + 15: first word 0 of the sixteen, then word 1, 2, 3;
// each 32-bit word gives its low half, then its high half.
QUANTIMED_KERNEL void draw_block(StreamKey key, std::uint32_t block, std::uint16_t* out) {
  for (std::uint32_t group = 0; group < kGroups; ++group) {
    std::uint32_t words[4][kLanes];
    threefry_lanes(key, (block * kGroups + group) * kLanes, words);
    std::memcpy(out + group * kGroup, words, sizeof(words));
  }
}

}  // namespace

void random_words16(const StreamKey& key, std::uint32_t block, std::span<std::uint16_t, kWordsBlock> out) {
  dispatched<draw_block>(key, block, out.data());
}

void random_words16(const StreamKey& key, std::span<std::uint16_t> out) {
  std::uint32_t block = 0;
  while (out.size() >= kWordsBlock) {
    random_words16(key, block++, out.first<kWordsBlock>());
    out = out.subspan(kWordsBlock);
  }
  if (out.empty()) return;
  std::uint16_t last[kWordsBlock];
  random_words16(key, block, last);
  std::copy_n(last, out.size(), out.begin());
}

}  // namespace quantimed

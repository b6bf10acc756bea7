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

// A lane each. Compilers turn it into whatever vectors there are, and keep all the state in registers (with g++ a third
// faster than a loop over lanes).
using Lanes [[gnu::vector_size(kLanes * sizeof(std::uint32_t))]] = std::uint32_t;

// random_block(key, first + lane) for kTogether groups of 16 lanes; words: [groups, 4, lanes]. A round waits for the
// one before it, so several groups are worked at together where their state fits the registers.
template <std::uint32_t kTogether>
QUANTIMED_KERNEL void threefry_lanes(const StreamKey& key, std::uint32_t first, std::uint16_t* words) {
  const std::uint32_t k[4] = {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32),
                              key.node, static_cast<std::uint32_t>(key.purpose)};
  const std::uint32_t schedule[5] = {k[0], k[1], k[2], k[3], kParity ^ k[0] ^ k[1] ^ k[2] ^ k[3]};
  constexpr Lanes kNumbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  Lanes x[kTogether][4];
  for (std::uint32_t g = 0; g < kTogether; ++g) {
    x[g][0] = kNumbers + (first + g * kLanes + schedule[0]);
    x[g][1] = Lanes{} + (key.iteration + schedule[1]);
    x[g][2] = Lanes{} + (key.draw + schedule[2]);
    x[g][3] = Lanes{} + schedule[3];
  }
#pragma GCC unroll 12
  for (int round = 0; round < kRounds; ++round) {
    // Even rounds mix (x0, x1) and (x2, x3); odd rounds (x0, x3) and (x2, x1).
    const int with_x0 = round % 2 == 0 ? 1 : 3, with_x2 = round % 2 == 0 ? 3 : 1;
    const int left0 = kRotations[round % 8][0], left2 = kRotations[round % 8][1];
#pragma GCC unroll 4
    for (std::uint32_t g = 0; g < kTogether; ++g) {
      Lanes(&y)[4] = x[g];
      y[0] += y[with_x0];
      y[with_x0] = (y[with_x0] << left0 | y[with_x0] >> (32 - left0)) ^ y[0];
      y[2] += y[with_x2];
      y[with_x2] = (y[with_x2] << left2 | y[with_x2] >> (32 - left2)) ^ y[2];
      if (round % 4 == 3) {
        const auto turn = static_cast<std::uint32_t>(round / 4 + 1);
        y[0] += schedule[turn % 5];
        y[1] += schedule[(turn + 1) % 5];
        y[2] += schedule[(turn + 2) % 5];
        y[3] += schedule[(turn + 3) % 5] + turn;
      }
    }
  }
  for (std::uint32_t g = 0; g < kTogether; ++g) std::memcpy(words + g * kGroup, x[g], sizeof(x[g]));
}

template <std::uint32_t kTogether>
QUANTIMED_KERNEL void draw_block(StreamKey key, std::uint32_t block, std::uint16_t* out) {
  for (std::uint32_t group = 0; group < kGroups; group += kTogether)
    threefry_lanes<kTogether>(key, (block * kGroups + group) * kLanes, out + group * kGroup);
}

// 32 registers of 16 lanes hold the state of four groups.
bool has_wide_registers() {
#ifdef __AVX512F__
  return true;
#else
  return instructions_in_use() == Instructions::v4;
#endif
}

}  // namespace

// Group g of 128 words comes from the random_blocks 16 g … 16 g + 15: first word 0 of the sixteen, then word 1, 2, 3;
// each 32-bit word gives its low half, then its high half.
void random_words16(const StreamKey& key, std::uint32_t block, std::span<std::uint16_t, kWordsBlock> out) {
  if (has_wide_registers())
    dispatched<draw_block<kGroups>>(key, block, out.data());
  else
    dispatched<draw_block<1>>(key, block, out.data());
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

// SPDX-License-Identifier: BSD-3-Clause
#include "codec/packing.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/instructions.hpp"

namespace quantimed::packing {

namespace {

using Word = std::uint32_t;

// What row kRow gives to word kLine of its lane.
template <std::size_t kWidth, std::size_t kLine, std::size_t kRow>
QUANTIMED_KERNEL Word part(std::int32_t index) {
  constexpr std::size_t kBit = kRow * kWidth, kFirst = kLine * kWordBits;
  constexpr Word kMask = (Word{1} << kWidth) - 1;
  const Word bits = static_cast<Word>(index) & kMask;
  if constexpr (kBit >= kFirst)
    return bits << (kBit - kFirst);
  else
    return bits >> (kFirst - kBit);
}

template <std::size_t kWidth, std::size_t kLine, std::size_t... kOffset>
QUANTIMED_KERNEL void pack_line(const std::int32_t* __restrict indices, Word* __restrict body,
                                std::index_sequence<kOffset...>) {
  constexpr std::size_t kFirstRow = kLine * kWordBits / kWidth;
#pragma omp simd
  for (std::size_t lane = 0; lane < kLanes; ++lane)
    body[kLine * kLanes + lane] =
        (part<kWidth, kLine, kFirstRow + kOffset>(indices[(kFirstRow + kOffset) * kLanes + lane]) | ...);
}

// Rows that overlap with word kLine.
template <std::size_t kWidth, std::size_t kLine>
constexpr std::size_t kRowsOf = (kLine * kWordBits + kWordBits - 1) / kWidth - kLine* kWordBits / kWidth + 1;

template <std::size_t kWidth, std::size_t... kLine>
QUANTIMED_KERNEL void pack_lines(const std::int32_t* indices, Word* body, std::index_sequence<kLine...>) {
  (pack_line<kWidth, kLine>(indices, body, std::make_index_sequence<kRowsOf<kWidth, kLine>>{}), ...);
}

template <std::size_t kWidth>
QUANTIMED_KERNEL void pack_block(const std::int32_t* indices, Word* body) {
  pack_lines<kWidth>(indices, body, std::make_index_sequence<kWidth>{});
}

// acc += scale · k for the 16 integers of one row.
template <std::size_t kWidth, std::size_t kRow>
QUANTIMED_KERNEL void accumulate_row(const Word* __restrict body, Real scale, Real* __restrict acc) {
  constexpr std::size_t kBit = kRow * kWidth, kLine = kBit / kWordBits, kShift = kBit % kWordBits;
  constexpr std::size_t kUnused = kWordBits - kWidth;
#pragma omp simd
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const Word low = body[kLine * kLanes + lane];
    std::int32_t index;
    if constexpr (kShift <= kUnused) {
      index = static_cast<std::int32_t>(low << (kUnused - kShift)) >> kUnused;
    } else {
      // The row straddles two words: the sign comes with the high part, whose shifts leave zeros for the low one.
      const Word high = body[(kLine + 1) * kLanes + lane];
      const std::int32_t top = static_cast<std::int32_t>(high << (kUnused + kWordBits - kShift)) >> kUnused;
      index = top | static_cast<std::int32_t>(low >> kShift);
    }
    acc[kRow * kLanes + lane] += scale * static_cast<Real>(index);
  }
}

template <std::size_t kWidth, std::size_t... kRow>
QUANTIMED_KERNEL void accumulate_rows(const Word* body, Real scale, Real* acc, std::index_sequence<kRow...>) {
  (accumulate_row<kWidth, kRow>(body, scale, acc), ...);
}

template <std::size_t kWidth>
QUANTIMED_KERNEL void accumulate_block(const Word* body, Real scale, Real* acc) {
  accumulate_rows<kWidth>(body, scale, acc, std::make_index_sequence<kRows>{});
}

using Pack = void (*)(const std::int32_t*, Word*);
using Accumulate = void (*)(const Word*, Real, Real*);

template <std::size_t... kWidth>
constexpr std::array<Pack, kMaxWidth + 1> pack_table(std::index_sequence<kWidth...>) {
  return {nullptr, &dispatched<pack_block<kWidth + 1>, const std::int32_t*, Word*>...};
}
template <std::size_t... kWidth>
constexpr std::array<Accumulate, kMaxWidth + 1> accumulate_table(std::index_sequence<kWidth...>) {
  return {nullptr, &dispatched<accumulate_block<kWidth + 1>, const Word*, Real, Real*>...};
}
// A message's lines are still with those who read the one before it on other cores, and a line that is asked back only
// when it is written holds up all stores behind it. So those of the block after the next are asked for: where they are
// if its width is the same. (Beyond the message's end a few lines are asked for in vain.)
void expect_block(const std::byte* body, std::size_t width) {
  const std::byte* const lines = body + 2 * width * kLineBytes;
  for (std::size_t line = 0; line < width; ++line) __builtin_prefetch(lines + line * kLineBytes, 1);
}

constexpr auto kPack = pack_table(std::make_index_sequence<kMaxWidth>{});
constexpr auto kAccumulate = accumulate_table(std::make_index_sequence<kMaxWidth>{});

}  // namespace

void pack(std::span<const std::int32_t, kBlock> indices, std::size_t width, std::size_t count, std::byte* body) {
  if (width == 0) return;
  if (count == kBlock) {
    kPack[width](indices.data(), reinterpret_cast<Word*>(body));
    expect_block(body, width);
    return;
  }
  alignas(kCacheLine) Word whole[kMaxWidth * kLanes];
  kPack[width](indices.data(), whole);
  std::memcpy(body, whole, lines(width, count) * kLineBytes);
}

void accumulate(const std::byte* body, std::size_t width, Real scale, std::span<Real> acc) {
  if (width == 0) return;
  if (acc.size() == kBlock) {
    kAccumulate[width](reinterpret_cast<const Word*>(body), scale, acc.data());
    return;
  }
  // A part of a block: the message may end before the block does.
  alignas(kCacheLine) Word whole[kMaxWidth * kLanes] = {};
  alignas(kCacheLine) Real sum[kBlock] = {};
  std::memcpy(whole, body, lines(width, acc.size()) * kLineBytes);
  std::copy(acc.begin(), acc.end(), sum);
  kAccumulate[width](whole, scale, sum);
  std::copy_n(sum, acc.size(), acc.begin());
}

}  // namespace quantimed::packing

#include "base/random.hpp"

#include <algorithm>
#include <cstring>

namespace quantimed {

namespace {
constexpr std::uint32_t kLanes = 16;  // blocks computed side by side, one a vector lane
}

// Group g of 128 words comes from the blocks 16 g … 16 g + 15: first word 0 of the sixteen blocks, then word 1, 2, 3;
// each 32-bit word gives its low half, then its high half.
void random_words16(const StreamKey& key, std::span<std::uint16_t> out) {
  std::uint32_t words[4][kLanes];
  constexpr std::size_t kGroup = sizeof(words) / sizeof(std::uint16_t);
  for (std::size_t first = 0, block = 0; first < out.size(); first += kGroup, block += kLanes) {
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      const auto r = random_block(key, static_cast<std::uint32_t>(block) + lane);
      for (std::size_t w = 0; w < 4; ++w) words[w][lane] = r[w];
    }
    const std::size_t count = std::min(kGroup, out.size() - first);
    std::memcpy(out.data() + first, words, count * sizeof(std::uint16_t));
  }
}

}  // namespace quantimed

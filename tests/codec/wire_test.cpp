// SPDX-License-Identifier: BSD-3-Clause
// What a message is charged for is what a sender could put on a wire, without the padding that it has in memory.
#include "codec/packing.hpp"
#include "codec_testing.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace quantimed {
namespace {

std::size_t wire_bytes(const char* name, std::span<const float> x) {
  const auto codec = make_codec(name);
  const auto message = encoded(*codec, x, quantizer_key(1));
  return codec->wire_bytes(message, x.size());
}

TEST(WireBytes, OfAModelOfTwentyCoordinatesByHand) {
  AlignedVector<float> x(20, 0.25f);
  x[7] = -0.75f;
  EXPECT_EQ(wire_bytes("exact", x), 80u);
  EXPECT_EQ(wire_bytes("float16", x), 40u);
  EXPECT_EQ(wire_bytes("low-precision:1e-3", x), 4u + 28u);  // |k| ≤ 751: 11 bits
  EXPECT_EQ(wire_bytes("rounding:0.25", x), 4u + 8u);        // |k| ≤ 3: 3 bits
  EXPECT_EQ(wire_bytes("modulo:1e-3,9", x), 4u + 23u);       // a checksum
  EXPECT_EQ(wire_bytes("sparsifier:4", x), 5u);
  EXPECT_EQ(wire_bytes("qsgd:16", x), 4u + 15u);  // the norm; 6 bits
  EXPECT_EQ(wire_bytes("qsgd-rescaled:16", x), 4u + 15u);
  EXPECT_EQ(wire_bytes("top-k:0.1", x), 8u + 2u);   // 2 values; 2·3 + 2 + 3 = 11 bits
  EXPECT_EQ(wire_bytes("top-k:0.5", x), 40u + 3u);  // a bit a coordinate
  EXPECT_EQ(wire_bytes("top-k:1", x), 80u);         // no index
  EXPECT_EQ(wire_bytes("random-k:0.1", x), 8u);
  EXPECT_EQ(wire_bytes("random-k-unbiased:0.001", x), 4u);
  EXPECT_EQ(wire_bytes("sign", x), 4u + 3u);
  EXPECT_EQ(wire_bytes("sign:512", x), 4u + 3u);
}

TEST(WireBytes, CountNoPaddingAndNothingLess) {
  for (const std::string& name : kEveryCodec) {
    const auto codec = make_codec(name);
    for (const std::size_t p : {1u, 15u, 16u, 17u, 511u, 512u, 513u, 8192u, 39760u}) {
      const auto message = encoded(*codec, random_vector(p, 0.9), quantizer_key(1));
      const std::size_t bytes = codec->wire_bytes(message, p);
      EXPECT_LE(bytes, message.size()) << name << " " << p;
      if (is_sparse(name)) {
        const std::size_t table = packing::blocks(p) * (packing::kLineBytes + sizeof(std::uint32_t));
        EXPECT_GE(bytes + table + 2 * packing::kLineBytes, message.size()) << name << " " << p;
        EXPECT_EQ(codec->wire_bytes({}, p), bytes) << name;
        continue;
      }
      EXPECT_GE(bytes + 2 * packing::kLineBytes + (packing::kWordBits - 1) * packing::kLanes / 8 * packing::kMaxWidth,
                message.size())
          << name << " " << p;
      if (codec->is_sliceable()) {
        EXPECT_EQ(codec->wire_bytes({}, p), bytes) << name;
      }
    }
    // Whole blocks have no padding in their bodies.
    if (is_sparse(name)) continue;
    const auto message = encoded(*codec, random_vector(8192, 0.9), quantizer_key(1));
    EXPECT_LE(message.size() - codec->wire_bytes(message, 8192), packing::kLineBytes) << name;
  }
}

// The bits of a message of low-precision one after the other: of each block its width, then its indices.
std::vector<bool> on_the_wire(std::span<const std::byte> message, std::size_t p) {
  std::vector<bool> bits;
  const auto put = [&](std::int64_t value, std::size_t width) {
    for (std::size_t k = 0; k < width; ++k) bits.push_back((value >> k & 1) != 0);
  };
  const auto* table = reinterpret_cast<const std::uint32_t*>(message.data());
  for (std::size_t first = 0, block = 0; first < p; first += packing::kBlock, ++block) {
    const std::size_t width = table[block] & 31, line = table[block] >> 5;
    AlignedVector<float> indices(std::min(packing::kBlock, p - first), 0.0f);
    packing::accumulate(message.data() + line * packing::kLineBytes, width, 1, indices);
    put(static_cast<std::int64_t>(width), 32);
    for (const float index : indices) put(static_cast<std::int64_t>(index), width);
    bits.resize((bits.size() + 7) / 8 * 8);
  }
  return bits;
}

AlignedVector<float> from_the_wire(const std::vector<bool>& bits, std::size_t p, float step) {
  AlignedVector<float> x;
  std::size_t at = 0;
  const auto take = [&](std::size_t width) {
    std::int64_t value = 0;
    for (std::size_t k = 0; k < width; ++k) value |= std::int64_t{bits[at++]} << k;
    return value;
  };
  while (x.size() < p) {
    const auto width = static_cast<std::size_t>(take(32));
    for (std::size_t k = 0, count = std::min(packing::kBlock, p - x.size()); k < count; ++k) {
      std::int64_t index = take(width);
      if (width > 0 && (index >> (width - 1) & 1) != 0) index -= std::int64_t{1} << width;
      x.push_back(static_cast<float>(index) * step);
    }
    at = (at + 7) / 8 * 8;
  }
  return x;
}

// The count is not a wish: so many bytes carry the message.
TEST(WireBytes, AreEnoughForTheMessage) {
  constexpr float kStep = 0x1p-10f;  // products with it are exact
  const auto codec = make_codec("low-precision:0.0009765625");
  for (const std::size_t p : {1u, 20u, 511u, 513u, 1300u, 39760u})
    for (const double reach : {0.0, 0.001, 0.9, 700.0}) {
      const auto message = encoded(*codec, random_vector(p, reach), quantizer_key(1));
      const std::vector<bool> bits = on_the_wire(message, p);
      EXPECT_EQ(bits.size(), 8 * codec->wire_bytes(message, p)) << p;
      EXPECT_EQ(from_the_wire(bits, p, kStep), decoded(*codec, message, p)) << p;
    }
}

}  // namespace
}  // namespace quantimed

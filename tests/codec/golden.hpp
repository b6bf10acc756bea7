// SPDX-License-Identifier: BSD-3-Clause
// Bits that no build may change: those of messages on every machine, those of sums wherever products are fused with
// their addition.
#pragma once

#include <cstdint>
#include <string>

#include "codec/codec_testing.hpp"

namespace quantimed {

struct Golden {
  const char* codec;
  std::uint64_t hash;
};

inline constexpr Golden kGoldenMessages[] = {
    {"exact", 0x3b93361d32670e85ull},
    {"float16", 0x4251ab01406b4f21ull},
    {"low-precision:1e-3", 0x07f749d39ecb1423ull},
    {"low-precision:1e-5", 0x8ab987fa869036d1ull},
    {"rounding", 0x02ae5764ed16525eull},
    {"sparsifier:4", 0xf91bb0355efa1005ull},
    {"qsgd:1000", 0x452805f9eb13a7d4ull},
    {"qsgd-rescaled:1000", 0x0bd826ec7747217full},
    {"top-k:0.01", 0x9e8cffceada207e0ull},
    {"random-k:0.01", 0x1d81062df7e5094cull},
    {"random-k-unbiased:0.6", 0x6e73cec6a42c1433ull},
    {"sign", 0xdb9f4d3a09796718ull},
    {"sign:32", 0xb8562450013c17e2ull},
    {"sign:1536", 0x8e9eaead80e79491ull},
};

inline constexpr Golden kGoldenSums[] = {
    {"exact", 0x0152e413bb0dc7d2ull},
    {"float16", 0xcc556371acd7140cull},
    {"low-precision:1e-3", 0xf0454de5b616aa31ull},
    {"modulo:1e-3,12", 0xf0454de5b616aa31ull},
    {"sparsifier:4", 0x40af59c6172071ecull},
    {"qsgd:1000", 0x2125fdc5638f0ae9ull},
    {"top-k:0.01", 0x0518096a17e3933full},
    {"sign:32", 0xdb8a272d676b1261ull},
};

inline std::uint64_t fnv1a(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 0x100000001b3ull;
  return hash;
}

inline std::uint64_t message_hash(const std::string& text) {
  return fnv1a(encoded(*make_codec(text), random_vector(39760, 2), quantizer_key(5)));
}

// Three messages added with a weight that no product with is exact.
inline std::uint64_t sum_hash(const std::string& text) {
  const auto codec = make_codec(text);
  const auto own = random_vector(39760, 2);
  AlignedVector<float> sum(own.begin(), own.end());
  for (std::uint32_t k = 1; k <= 3; ++k) codec->accumulate(encoded(*codec, own, quantizer_key(k)), 0.3f, 0, own, sum);
  return fnv1a(std::as_bytes(std::span(sum)));
}

}  // namespace quantimed

// What the codecs' tests share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "codec/codec.hpp"

namespace quantimed {

inline const std::vector<std::string> kEveryCodec = {
    "exact",    "float16",       "low-precision:1e-3", "low-precision:0.0078125",
    "rounding", "rounding:0.25", "modulo:1e-3,11",     "sparsifier:4",
    "qsgd:1",   "qsgd:16",       "qsgd:100000"};

// Uniform on ±half_width.
inline AlignedVector<float> random_vector(std::size_t p, double half_width, std::uint64_t seed = 1) {
  AlignedVector<float> x(p);
  Stream stream({.seed = seed, .purpose = Purpose::initial_model});
  for (float& v : x) v = static_cast<float>(stream.uniform(-half_width, half_width));
  return x;
}

inline StreamKey quantizer_key(std::uint32_t iteration) {
  return {.seed = 42, .node = 3, .iteration = iteration, .purpose = Purpose::quantizer};
}

// A message cut to the bytes that encode reports, so that an address sanitizer sees a reader that goes on.
inline AlignedVector<std::byte> encoded(const Codec& codec, std::span<const float> x, const StreamKey& key,
                                        Encoded* result = nullptr) {
  AlignedVector<std::byte> message(codec.capacity(x.size()), std::byte{0x5a});
  const Encoded e = codec.encode(x, key, message);
  if (result != nullptr) *result = e;
  return {message.begin(), message.begin() + static_cast<std::ptrdiff_t>(e.bytes)};
}

// Q(x), decoded by accumulating into zeros.
inline AlignedVector<float> decoded(const Codec& codec, std::span<const std::byte> message, std::size_t p) {
  AlignedVector<float> z(p, 0.0f), own(p, 0.0f);
  codec.accumulate(message, 1.0f, 0, own, z);
  return z;
}

}  // namespace quantimed

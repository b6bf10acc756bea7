// SPDX-License-Identifier: BSD-3-Clause
// What the codecs' tests share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "codec/codec.hpp"

namespace quantimed {

inline const std::vector<std::string> kEveryCodec = {"exact",
                                                     "float16",
                                                     "low-precision:1e-3",
                                                     "low-precision:0.0078125",
                                                     "rounding",
                                                     "rounding:0.25",
                                                     "modulo:1e-3,11",
                                                     "sparsifier:4",
                                                     "qsgd:1",
                                                     "qsgd:16",
                                                     "qsgd:100000",
                                                     "qsgd-rescaled:1",
                                                     "top-k:0.1",
                                                     "top-k:0.003",
                                                     "top-k:1",
                                                     "random-k:0.1",
                                                     "random-k:0.7",
                                                     "random-k-unbiased:0.1",
                                                     "sign",
                                                     "sign:32",
                                                     "sign:512",
                                                     "sign:1024",
                                                     "qsgd-rescaled:16"};

// Codes whose message of a part is not a part of the message of the whole.
inline bool looks_at_the_whole(const std::string& name) {
  return name.starts_with("qsgd") || name.starts_with("sign") || name.find("-k") != std::string::npos;
}

// Codes that send some coordinates: in memory with a line of bits a block, and 4 bytes.
inline bool is_sparse(const std::string& name) { return name.find("-k") != std::string::npos; }

// Codes in which nothing is random.
inline bool is_deterministic(const std::string& name) {
  return name == "exact" || name.starts_with("top-k") || name.starts_with("sign");
}

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

// SPDX-License-Identifier: BSD-3-Clause
// Another code, passed on: what a test watches or breaks of it is overridden.
#pragma once

#include "codec/codec.hpp"

namespace quantimed {

class ForwardingCodec : public Codec {
 public:
  explicit ForwardingCodec(const Codec& code) : code_(code) {}

  std::string name() const override { return code_.name(); }
  CodecClass kind() const override { return code_.kind(); }
  double constant(std::size_t p) const override { return code_.constant(p); }
  double paper_bits() const override { return code_.paper_bits(); }
  double variance_bound(std::span<const float> x) const override { return code_.variance_bound(x); }
  bool is_identity() const override { return code_.is_identity(); }
  std::size_t capacity(std::size_t p) const override { return code_.capacity(p); }
  std::size_t wire_bytes(std::span<const std::byte> message, std::size_t p) const override {
    return code_.wire_bytes(message, p);
  }
  Encoded encode(std::span<const float> x, const StreamKey& key, std::span<std::byte> message) const override {
    return code_.encode(x, key, message);
  }
  std::uint64_t accumulate(std::span<const std::byte> message, float weight, std::size_t first,
                           std::span<const float> own, std::span<float> acc) const override {
    return code_.accumulate(message, weight, first, own, acc);
  }
  bool is_sliceable() const override { return code_.is_sliceable(); }
  Encoded encode_slice(std::span<const float> x, const StreamKey& key, std::size_t first,
                       std::span<std::byte> message) const override {
    return code_.encode_slice(x, key, first, message);
  }

 private:
  const Codec& code_;
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// exact: the model itself, on the wire as it is computed with. The paper's clock charges 16 bits a coordinate, what it
// calls full precision; the wire carries 32, and 64 in double precision.
#include <cstring>

#include "base/instructions.hpp"
#include "codec/codecs.hpp"

namespace quantimed {

namespace {

QUANTIMED_KERNEL void add_floats(const Real* __restrict z, Real weight, Real* __restrict sum, std::size_t count) {
#pragma omp simd
  for (std::size_t k = 0; k < count; ++k) sum[k] += weight * z[k];
}

class Exact final : public Codec {
 public:
  std::string name() const override { return "exact"; }
  CodecClass kind() const override { return CodecClass::exact; }
  double paper_bits() const override { return 16; }
  double variance_bound(std::span<const Real>) const override { return 0; }
  std::size_t capacity(std::size_t p) const override { return p * sizeof(Real); }

  std::size_t wire_bytes(std::span<const std::byte>, std::size_t p) const override { return capacity(p); }

  Encoded encode(std::span<const Real> x, const StreamKey& key, std::span<std::byte> message) const override {
    return encode_slice(x, key, 0, message);
  }

  bool is_identity() const override { return true; }
  bool is_sliceable() const override { return true; }

  Encoded encode_slice(std::span<const Real> x, const StreamKey&, std::size_t first,
                       std::span<std::byte> message) const override {
    check_slice(first);
    check_message(message, capacity(first + x.size()));
    if (!x.empty()) std::memcpy(message.data() + capacity(first), x.data(), x.size_bytes());
    return {.bytes = x.size_bytes()};
  }

  std::uint64_t accumulate(std::span<const std::byte> message, Real weight, std::size_t first, std::span<const Real>,
                           std::span<Real> acc) const override {
    check_slice(first);
    const Real* const z = reinterpret_cast<const Real*>(message.data()) + first;
    dispatched<add_floats>(z, weight, acc.data(), acc.size());
    return 0;
  }
};

}  // namespace

std::unique_ptr<Codec> make_exact() { return std::make_unique<Exact>(); }

}  // namespace quantimed

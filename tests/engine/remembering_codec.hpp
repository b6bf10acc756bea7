// SPDX-License-Identifier: BSD-3-Clause
// What a twin is given of a code: what was sent, and what everyone has decoded of it.
#pragma once

#include "algorithm/twins.hpp"
#include "engine/forwarding_codec.hpp"

#include "base/random.hpp"

#include <map>
#include <tuple>
#include <vector>

namespace quantimed {

// Another code, which remembers what everyone decodes of each message.
class Remembering final : public ForwardingCodec {
 public:
  using Sent = std::tuple<NodeId, std::uint32_t, Round>;  // node, channel, number
  using ForwardingCodec::ForwardingCodec;

  bool is_identity() const override { return false; }   // encode() is asked for exact vectors, too,
  bool is_sliceable() const override { return false; }  // and for whole ones
  Encoded encode(std::span<const float> x, const StreamKey& key, std::span<std::byte> message) const override {
    const Encoded encoded = ForwardingCodec::encode(x, key, message);
    std::vector<float> decoded(x.size());
    accumulate(message, 1, 0, x, decoded);
    exact[{key.node, key.draw, key.iteration}] = twin::Vector(x.begin(), x.end());
    sent[{key.node, key.draw, key.iteration}] = twin::Vector(decoded.begin(), decoded.end());
    return encoded;
  }

  mutable std::map<Sent, twin::Vector> exact, sent;
};

}  // namespace quantimed

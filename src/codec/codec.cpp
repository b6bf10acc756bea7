// SPDX-License-Identifier: BSD-3-Clause
#include "codec/codec.hpp"

#include "base/error.hpp"

namespace quantimed {

Encoded Codec::encode_slice(std::span<const Real>, const StreamKey&, std::size_t, std::span<std::byte>) const {
  check(false, "encode_slice of a code that is not sliceable");
  return {};
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// A chunk as HDF5's filters would leave it, shuffled (equal exponent bytes meet) and deflated, so that HDF5 only has to
// store it: it then keeps nothing that a flush would have to write later, when memory may have run out. Nothing here
// knows HDF5.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <span>
#include <vector>

namespace quantimed {

class ChunkPacker {
 public:
  ChunkPacker();  // throws bad_alloc, as pack() does
  ~ChunkPacker();
  ChunkPacker(const ChunkPacker&) = delete;
  ChunkPacker& operator=(const ChunkPacker&) = delete;

  // `values`, of so many bytes each; what they do not fill of the chunk is zeros. Valid until the next call.
  std::span<const std::byte> pack(std::span<const std::byte> values, std::size_t value_bytes, std::size_t chunk_bytes);

 private:
  z_stream stream_{};
  std::vector<std::byte> shuffled_, packed_;
};

}  // namespace quantimed

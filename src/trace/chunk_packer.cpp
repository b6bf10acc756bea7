// SPDX-License-Identifier: BSD-3-Clause
#include "trace/chunk_packer.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <new>

namespace quantimed {

namespace {
constexpr int kDeflateLevel = 1;  // the higher ones gain a few per cent and cost several times as much
}

ChunkPacker::ChunkPacker() {
  if (::deflateInit(&stream_, kDeflateLevel) != Z_OK) throw std::bad_alloc();
}

ChunkPacker::~ChunkPacker() { ::deflateEnd(&stream_); }

std::span<const std::byte> ChunkPacker::pack(std::span<const std::byte> values, std::size_t value_bytes,
                                             std::size_t chunk_bytes) {
  shuffled_.assign(chunk_bytes, std::byte{0});
  const std::size_t count = chunk_bytes / value_bytes, given = values.size() / value_bytes;
  for (std::size_t b = 0; b < value_bytes; ++b)
    for (std::size_t k = 0; k < given; ++k) shuffled_[b * count + k] = values[k * value_bytes + b];
  check(::deflateReset(&stream_) == Z_OK, "zlib starts again");
  packed_.resize(::deflateBound(&stream_, chunk_bytes));
  stream_.next_in = reinterpret_cast<Bytef*>(shuffled_.data());
  stream_.avail_in = static_cast<uInt>(chunk_bytes);
  stream_.next_out = reinterpret_cast<Bytef*>(packed_.data());
  stream_.avail_out = static_cast<uInt>(packed_.size());
  check(::deflate(&stream_, Z_FINISH) == Z_STREAM_END, "a chunk fits the bound that zlib gives for it");
  return std::span(packed_).first(packed_.size() - stream_.avail_out);
}

}  // namespace quantimed

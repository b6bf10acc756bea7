// SPDX-License-Identifier: BSD-3-Clause
// Streams that unpack gzip, bzip2 and xz. Whether a file is compressed is told by its first bytes, never by its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace quantimed {

class Unpacker {
 public:
  virtual ~Unpacker() = default;
  // Fills the beginning of `out`, which is not empty; 0 at the end alone. Throws InputError: truncated, corrupt, or
  // followed by bytes of another kind (a damaged second part would be lost in silence otherwise).
  virtual std::size_t read(std::span<std::uint8_t> out) = 0;
  // So many bytes, at most, come of one of the file's.
  virtual std::uint64_t best_ratio() const = 0;
};

enum class PackedBy { none, gzip, bzip2, xz };
// Of a file, by its first bytes. Throws InputError when it cannot be opened.
PackedBy packing_of(const std::filesystem::path& path);

// Throws InputError when the file cannot be opened.
std::unique_ptr<Unpacker> open_unpacker(const std::filesystem::path& path);

// The endings that compressed files have; the first is of those that are not.
inline constexpr const char* kPackedEndings[] = {"", ".gz", ".bz2", ".xz"};

}  // namespace quantimed

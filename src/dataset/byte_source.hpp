// SPDX-License-Identifier: BSD-3-Clause
// Bytes from a file that may be compressed, with every failure a one-line InputError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "dataset/unpack.hpp"

namespace quantimed {

// The one shape of this module's messages: option, path, what is wrong, the fix.
[[noreturn]] void reject_data(const std::filesystem::path& path, std::string_view what, std::string_view fix);
[[noreturn]] void reject_data(const std::filesystem::path& path, std::string_view what_and_fix);

inline constexpr std::string_view kFixFetchAgain = "fetch or unpack the file again";

// Size in bytes of a regular file. Throws InputError: absent, a folder, or not a regular file.
std::uint64_t regular_file_size(const std::filesystem::path& path);

// What reading may take: 10 times the files and 64 MiB, of which 16 are left to libraries. It bounds what a compressed
// file may unpack to; who needs more unpacks the file himself.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t file_bytes) : left_(10 * file_bytes + (std::uint64_t{48} << 20)) {}
  // Before memory is taken. Throws InputError.
  void take(const std::filesystem::path& path, std::uint64_t bytes);
  std::uint64_t left() const { return left_; }

 private:
  std::uint64_t left_;
};

// Reads from front to back.
class ByteSource {
 public:
  // Throws InputError: absent, a folder, not a regular file, unreadable, or empty.
  explicit ByteSource(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }

  // No file of this size holds more bytes than this.
  std::uint64_t most_bytes() const { return file_size_ * file_->best_ratio(); }

  // Fills `out`. Throws InputError: truncated, corrupt.
  void read(std::span<std::uint8_t> out);
  // Throws InputError when bytes remain: the header promised fewer.
  void expect_end();
  // All that remains, if it is at most `limit` bytes. Throws InputError: longer, corrupt.
  std::string read_text(std::uint64_t limit);
  // The next bytes, fewer where the file ends. Throws InputError: corrupt.
  std::string read_up_to(std::size_t count);

 private:
  std::filesystem::path path_;
  std::uint64_t file_size_ = 0;
  std::unique_ptr<Unpacker> file_;
};

}  // namespace quantimed

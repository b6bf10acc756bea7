// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/byte_source.hpp"

namespace quantimed {

namespace fs = std::filesystem;

void reject_data(const fs::path& path, std::string_view what, std::string_view fix) {
  throw InputError("--dataset {}: {}; {}", path.string(), what, fix);
}

void reject_data(const fs::path& path, std::string_view what_and_fix) {
  throw InputError("--dataset {}: {}", path.string(), what_and_fix);
}

std::uint64_t regular_file_size(const fs::path& path) {
  std::error_code failure;
  const auto status = fs::status(path, failure);
  if (status.type() == fs::file_type::not_found) reject_data(path, "no such file", "check the path");
  if (status.type() == fs::file_type::directory) reject_data(path, "is a folder where a file is expected", "remove it");
  if (status.type() != fs::file_type::regular)
    reject_data(path, failure ? failure.message() : "is not a regular file", "name a readable file");
  const auto size = fs::file_size(path, failure);
  if (failure) reject_data(path, failure.message(), "name a readable file");
  return size;
}

void MemoryBudget::take(const fs::path& path, std::uint64_t bytes) {
  if (bytes > left_)
    reject_data(path, fmt::format("takes {} bytes of memory, and unpacks to far more than its size", bytes),
                "unpack it yourself, and check it");
  left_ -= bytes;
}

ByteSource::ByteSource(const fs::path& path) : path_(path), file_size_(regular_file_size(path)) {
  if (file_size_ == 0) reject_data(path_, "the file is empty", kFixFetchAgain);
  file_ = open_unpacker(path_);
}

void ByteSource::read(std::span<std::uint8_t> out) {
  for (std::size_t done = 0; done < out.size();) {
    const std::size_t got = file_->read(out.subspan(done));
    if (got == 0) reject_data(path_, fmt::format("truncated: {} bytes are missing", out.size() - done), kFixFetchAgain);
    done += got;
  }
}

void ByteSource::expect_end() {
  std::uint8_t extra = 0;
  if (file_->read(std::span(&extra, 1)) != 0)
    reject_data(path_, "corrupt: longer than its header promises", kFixFetchAgain);
}

std::string ByteSource::read_text(std::uint64_t limit) {
  std::string text;
  for (;;) {
    constexpr std::size_t kPiece = 1 << 20;
    const std::size_t done = text.size();
    text.resize(done + kPiece);
    const std::size_t got = file_->read(std::span(reinterpret_cast<std::uint8_t*>(text.data()) + done, kPiece));
    text.resize(done + got);
    if (got == 0) return text;
    if (text.size() > limit)
      reject_data(path_, fmt::format("unpacks to more than {} bytes", limit), "unpack it yourself, and check it");
  }
}

std::string ByteSource::read_up_to(std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t done = 0;
  while (done < count) {
    const std::size_t got = file_->read(std::span(reinterpret_cast<std::uint8_t*>(bytes.data()), count).subspan(done));
    if (got == 0) break;
    done += got;
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace quantimed

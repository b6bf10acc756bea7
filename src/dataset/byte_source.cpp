#include "dataset/byte_source.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace quantimed {

namespace fs = std::filesystem;

void reject_data(const fs::path& path, std::string_view what, std::string_view mend) {
  throw InputError("--dataset {}: {}; {}", path.string(), what, mend);
}

std::string printable(std::string_view foreign) {
  std::string text;
  for (const char c : foreign.substr(0, 40)) text += (c >= ' ' && c <= '~') ? c : '?';
  return text;
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
  if (file_size_ == 0) reject_data(path_, "the file is empty", kMendFetchAgain);
  errno = 0;
  file_.reset(gzopen(path.c_str(), "rb"));
  if (!file_) reject_data(path_, errno ? std::strerror(errno) : "cannot be opened", "make it readable");
  gzbuffer(file_.get(), 256 * 1024);
  compressed_ = gzdirect(file_.get()) == 0;  // zlib looks at the first bytes, and passes other files through
}

std::size_t ByteSource::read_some(void* out, std::size_t size) {
  constexpr std::size_t kMost = std::size_t{1} << 26;  // zlib counts in int
  const int got = gzread(file_.get(), out, static_cast<unsigned>(std::min(size, kMost)));
  int code = Z_OK;
  const char* reason = gzerror(file_.get(), &code);
  if (code == Z_BUF_ERROR) reject_data(path_, "the compressed file is truncated", kMendFetchAgain);
  if (got < 0 || code < 0) reject_data(path_, fmt::format("corrupt ({})", printable(reason)), kMendFetchAgain);
  return static_cast<std::size_t>(got);
}

void ByteSource::read(std::span<std::uint8_t> out) {
  for (std::size_t done = 0; done < out.size();) {
    const std::size_t got = read_some(out.data() + done, out.size() - done);
    if (got == 0)
      reject_data(path_, fmt::format("truncated: {} bytes are missing", out.size() - done), kMendFetchAgain);
    done += got;
  }
}

void ByteSource::expect_end() {
  std::uint8_t extra = 0;
  if (read_some(&extra, 1) != 0) reject_data(path_, "corrupt: longer than its header promises", kMendFetchAgain);
}

std::string ByteSource::read_text(std::uint64_t limit) {
  std::string text;
  for (;;) {
    constexpr std::size_t kPiece = 1 << 20;
    const std::size_t done = text.size();
    text.resize(done + kPiece);
    const std::size_t got = read_some(text.data() + done, kPiece);
    text.resize(done + got);
    if (got == 0) return text;
    if (text.size() > limit)
      reject_data(path_, fmt::format("unpacks to more than {} bytes", limit), "unpack it yourself, and check it");
  }
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/unpack.hpp"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <new>

#include "dataset/byte_source.hpp"
#include "dataset/formats.hpp"

namespace quantimed {

namespace fs = std::filesystem;

namespace {

// The file's own bytes, a piece at a time.
class RawFile {
 public:
  explicit RawFile(const fs::path& path) : path_(path) {
    errno = 0;
    file_.reset(std::fopen(path.c_str(), "rb"));
    if (!file_) reject_data(path_, errno ? std::strerror(errno) : "cannot be opened", "make it readable");
    std::setvbuf(file_.get(), nullptr, _IONBF, 0);
  }
  const fs::path& path() const { return path_; }

  // What is left of the piece in memory, after another one was read where nothing is left. Empty at the end alone.
  std::span<std::uint8_t> rest() {
    if (at_ == end_) end_ = read(buffer_), at_ = 0;
    return std::span(buffer_).subspan(at_, end_ - at_);
  }
  void take(std::size_t count) { at_ += count; }

  std::size_t read(std::span<std::uint8_t> out) {
    errno = 0;
    const std::size_t got = std::fread(out.data(), 1, out.size(), file_.get());
    if (got == 0 && std::ferror(file_.get())) reject_data(path_, std::strerror(errno), "check the disk");
    return got;
  }

  [[noreturn]] void reject_truncated() const { reject_data(path_, "the compressed file is truncated", kFixFetchAgain); }
  [[noreturn]] void reject_corrupt(const char* reason) const {
    reject_data(path_, fmt::format("corrupt ({})", reason), kFixFetchAgain);
  }

  // Between two compressed parts of one file. True where another one begins; zeros that fill a block up are left out.
  bool part_follows(std::uint8_t first_byte) {
    for (bool is_padding = false;; is_padding = true) {
      const auto bytes = rest();
      if (bytes.empty()) return false;
      const auto other = std::ranges::find_if(bytes, [](std::uint8_t b) { return b != 0; });
      take(static_cast<std::size_t>(other - bytes.begin()));
      if (other == bytes.end()) continue;
      if (other == bytes.begin() && !is_padding && *other == first_byte) return true;
      reject_data(path_, "after the end of its compressed data come bytes of another kind", kFixFetchAgain);
    }
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  fs::path path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::array<std::uint8_t, 256 * 1024> buffer_;
  std::size_t at_ = 0, end_ = 0;
};

class Plain final : public Unpacker {
 public:
  explicit Plain(const fs::path& path) : file_(path) {}
  std::uint64_t best_ratio() const override { return 1; }
  std::size_t read(std::span<std::uint8_t> out) override { return file_.read(out); }

 private:
  RawFile file_;
};

template <class Count>
Count most_of(std::size_t size) {
  return static_cast<Count>(std::min<std::size_t>(size, std::numeric_limits<Count>::max()));
}

class Gzip final : public Unpacker {
 public:
  std::uint64_t best_ratio() const override { return 1032; }
  explicit Gzip(const fs::path& path) : file_(path) {
    if (inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  ~Gzip() override { inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  std::size_t read(std::span<std::uint8_t> out) override {
    stream_.next_out = out.data();
    stream_.avail_out = most_of<uInt>(out.size());
    const uInt wanted = stream_.avail_out;
    while (!ended_ && stream_.avail_out == wanted) {
      const auto in = file_.rest();
      if (in.empty()) file_.reject_truncated();
      stream_.next_in = in.data();
      stream_.avail_in = static_cast<uInt>(in.size());
      const int code = inflate(&stream_, Z_NO_FLUSH);
      file_.take(in.size() - stream_.avail_in);
      if (code == Z_MEM_ERROR) throw std::bad_alloc();
      if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        file_.reject_corrupt(stream_.msg ? stream_.msg : "not gzip");
      if (code != Z_STREAM_END) continue;
      ended_ = !file_.part_follows(0x1f);
      inflateReset(&stream_);
    }
    return wanted - stream_.avail_out;
  }

 private:
  RawFile file_;
  z_stream stream_{};
  bool ended_ = false;
};

class Bzip2 final : public Unpacker {
 public:
  std::uint64_t best_ratio() const override { return std::uint64_t{1} << 21; }
  explicit Bzip2(const fs::path& path) : file_(path) { start(); }
  ~Bzip2() override { BZ2_bzDecompressEnd(&stream_); }
  Bzip2(const Bzip2&) = delete;
  Bzip2& operator=(const Bzip2&) = delete;

  std::size_t read(std::span<std::uint8_t> out) override {
    const unsigned wanted = most_of<unsigned>(out.size());
    stream_.next_out = reinterpret_cast<char*>(out.data());
    stream_.avail_out = wanted;
    while (!ended_ && stream_.avail_out == wanted) {
      const auto in = file_.rest();
      if (in.empty()) file_.reject_truncated();
      stream_.next_in = reinterpret_cast<char*>(in.data());
      stream_.avail_in = static_cast<unsigned>(in.size());
      const int code = BZ2_bzDecompress(&stream_);
      file_.take(in.size() - stream_.avail_in);
      if (code == BZ_MEM_ERROR) throw std::bad_alloc();
      if (code != BZ_OK && code != BZ_STREAM_END) file_.reject_corrupt("its bzip2 data or checksum is wrong");
      if (code != BZ_STREAM_END) continue;
      ended_ = !file_.part_follows('B');
      if (!ended_) restart();
    }
    return wanted - stream_.avail_out;
  }

 private:
  void start() {
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) throw std::bad_alloc();
  }
  void restart() {
    char* const next = stream_.next_out;
    const unsigned left = stream_.avail_out;
    BZ2_bzDecompressEnd(&stream_);
    stream_ = {};
    start();
    stream_.next_out = next;
    stream_.avail_out = left;
  }

  RawFile file_;
  bz_stream stream_{};
  bool ended_ = false;
};

class Xz final : public Unpacker {
 public:
  std::uint64_t best_ratio() const override { return std::uint64_t{1} << 14; }
  explicit Xz(const fs::path& path) : file_(path) {
    // xz -9 needs 65 MiB to unpack, however small the file is.
    constexpr std::uint64_t kMostMemory = std::uint64_t{70} << 20;
    if (lzma_stream_decoder(&stream_, kMostMemory, LZMA_CONCATENATED) != LZMA_OK) throw std::bad_alloc();
  }
  ~Xz() override { lzma_end(&stream_); }
  Xz(const Xz&) = delete;
  Xz& operator=(const Xz&) = delete;

  std::size_t read(std::span<std::uint8_t> out) override {
    stream_.next_out = out.data();
    stream_.avail_out = out.size();
    while (!ended_ && stream_.avail_out == out.size()) {
      const auto in = file_.rest();
      stream_.next_in = in.data();
      stream_.avail_in = in.size();
      const lzma_ret code = lzma_code(&stream_, in.empty() ? LZMA_FINISH : LZMA_RUN);
      file_.take(in.size() - stream_.avail_in);
      ended_ = code == LZMA_STREAM_END;
      if (code == LZMA_OK || ended_) continue;
      if (code == LZMA_MEM_ERROR) throw std::bad_alloc();
      if (code == LZMA_BUF_ERROR) file_.reject_truncated();
      if (code == LZMA_MEMLIMIT_ERROR)
        reject_data(file_.path(), "needs more than 70 MiB of memory to unpack",
                    fmt::format("unpack it: {}", unpacking(file_.path()).command));
      file_.reject_corrupt("its xz data or checksum is wrong");
    }
    return out.size() - stream_.avail_out;
  }

 private:
  RawFile file_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ended_ = false;
};

}  // namespace

PackedBy packing_of(const fs::path& path) {
  std::array<std::uint8_t, 6> start{};
  const std::size_t got = RawFile(path).read(start);
  const auto begins = [&](std::string_view magic) {
    return got >= magic.size() && std::memcmp(start.data(), magic.data(), magic.size()) == 0;
  };
  if (begins("\x1f\x8b")) return PackedBy::gzip;
  if (begins("BZh") && start[3] >= '1' && start[3] <= '9') return PackedBy::bzip2;
  if (begins(std::string_view("\xfd"
                              "7zXZ\0",
                              6)))
    return PackedBy::xz;
  return PackedBy::none;
}

std::unique_ptr<Unpacker> open_unpacker(const fs::path& path) {
  switch (packing_of(path)) {
    case PackedBy::gzip:
      return std::make_unique<Gzip>(path);
    case PackedBy::bzip2:
      return std::make_unique<Bzip2>(path);
    case PackedBy::xz:
      return std::make_unique<Xz>(path);
    case PackedBy::none:
      break;
  }
  return std::make_unique<Plain>(path);
}

}  // namespace quantimed

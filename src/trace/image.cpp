#include "trace/image.hpp"

#include "base/error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

namespace quantimed {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kSealBytes = 32;
constexpr char kSealStart[] = "quantimed-trace-crc32:";  // then 8 hexadecimal digits, then two line feeds
static_assert(sizeof kSealStart - 1 + 8 + 2 == kSealBytes);

std::string seal(std::uint32_t checksum) { return fmt::format("{}{:08x}\n\n", kSealStart, checksum); }

std::uint32_t extend(std::uint32_t checksum, std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(checksum, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  operator int() const { return value_; }

 private:
  int value_;
};

const char* mend_for(int code) {
  switch (code) {
    case ENOENT:
      return "create the folder first, or name another with --output";
    case ENOTDIR:
      return "a part of the path is a file: name another place with --output";
    case EACCES:
    case EPERM:
    case EROFS:
      return "make the folder writable, or name another with --output";
    case ENOSPC:
    case EDQUOT:
      return "free some space, or name another disk with --output";
    case EFBIG:
      return "raise the limit on file sizes (ulimit -f)";
    case ENAMETOOLONG:
      return "choose a shorter name with --output";
    default:
      return "name another place with --output";
  }
}

[[noreturn]] void reject_output(const std::string& path, int code) {
  throw InputError("{}: cannot be written: {}; {}", path, std::generic_category().message(code), mend_for(code));
}

// Removes the file when it goes out of scope, unless it was kept.
class Temporary {
 public:
  // A name that nobody can guess and that is not there yet: O_EXCL follows no planted link.
  Temporary(const fs::path& folder, const std::string& target) : descriptor_(-1) {
    std::random_device random;
    for (int attempt = 0; attempt < 100; ++attempt) {
      name_ = folder / fmt::format(".quantimed-{:08x}{:08x}.tmp", random(), random());
      const int opened = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (opened >= 0) {
        descriptor_ = opened;
        return;
      }
      if (errno != EEXIST) break;
    }
    reject_output(target, errno);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!kept_) ::unlink(name_.c_str());
  }

  bool write(std::span<const std::byte> bytes) {
    constexpr std::size_t kMost = std::size_t{1} << 30;  // Linux writes at most 2 GiB a call
    while (!bytes.empty()) {
      const ssize_t done = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kMost));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return true;
  }

  // Network file systems report a full disk as late as close, so its answer counts too.
  bool finish(const fs::path& target) {
    if (::fsync(descriptor_) != 0) return false;
    if (::close(std::exchange(descriptor_, -1)) != 0) return false;
    return kept_ = ::rename(name_.c_str(), target.c_str()) == 0;
  }

 private:
  int descriptor_;
  fs::path name_;
  bool kept_ = false;
};

// Where the bytes really go: behind links, and never in place of a device or a folder.
fs::path resolve_output(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) reject_output(path, errno);
    return path;
  }
  if (!S_ISREG(status.st_mode))
    throw InputError("{}: cannot be written: it is not a plain file; name another with --output", path);
  std::error_code failure;
  const fs::path real = fs::canonical(path, failure);
  if (failure) reject_output(path, failure.value());
  return real;
}

[[noreturn]] void reject_input(const std::string& path, const std::string& what) {
  throw InputError("{}: {}; name a trace that `quantimed run` wrote", path, what);
}

// The checksum of the file's first `size` bytes.
std::uint32_t checksum_of(const std::string& path, int file, std::uint64_t size) {
  std::vector<std::byte> block(1 << 18);
  std::uint32_t checksum = 0;
  for (std::uint64_t at = 0; at < size;) {
    const ssize_t got =
        ::pread(file, block.data(), std::min<std::uint64_t>(block.size(), size - at), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) reject_input(path, got == 0 ? "shrinks while it is read" : std::generic_category().message(errno));
    checksum = extend(checksum, std::span(block).first(static_cast<std::size_t>(got)));
    at += static_cast<std::uint64_t>(got);
  }
  return checksum;
}

}  // namespace

void publish_image(const std::string& path, std::span<const std::byte> image) {
  const fs::path target = resolve_output(path);
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  if (!target.has_filename()) reject_output(path, EISDIR);
  const std::string end = seal(extend(0, image));
  Temporary temporary(folder, path);
  if (!temporary.write(image) || !temporary.write(std::as_bytes(std::span(end))) || !temporary.finish(target))
    reject_output(path, errno);
  // The rename itself is on disk once the folder is. Some file systems refuse to sync folders: nothing is lost then
  // but the certainty after a power cut.
  const Descriptor parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent >= 0) static_cast<void>(::fsync(parent));
}

InputFile checked_file(const std::string& path) {
  // Not blocking: a pipe is turned away below instead of waited for.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file < 0) reject_input(path, std::generic_category().message(errno));
  struct stat status {};
  if (::fstat(file, &status) != 0) reject_input(path, std::generic_category().message(errno));
  if (!S_ISREG(status.st_mode)) reject_input(path, "is not a plain file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < kSealBytes) return {size, false};

  std::array<char, kSealBytes> end{};
  const std::uint64_t before = size - kSealBytes;
  if (::pread(file, end.data(), end.size(), static_cast<off_t>(before)) != static_cast<ssize_t>(end.size()))
    reject_input(path, "cannot be read to its end");
  const std::string found(end.data(), end.size());
  if (!found.starts_with(kSealStart)) return {size, false};
  if (found != seal(checksum_of(path, file, before))) reject_input(path, "damaged: its checksum does not fit");
  return {size, true};
}

}  // namespace quantimed

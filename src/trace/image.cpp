// SPDX-License-Identifier: BSD-3-Clause
#include "trace/image.hpp"

#include "base/error.hpp"
#include "base/path_kind.hpp"
#include "trace/trace.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <random>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace quantimed {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kSealBytes = 32;
constexpr char kSealStart[] = "quantimed-trace-crc32:";  // then 8 hexadecimal digits, then two line feeds
static_assert(sizeof kSealStart - 1 + 8 + 2 == kSealBytes);
constexpr std::size_t kLargestStep = std::size_t{64} << 20;  // by which a file in the making grows

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

const char* fix_for(int code) {
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
    case EMFILE:
    case ENFILE:
      return path_fix(code);
    case ENAMETOOLONG:
      return "choose a shorter name with --output";
    default:
      return "name another place with --output";
  }
}

[[noreturn]] void reject_output(const std::string& path, int code) {
  const std::string text =
      fmt::format("{}: cannot be written: {}; {}", path, std::generic_category().message(code), fix_for(code));
  if (is_shortage(code)) throw MachineRefused("{}", text);
  throw InputError("{}", text);
}

// Where the bytes really go: behind links, and never in place of a device or a folder.
fs::path resolve_output(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) reject_output(path, errno);
    fs::path end = path;  // a link to nothing yet; a loop of them is ELOOP above
    for (std::error_code failure; fs::is_symlink(end, failure);)
      end = end.parent_path() / fs::read_symlink(end, failure);
    return end;
  }
  if (!S_ISREG(status.st_mode))
    throw InputError("{}: cannot be written: it is not a plain file; name another with --output", path);
  std::error_code failure;
  fs::path real = fs::canonical(path, failure);
  if (failure) reject_output(path, failure.value());
  return real;
}

fs::path folder_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

[[noreturn]] void reject_input(const std::string& path, const std::string& what) {
  throw InputError("{}: {}; name a trace that `quantimed run` wrote", path, what);
}

// The checksum of the file's first `size` bytes; nothing where it cannot be read so far (errno; 0: it is shorter).
std::optional<std::uint32_t> checksum_of(int file, std::uint64_t size) {
  std::array<std::byte, 1 << 16> block;  // on the stack: memory may have run out
  std::uint32_t checksum = 0;
  for (std::uint64_t at = 0; at < size;) {
    errno = 0;
    const ssize_t got =
        ::pread(file, block.data(), std::min<std::uint64_t>(block.size(), size - at), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    checksum = extend(checksum, std::span(block).first(static_cast<std::size_t>(got)));
    at += static_cast<std::uint64_t>(got);
  }
  return checksum;
}

// Room on the disk for all bytes of the file, so that none that is mapped is missing when it is touched.
int reserve(int file, std::size_t bytes) {
  int refusal = 0;
  do refusal = ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
  while (refusal == EINTR);
  return refusal;
}

}  // namespace

// Has no name until it is whole, so that a writer that is killed leaves nothing. Where the file system knows no files
// without names, it has one, and a lock that the kernel gives up when its writers die: the next writer removes what has
// none. Removes the file when it goes out of scope, unless it was kept.
class ImageFile::Temporary {
 public:
  Temporary(const fs::path& folder, const std::string& target) : folder_(folder) {
    if (can_be_named_later()) descriptor_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) return;
    remove_abandoned();
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      name_ = new_name();
      descriptor_ = ::open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ < 0 && errno != EEXIST) break;
      if (descriptor_ >= 0 && is_locked_and_there()) return;
      if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));  // another writer has just cleared it away
    }
    reject_output(target, errno);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!kept_ && !name_.empty()) ::unlink(name_.c_str());
  }

  int descriptor() const { return descriptor_; }

  // Cuts the file to `bytes` and their seal.
  bool seal_at(std::size_t bytes) {
    if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) return false;
    const auto checksum = checksum_of(descriptor_, bytes);
    if (!checksum) return false;
    const std::string end = seal(*checksum);
    for (std::size_t done = 0; done < end.size();) {
      const ssize_t now = ::pwrite(descriptor_, end.data() + done, end.size() - done, static_cast<off_t>(bytes + done));
      if (now < 0 && errno == EINTR) continue;
      if (now < 0) return false;
      done += static_cast<std::size_t>(now);
    }
    return true;
  }

  // Network file systems report a full disk as late as close, so its answer counts too.
  bool finish(const fs::path& target) {
    if (::fsync(descriptor_) != 0 || !has_name()) return false;
    if (::close(std::exchange(descriptor_, -1)) != 0) return false;
    return kept_ = ::rename(name_.c_str(), target.c_str()) == 0;
  }

 private:
  static constexpr int kAttempts = 100;
  static constexpr std::string_view kStart = ".quantimed-", kEnd = ".tmp";

  // QUANTIMED_NAMED_TEMPORARIES: for tests, as on a file system that knows no files without names.
  static bool can_be_named_later() {
    return ::access("/proc/self/fd", X_OK) == 0 && std::getenv("QUANTIMED_NAMED_TEMPORARIES") == nullptr;
  }

  // A name that nobody can guess and that is not there yet: O_EXCL follows no planted link, nor does linkat().
  fs::path new_name() const {
    std::random_device random;
    return folder_ / fmt::format("{}{:08x}{:08x}{}", kStart, random(), random(), kEnd);
  }

  bool has_name() {
    const std::string open_file = fmt::format("/proc/self/fd/{}", descriptor_);
    for (int attempt = 0; attempt < kAttempts && name_.empty(); ++attempt) {
      const fs::path name = new_name();
      if (::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0)
        name_ = name;
      else if (errno != EEXIST)
        break;
    }
    return !name_.empty();
  }

  // Where there are no locks nobody clears anything away.
  bool is_locked_and_there() const {
    struct stat status {};
    return (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) &&
           ::fstat(descriptor_, &status) == 0 && status.st_nlink > 0;
  }

  void remove_abandoned() const {
    std::error_code ignored;
    for (fs::directory_iterator entry(folder_, ignored), end; entry != end; entry.increment(ignored)) {
      const std::string name = entry->path().filename().string();
      if (name.size() != kStart.size() + 16 + kEnd.size() || !name.starts_with(kStart) || !name.ends_with(kEnd))
        continue;
      const Descriptor file(::open(entry->path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
      if (file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) == 0) ::unlink(entry->path().c_str());
    }
  }

  fs::path folder_;
  int descriptor_ = -1;
  fs::path name_;  // empty: it has none yet
  bool kept_ = false;
};

ImageFile::ImageFile(const std::string& path) : path_(path), target_(resolve_output(path)) {
  if (!target_.has_filename()) reject_output(path, EISDIR);
  temporary_ = std::make_unique<Temporary>(folder_of(target_), path);
}

ImageFile::~ImageFile() { unmap(); }

void ImageFile::unmap() {
  if (memory_) ::munmap(memory_, capacity_);
  memory_ = nullptr;
  capacity_ = 0;
}

std::byte* ImageFile::resize(std::size_t bytes) {
  if (bytes <= capacity_) return memory_;
  // Doubled, up to a step that wastes no disk; what has been written leaves memory, and stays in the file.
  const std::size_t capacity = std::max(bytes, capacity_ + std::min(capacity_, kLargestStep));
  if (memory_ && refusal_ == 0) static_cast<void>(::madvise(memory_, capacity_, MADV_DONTNEED));
  const int file = temporary_->descriptor();
  if (refusal_ == 0) refusal_ = reserve(file, capacity);
  void* larger = refusal_ == 0 ? ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                               : ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (larger == MAP_FAILED) {
    is_out_of_memory_ = true;
    return nullptr;
  }
  if (refusal_ != 0 && memory_) std::memcpy(larger, memory_, capacity_);
  unmap();
  capacity_ = capacity;
  return memory_ = static_cast<std::byte*>(larger);
}

void ImageFile::publish(std::size_t bytes, int refusal) {
  unmap();
  if (refusal != 0) reject_output(path_, refusal);
  if (!temporary_->seal_at(bytes) || !temporary_->finish(target_)) reject_output(path_, errno);
  // The rename itself is on disk once the folder is. Some file systems refuse to sync folders: nothing is lost then
  // but the certainty after a power cut.
  const Descriptor parent(::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
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
  const auto checksum = checksum_of(file, before);
  if (!checksum) reject_input(path, errno == 0 ? "shrinks while it is read" : std::generic_category().message(errno));
  if (found != seal(*checksum))
    throw DamagedTrace("{}: damaged: its checksum does not fit; name a trace that `quantimed run` wrote", path);
  return {size, true};
}

std::string seal_of(const std::string& path) {
  std::string end(seal(0).size(), '\0');
  std::ifstream file(path, std::ios::binary);
  file.seekg(-static_cast<std::streamoff>(end.size()), std::ios::end);
  if (!file.read(end.data(), static_cast<std::streamsize>(end.size())) || !end.starts_with(kSealStart)) return "";
  return end.substr(0, end.find('\n'));
}

}  // namespace quantimed

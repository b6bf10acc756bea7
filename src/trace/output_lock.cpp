// SPDX-License-Identifier: BSD-3-Clause
#include "trace/output_lock.hpp"

#include "base/error.hpp"
#include "base/path_kind.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace quantimed {

namespace {

// Whether the name still leads to this open file: its last holder may have removed it since.
bool is_still_there(int descriptor, const std::string& name) {
  struct stat opened {
  }, named{};
  return ::fstat(descriptor, &opened) == 0 && ::stat(name.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

}  // namespace

OutputLock::OutputLock(const std::string& path) : name_(path + ".lock") {
  for (;;) {
    descriptor_ = ::open(name_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor_ < 0) throw InputError("--output {}: {} cannot be made: {}", path, name_, path_failure(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) {
      if (is_still_there(descriptor_, name_)) return;
      ::close(std::exchange(descriptor_, -1));
      continue;
    }
    const int code = errno;
    if (code == EINTR) {
      ::close(std::exchange(descriptor_, -1));
      continue;
    }
    ::close(std::exchange(descriptor_, -1));
    if (code == EWOULDBLOCK)
      throw InputError("{}: another process is writing it; wait for its end, or name another file with --output", path);
    kind_ = "none: " + std::generic_category().message(code);
    ::unlink(name_.c_str());
    return;
  }
}

OutputLock::OutputLock(OutputLock&& other) noexcept
    : name_(std::move(other.name_)), kind_(std::move(other.kind_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

OutputLock::~OutputLock() {
  if (descriptor_ < 0) return;
  ::unlink(name_.c_str());  // before the lock is given up
  ::close(descriptor_);
}

}  // namespace quantimed

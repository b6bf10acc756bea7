// SPDX-License-Identifier: BSD-3-Clause
#include "base/path_kind.hpp"

#include "base/error.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace quantimed {

const char* path_fix(int code) {
  switch (code) {
    case ENAMETOOLONG:
      return "choose a shorter name";
    case ELOOP:
      return "a link leads back to itself: remove it, or choose another name";
    case ENOTDIR:
      return "a part of the path is a file: choose another place";
    case EACCES:
    case EPERM:
    case EROFS:
      return "change its permissions, or choose another place";
    case ENOSPC:
    case EDQUOT:
      return "free some space, or choose another place";
    case EFBIG:
      return "raise the limit on file sizes (ulimit -f)";
    case EMFILE:
      return "raise the limit on open files (ulimit -n)";
    case ENFILE:
      return "close files of other programs: the whole system has no more";
    default:
      return "choose another place";
  }
}

std::string path_failure(int code) {
  return fmt::format("{}; {}", std::generic_category().message(code), path_fix(code));
}

PathKind kind_of_path(const std::string& option, const std::string& path, const std::string& given) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return PathKind::nothing;
    const std::string why = path_failure(errno);
    if (given.empty() || given == path) throw InputError("{} {}: {}", option, path, why);
    throw InputError("{} {}: {}: {}", option, given, path, why);
  }
  return S_ISREG(status.st_mode) ? PathKind::file : S_ISDIR(status.st_mode) ? PathKind::folder : PathKind::other;
}

void make_folder(const std::string& option, const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error || kind_of_path(option, folder) == PathKind::folder) return;
  if (is_shortage(error.value()))
    throw MachineRefused("{} {}: the folder cannot be made: {}", option, folder, path_failure(error.value()));
  throw InputError("{} {}: the folder cannot be made: {}", option, folder, path_failure(error.value()));
}

}  // namespace quantimed

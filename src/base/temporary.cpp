// SPDX-License-Identifier: BSD-3-Clause
#include "base/temporary.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <string>

#include <fmt/core.h>

namespace quantimed {

std::filesystem::path make_temporary_beside(const std::filesystem::path& target) {
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::string name = fmt::format("{}.{:08x}{:08x}.partial", target.string(), random(), random());
    const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0) {
      ::close(file);
      return name;
    }
    if (errno != EEXIST) break;
  }
  return {};
}

}  // namespace quantimed

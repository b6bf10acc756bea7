// SPDX-License-Identifier: BSD-3-Clause
#include "base/streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace quantimed {

void hold_standard_streams() {
  for (int stream = 0; stream <= 2; ++stream)
    if (::fcntl(stream, F_GETFD) < 0 && errno == EBADF)
      static_cast<void>(::open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY));  // the lowest free number is this one
}

int close_standard_output(int failure) {
  const bool had_failed = std::ferror(stdout) != 0;
  errno = 0;
  int code = failure;
  if (std::fflush(stdout) != 0 && code == 0) code = errno;
  if (code == 0 && had_failed) code = EIO;  // what was refused is not in the buffer any more
  // Network file systems tell of a full disk as late as this.
  if (std::fclose(stdout) != 0 && code == 0) code = errno;
  if (code == EPIPE) {
    static_cast<void>(std::signal(SIGPIPE, SIG_DFL));
    static_cast<void>(std::raise(SIGPIPE));
  }
  return code;
}

}  // namespace quantimed

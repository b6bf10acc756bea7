// SPDX-License-Identifier: BSD-3-Clause
// The program's three standard streams: what cannot be written to standard output is an error at the end of every
// command, what cannot be written to standard error is lost and ends nothing.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace quantimed {

// On standard error. fmt::print throws where the stream refuses, and a run must not end for that.
template <class... Args>
void tell(fmt::format_string<Args...> format, Args&&... args) {
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
}

// First of all: a stream that the caller has closed must not become the number of a file that is opened later. Reads
// from it and writes to it fail.
void hold_standard_streams();

// Last of all: 0, or the errno of what could not be written to standard output; `failure` is that of an earlier print.
// Where its reader is gone (a closed pipe) the process ends by SIGPIPE, quietly, even where that signal was ignored.
int close_standard_output(int failure);

}  // namespace quantimed

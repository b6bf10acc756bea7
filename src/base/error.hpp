// SPDX-License-Identifier: BSD-3-Clause
// Three kinds of failure, and nothing else: the user's input is wrong (exit status 2), the machine refuses what the run
// needs (exit status 4), or we are wrong (exit status 1).
#pragma once

#include <fmt/core.h>

#include <cerrno>
#include <stdexcept>
#include <string>

namespace quantimed {

// Bad usage or bad input. The text is one line: what (option or file), which value, and how to fix it.
class InputError : public std::runtime_error {
 public:
  template <class... Args>
  explicit InputError(fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, static_cast<Args&&>(args)...)) {}
};

// The machine refuses memory, threads or room on a disk, here or now: the same command can succeed later, or where it
// is granted more. What a run has written so far stays good. The text is one line: what was refused, and how to fix
// it.
class MachineRefused : public std::runtime_error {
 public:
  template <class... Args>
  explicit MachineRefused(fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, static_cast<Args&&>(args)...)) {}
};

// Is this value of errno a shortage of the machine's (MachineRefused), rather than a wrong name or a missing right?
inline bool is_shortage(int code) {
  for (const int shortage : {ENOSPC, EDQUOT, EFBIG, EIO, ENOMEM, EAGAIN, EMFILE, ENFILE})
    if (code == shortage) return true;
  return false;
}

// A broken invariant of the program itself. Kept in release builds.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// Off only in the build that tells what the guards cost (bench/guards); its runs are INVALID.
#ifdef QUANTIMED_WITHOUT_GUARDS
inline constexpr bool kGuards = false;
#else
inline constexpr bool kGuards = true;
#endif

// (Clang 14 lacks std::source_location; these builtins are what it is made of.)
inline void check(bool invariant, const char* what, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (kGuards && !invariant) [[unlikely]]
    throw InternalError(fmt::format("{}:{}: {}", file, line, what));
}

}  // namespace quantimed

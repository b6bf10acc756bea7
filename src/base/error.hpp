// Two kinds of failure, and nothing else: the user's input is wrong (exit status 2), or we are (exit status 1).
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>

namespace quantimed {

// Bad usage or bad input. The text is one line: what (option or file), which value, and how to mend it.
class InputError : public std::runtime_error {
 public:
  template <class... Args>
  explicit InputError(fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, static_cast<Args&&>(args)...)) {}
};

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

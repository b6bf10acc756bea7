// Two kinds of failure, and nothing else: the user's input is wrong (exit status 2), or we are (exit status 1).
#pragma once

#include <fmt/core.h>

#include <source_location>
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

inline void check(bool invariant, const char* what, std::source_location where = std::source_location::current()) {
  if (!invariant) [[unlikely]]
    throw InternalError(fmt::format("{}:{}: {}", where.file_name(), where.line(), what));
}

}  // namespace quantimed

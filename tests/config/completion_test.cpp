// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/option_table.hpp"
#include "config/parse.hpp"

namespace quantimed {
namespace {

using testing::HasSubstr;

// tests/package/test_completion.py asks the shells themselves.
TEST(Completion, EveryShellIsToldEveryCommandAndOption) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = parse({"completion", shell}).help;
    const std::string dashes = shell == std::string("fish") ? "-l " : "--";
    for (const CommandRow& row : command_table()) EXPECT_THAT(script, HasSubstr(row.name)) << shell;
    for (const OptionRow& row : option_table()) EXPECT_THAT(script, HasSubstr(dashes + row.name)) << shell;
  }
}

TEST(ManualPage, NamesEveryCommandAndOption) {
  const std::string page = parse({"completion", "man"}).help;
  const auto in_troff = [](std::string text) {
    for (std::size_t at = 0; (at = text.find('-', at)) != std::string::npos; at += 2) text.insert(at, "\\");
    return text;
  };
  for (const CommandRow& row : command_table()) EXPECT_THAT(page, HasSubstr("\n\\fB" + in_troff(row.name) + "\\fR"));
  for (const OptionRow& row : option_table())
    EXPECT_THAT(page, HasSubstr("\n\\fB" + in_troff(std::string("--") + row.name) + "\\fR"));
}

TEST(Completion, ForAnotherShellIsRefused) {
  EXPECT_THAT(error_of({"completion", "tcsh"}), HasSubstr("give bash, zsh, fish, or man"));
  EXPECT_THAT(error_of({"completion"}), HasSubstr("give one of bash, zsh, fish, man"));
  EXPECT_THAT(error_of({"completion", "bash", "zsh"}), HasSubstr("give one of"));
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// `quantimed report`: hands over to analysis/quantimed-report, which is in Python.
#include "base/error.hpp"
#include "command/commands.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

// quantimed-config.cmake compiles it into programs of one's own: where the installed files are.
extern "C" [[gnu::weak]] const char* quantimed_installed_files();

namespace quantimed {

namespace {

// Beside the program, in the folder that it was built in or installed to; or where QUANTIMED_HOME says.
std::vector<std::filesystem::path> places() {
  std::vector<std::filesystem::path> found;
  if (const char* home = std::getenv("QUANTIMED_HOME")) found.emplace_back(std::filesystem::path(home) / "analysis");
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return found;
  const std::filesystem::path folder = program.parent_path();
  found.emplace_back(folder.parent_path() / "analysis");
  found.emplace_back(folder.parent_path() / "share" / "quantimed" / "analysis");
  if (quantimed_installed_files) found.emplace_back(std::filesystem::path(quantimed_installed_files()) / "analysis");
  return found;
}

}  // namespace

int report_command(const Request& request) {
  for (const std::filesystem::path& place : places()) {
    const std::string script = (place / "quantimed-report").string();
    if (::access(script.c_str(), X_OK) != 0) continue;
    std::vector<char*> words = {const_cast<char*>(script.c_str())};  // execv() takes its text as it is
    for (const std::string& argument : request.arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    std::error_code error;  // the report asks this very program for its statistics
    if (const auto program = std::filesystem::read_symlink("/proc/self/exe", error); !error)
      ::setenv("QUANTIMED_PROGRAM", program.c_str(), 0);
    ::execv(script.c_str(), words.data());
    throw InputError("report: {} cannot be run: {}", script, std::strerror(errno));
  }
  throw InputError(
      "report: analysis/quantimed-report is not beside this program; set QUANTIMED_HOME to the folder that holds "
      "analysis/");
}

}  // namespace quantimed

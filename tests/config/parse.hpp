// SPDX-License-Identifier: BSD-3-Clause
// Short ways to parse a command line in a test.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/config.hpp"

namespace quantimed {

inline Request parse(const std::vector<std::string>& words) {
  std::vector<const char*> argv = {"quantimed"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

// The error's text; "" when the line is accepted.
inline std::string error_of(const std::vector<std::string>& words) {
  try {
    parse(words);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

// A file that goes with its test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            fmt::format("quantimed-config-{}-{}.ini", static_cast<const void*>(this), ++count);
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace quantimed

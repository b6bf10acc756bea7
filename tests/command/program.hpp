// SPDX-License-Identifier: BSD-3-Clause
// Runs the built program as a user would: a command line in, exit status and both outputs back.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "here.hpp"

namespace quantimed {

inline const std::string kProgram = "'" QUANTIMED_PROGRAM "' ";  // for the shell

struct Ran {
  int status;
  std::string out, err;
};

// A folder of its own for each test, removed afterwards.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "quantimed-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string str() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

inline void spill(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

inline bool is_one_line(const std::string& text) { return std::ranges::count(text, '\n') == 1 && text.ends_with('\n'); }

inline void expect_refused(const Ran& ran, const std::string& says, const std::string& of) {
  EXPECT_EQ(ran.status, 2) << of << ": " << ran.out << ran.err;
  EXPECT_TRUE(is_one_line(ran.err)) << of << ": " << ran.err;
  EXPECT_THAT(ran.err, testing::HasSubstr(says)) << of;
}

// For the shell, after "PROGRAM … &": waits until a file is there, or until the program has ended without it.
inline std::string until_there(const std::string& file) {
  return "while kill -0 $p 2>/dev/null && ! test -e " + file + "; do sleep 0.02; done; ";
}

// A table.md as it is printed: its first line says who made it.
inline std::string table_of(const std::string& path) {
  const std::string text = contents(path);
  return text.starts_with("<!--") ? text.substr(text.find('\n') + 1) : "no table.md of ours: " + text;
}

inline Ran run_program(const Folder& folder, const std::string& arguments) {
  // The folder and both outputs hold for all that `arguments` may go on to say (… & p=$!; kill $p; wait $p).
  const std::string command =
      "cd '" + folder.str() + "' || exit 1; exec >out 2>err; '" QUANTIMED_PROGRAM "' " + arguments;
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents(folder / "out"), contents(folder / "err")};
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Runs the built program as a user would: a command line in, exit status and both outputs back.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <unistd.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <regex>
#include <sstream>
#include <string>
#include <thread>

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

// A run into a.h5 that a signal has stopped on its way, `pause` after it had its output; where it was faster, once
// more. Status 75.
inline Ran stopped_run(const Folder& folder, const std::string& run, const std::string& pause = "") {
  Ran ran;
  for (int more = 0; more < 9; ++more) {
    ran = run_program(folder, run + "--overwrite --output a.h5 & p=$!; " + until_there("a.h5.lock") + pause +
                                  "kill -USR1 $p 2>/dev/null; wait $p");
    if (ran.status == 75) break;
  }
  return ran;
}

// Standard error without the lines that say how far a command is: it has some where a busy machine made it slow.
inline std::string without_progress(const std::string& err) {
  return std::regex_replace(err, std::regex(R"([^\n]*  \d+ %  about [^\n]* left\n)"), "");
}

// While it lives this process, and what it starts, have one core: nodes on threads that wait for each other keep all
// busy that there are.
class OnOneCore {
 public:
  OnOneCore() {
    EXPECT_EQ(::sched_getaffinity(0, sizeof before_, &before_), 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++core)
      if (CPU_ISSET(core, &before_)) CPU_SET(core, &one);
    EXPECT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  }
  ~OnOneCore() { ::sched_setaffinity(0, sizeof before_, &before_); }
  OnOneCore(const OnOneCore&) = delete;
  OnOneCore& operator=(const OnOneCore&) = delete;

 private:
  cpu_set_t before_{};
};

// The program in the background, for a test that stops it at a moment of its own.
class Started {
 public:
  Started(const Folder& folder, const std::string& arguments)
      : pid_file_(folder / "pid"), ran_(std::async(std::launch::async, [&folder, arguments] {
          std::filesystem::remove(folder / "pid");
          return run_program(folder, arguments + " & p=$!; echo $p > pid; wait $p");
        })) {}

  // Waits until `there()`, or until the program has ended without it.
  template <class There>
  void until(There&& there) {
    while (ran_.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready && !there()) {
    }
  }
  Ran stop(int signal) {
    std::string pid;
    until([&] { return (pid = contents(pid_file_)).ends_with('\n'); });
    if (ran_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) ::kill(std::stoi(pid), signal);
    return ran_.get();
  }

 private:
  std::string pid_file_;
  std::future<Ran> ran_;
};

}  // namespace quantimed

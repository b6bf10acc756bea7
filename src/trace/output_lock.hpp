// SPDX-License-Identifier: BSD-3-Clause
// Two processes never write one output: who does holds a lock on PATH.lock, which the kernel gives up when the process
// dies, however it dies.
#pragma once

#include <string>

namespace quantimed {

class OutputLock {
 public:
  // Throws InputError where another process holds it. Where the file system has no locks (some cluster file systems
  // are mounted so) there is none, and kind() says why.
  explicit OutputLock(const std::string& path);
  OutputLock(OutputLock&& other) noexcept;
  OutputLock& operator=(OutputLock&&) = delete;
  ~OutputLock();  // removes PATH.lock

  const std::string& kind() const { return kind_; }  // "flock", or "none: REASON"

 private:
  std::string name_;
  std::string kind_ = "flock";
  int descriptor_ = -1;
};

}  // namespace quantimed

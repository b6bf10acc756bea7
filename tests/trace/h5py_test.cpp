// SPDX-License-Identifier: BSD-3-Clause
// The names that scripts rely on, read by a program that is not ours.
#include "here.hpp"
#include "sample.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace quantimed {
namespace {

using H5py = Folder;

TEST_F(H5py, ReadsTheContract) {
  if (std::system("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0)
    GTEST_SKIP() << "/usr/bin/python3 has no h5py: the names of the contract are not checked by another program";
  write_trace(path("a.h5"), sample_trace());
  write_trace(path("plain.h5"), [] {
    Trace trace = sample_trace(40, 60);
    trace.timeline = {};
    return trace;
  }());
  const std::string command =
      fmt::format("/usr/bin/python3 {}/trace/contract.py {} {}", QUANTIMED_TESTS_DIR, path("a.h5"), path("plain.h5"));
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace quantimed

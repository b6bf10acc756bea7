// SPDX-License-Identifier: BSD-3-Clause
// Prints what it says of its own build, a line each.
#include "base/build_info.hpp"

#include <cstdio>
#include <initializer_list>

int main() {
  using namespace quantimed::build;
  for (const char* text : {kVersion, kCommit, kCompiler, kFlags, kInstructions, kSanitizers}) std::puts(text);
}

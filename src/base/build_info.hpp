// SPDX-License-Identifier: BSD-3-Clause
// What this program was built from, and how. A step of every build writes the text (cmake/build_info.cmake), so it is
// that of the sources compiled, not that of the day CMake was first run.
#pragma once

namespace quantimed::build {

extern const char* const kVersion;
extern const char* const kCommit;    // "-dirty" where a source differs from it; "unknown" outside a repository of ours
extern const char* const kCompiler;  // "GNU 12.2.0"
extern const char* const kFlags;     // as the compiler got them, without paths and warnings
extern const char* const kInstructions;  // -march's value ("native", "x86-64-v3", …), or "portable"
extern const char* const kSanitizers;    // as given to -fsanitize=; "" for none

}  // namespace quantimed::build

// SPDX-License-Identifier: BSD-3-Clause
// One text, several instruction sets. A build for this machine's own instructions (QUANTIMED_NATIVE) has one path. A
// portable build for x86-64 compiles the loops that the program spends its time in three times, for the baseline,
// x86-64-v3 (AVX2, FMA) and x86-64-v4 (AVX-512), and takes the widest that the processor has. Elsewhere, in builds with
// sanitizers, and where the compiler cannot, there is one path as well: that of the compiler's flags (NEON on AArch64).
//
// A kernel is a function that is marked QUANTIMED_KERNEL and called as dispatched<kernel>(arguments…). It is plain
// code: no exceptions, and no sum whose order would depend on the width of a vector (lanes.hpp).
//
// Bits: v3 and v4 give the same ones, those of a native build with the same compiler on a machine that has FMA. The
// baseline rounds a product before it is added, so it gives others (a code's messages are the same everywhere).
//
// No ifunc: its resolvers would run before the program can start itself again (src/start), and before a sanitizer.
#pragma once

#include <atomic>
#include <string>
#include <vector>

namespace quantimed {

enum class Instructions {
  compiled,
  v3,
  v4
};  // compiled: as the compiler's flags say, in a portable build the baseline

// What kernels use. QUANTIMED_INSTRUCTIONS (x86-64, x86-64-v3, x86-64-v4) holds a portable build to less than the
// processor can do: to compute again what an older one did.
Instructions instructions_in_use();
std::string to_string(Instructions instructions);   // "x86-64-v3"; of `compiled` what the build was compiled for
std::vector<Instructions> possible_instructions();  // here, the narrowest first

// Throws InputError where QUANTIMED_INSTRUCTIONS asks for what this build or this processor does not have.
void check_instructions();

// For tests: not while a kernel runs.
void use_instructions(Instructions instructions);

#ifdef QUANTIMED_DISPATCH

#define QUANTIMED_KERNEL [[gnu::always_inline]] inline

namespace instructions {

inline constexpr bool is_dispatched = true;

extern std::atomic<Instructions> in_use;

template <auto kKernel, class... Arguments>
[[gnu::target("arch=x86-64-v3"), gnu::flatten, gnu::noinline]] auto in_v3(Arguments... arguments) {
  return kKernel(arguments...);
}
template <auto kKernel, class... Arguments>
[[gnu::target("arch=x86-64-v4"), gnu::flatten, gnu::noinline]] auto in_v4(Arguments... arguments) {
  return kKernel(arguments...);
}
template <auto kKernel, class... Arguments>
[[gnu::flatten, gnu::noinline]] auto as_compiled(Arguments... arguments) {
  return kKernel(arguments...);
}

}  // namespace instructions

template <auto kKernel, class... Arguments>
inline auto dispatched(Arguments... arguments) {
  switch (instructions::in_use.load(std::memory_order_relaxed)) {
    case Instructions::v4:
      return instructions::in_v4<kKernel>(arguments...);
    case Instructions::v3:
      return instructions::in_v3<kKernel>(arguments...);
    default:
      return instructions::as_compiled<kKernel>(arguments...);
  }
}

#else

#define QUANTIMED_KERNEL inline

namespace instructions {
inline constexpr bool is_dispatched = false;
}

template <auto kKernel, class... Arguments>
inline auto dispatched(Arguments... arguments) {
  return kKernel(arguments...);
}

#endif

}  // namespace quantimed

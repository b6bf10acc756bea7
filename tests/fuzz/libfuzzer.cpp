// SPDX-License-Identifier: BSD-3-Clause
// Clang's fuzzer on the target that QUANTIMED_FUZZ names: fuzz [libFuzzer's options] CORPUS
#include "fuzz/targets.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace quantimed::fuzz;
  static const Target& target = []() -> const Target& {
    const char* name = std::getenv("QUANTIMED_FUZZ");
    return find_target(name ? name : "");
  }();
  run_once(target, {data, size});
  return 0;
}

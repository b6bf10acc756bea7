// SPDX-License-Identifier: BSD-3-Clause
#include "base/instructions.hpp"

#include <cstdlib>
#include <string_view>

#include "base/error.hpp"

namespace quantimed {

namespace {

constexpr const char* kVariable = "QUANTIMED_INSTRUCTIONS";
constexpr Instructions kAll[] = {Instructions::compiled, Instructions::v3, Instructions::v4};

bool has([[maybe_unused]] Instructions instructions) {
#ifdef QUANTIMED_DISPATCH
  // By its parts: Clang 14 does not know the levels' names. What else belongs to them no processor with these lacks.
  const bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (instructions == Instructions::v3) return has_v3;
  if (instructions == Instructions::v4)
    return has_v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#endif
  return instructions == Instructions::compiled;
}

#ifdef QUANTIMED_DISPATCH
// What the environment asks for, or the widest where it asks for nothing or for what is not there (check_instructions).
Instructions chosen() {
  __builtin_cpu_init();
  const std::vector<Instructions> possible = possible_instructions();
  if (const char* asked = std::getenv(kVariable))
    for (const Instructions each : possible)
      if (to_string(each) == asked) return each;
  return possible.back();
}
#endif

}  // namespace

#ifdef QUANTIMED_DISPATCH
// Until its constructor has run, kernels use what every processor has.
constinit std::atomic<Instructions> instructions::in_use = Instructions::compiled;

namespace {
[[maybe_unused]] const bool is_chosen = (use_instructions(chosen()), true);
}
#endif

Instructions instructions_in_use() {
#ifdef QUANTIMED_DISPATCH
  return instructions::in_use;
#else
  return Instructions::compiled;
#endif
}

void use_instructions([[maybe_unused]] Instructions wanted) {
  check(has(wanted), "use_instructions: this processor or this build does not have them");
#ifdef QUANTIMED_DISPATCH
  instructions::in_use = wanted;
#endif
}

std::string to_string(Instructions instructions) {
  if (instructions == Instructions::v4) return "x86-64-v4";
  if (instructions == Instructions::v3) return "x86-64-v3";
#if defined(__AVX512BW__) && defined(__AVX512CD__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
  return "x86-64-v4";
#elif defined(__AVX2__) && defined(__FMA__)
  return "x86-64-v3";
#elif defined(__x86_64__)
  return "x86-64";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "generic";
#endif
}

void check_instructions() {
  const char* const asked = std::getenv(kVariable);
  if (!asked || to_string(instructions_in_use()) == asked) return;
  std::string possible;
  for (const Instructions each : possible_instructions()) possible += (possible.empty() ? "" : ", ") + to_string(each);
  throw InputError("{}={}: this build has kernels for {} on this processor; choose one of them or unset the variable{}",
                   kVariable, asked, possible,
                   instructions::is_dispatched ? "" : " (a build with -DQUANTIMED_NATIVE=OFF has several)");
}

std::vector<Instructions> possible_instructions() {
  std::vector<Instructions> possible;
  for (const Instructions each : kAll)
    if (has(each)) possible.push_back(each);
  return possible;
}

}  // namespace quantimed

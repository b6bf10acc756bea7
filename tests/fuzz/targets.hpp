// SPDX-License-Identifier: BSD-3-Clause
// What is fuzzed: one function for each reader of foreign bytes. libfuzzer.cpp drives one of them with Clang's fuzzer,
// replay_test.cpp all of them with the corpus and deterministic mutations of it, under any compiler.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quantimed::fuzz {

using Bytes = std::span<const std::uint8_t>;

struct Target {
  const char* name;                     // of its folder in the corpus, too
  void (*read)(Bytes);                  // may throw InputError; anything else is a finding
  std::vector<std::string> (*seeds)();  // beside the files of the corpus: what is binary; null: none
};
std::span<const Target> targets();
const Target& find_target(std::string_view name);

// Reads once. A finding ends the program: another exception than InputError, or an error of more than a line.
void run_once(const Target& target, Bytes bytes);

// Files of the corpus folder, in order, and the target's own seeds.
std::vector<std::string> all_seeds(const Target& target, const std::string& corpus);

}  // namespace quantimed::fuzz

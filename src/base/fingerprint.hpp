// SPDX-License-Identifier: BSD-3-Clause
// A short name for contents: two files or data sets of the same fingerprint are the same for all purposes but fraud.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

struct XXH3_state_s;

namespace quantimed {

// XXH3-128 of all that was added, in order. It takes about as long as reading the memory does.
class Fingerprint {
 public:
  Fingerprint();
  void add_bytes(const void* from, std::size_t size);
  // A number, so that neighbouring arrays cannot trade elements unseen: add their sizes first.
  template <class T>
  requires std::is_arithmetic_v<T>
  void add(T value) { add_bytes(&value, sizeof value); }
  template <class T>
  requires std::is_arithmetic_v<T>
  void add(const std::vector<T>& list) {
    add(static_cast<unsigned long long>(list.size()));
    add_bytes(list.data(), list.size() * sizeof(T));
  }
  void add(const std::string& text) {
    add(static_cast<unsigned long long>(text.size()));
    add_bytes(text.data(), text.size());
  }
  std::string hex() const;  // 32 digits

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

// XXH3-64 of plain memory.
std::uint64_t fingerprint64(const void* from, std::size_t size);

// Of a file's bytes, whatever its name: a graph, speeds, a machine file, a trace. "" for what cannot be read twice,
// a pipe or a device. Throws InputError, "PATH: …", when it cannot be read.
std::string file_fingerprint(const std::string& path);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// A process of its own for a library that is not ours to fix.
//
// A file that was forged byte by byte can crash libhdf5, hang it, or make it take all memory; and it crashes where
// memory is refused. So it reads and writes in a forked child, which hands plain values back through a pipe. A child
// that reads has limits on memory and processor time. Whatever becomes of the child, here it is an error about that
// file.
#pragma once

#include "base/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace quantimed {

inline constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

struct IsolationLimits {
  std::uint64_t memory_bytes = 0;  // of the child beyond what this process has, and of what it hands back
  std::uint64_t cpu_s = 0;         // processor time, not affected by how busy the machine is
};

// What a foreign file may cost: 10 times its size and 64 MiB, and a second of processor time for each MiB.
IsolationLimits foreign_file_limits(std::uint64_t file_bytes);

// The child came to no result. Says why, without the file's name: "crashes the HDF5 library (Segmentation fault)".
class IsolatedFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// There is no child: the system allows no further process, or no pipe.
class NoChild : public MachineRefused {
 public:
  using MachineRefused::MachineRefused;
};

class ChildOutput {
 public:
  explicit ChildOutput(int pipe) : pipe_(pipe) {}
  void bytes(const void* from, std::size_t size);
  void flush();
  static constexpr bool kReceives = false;

 private:
  int pipe_;
  std::size_t used_ = 0;
  std::array<std::byte, 1 << 16> buffer_;
};

class ParentInput {
 public:
  ParentInput(int pipe, std::uint64_t most_bytes) : pipe_(pipe), left_(most_bytes) {}
  void bytes(void* to, std::size_t size);
  void expect(std::uint64_t count, std::size_t each);  // before memory is taken for them
  static constexpr bool kReceives = true;

 private:
  int pipe_;
  std::uint64_t left_;
  std::size_t at_ = 0, filled_ = 0;
  std::array<std::byte, 1 << 16> buffer_;
};

// `produce` runs in the child, `consume` here on what it sent. An InputError or MachineRefused of the child is
// thrown again here. Throws IsolatedFailure.
void isolate(const IsolationLimits& limits, const std::function<void(ChildOutput&)>& produce,
             const std::function<void(ParentInput&)>& consume);

// ---- values through the pipe: one text for both directions ---------------------------------------
// A type of its own takes part with  template <class Pipe> void transfer(Pipe&, Type&)  beside it.

template <class Pipe, class T>
requires std::is_trivially_copyable_v<T>
void transfer(Pipe& pipe, T& value) { pipe.bytes(&value, sizeof value); }

template <class Pipe, class Container>
void transfer_elements(Pipe& pipe, Container& container) {
  using Element = typename Container::value_type;
  std::uint64_t size = container.size();
  transfer(pipe, size);
  if constexpr (Pipe::kReceives) {
    pipe.expect(size, sizeof(Element));
    container.resize(size);
  }
  if constexpr (std::is_trivially_copyable_v<Element>) {
    pipe.bytes(container.data(), container.size() * sizeof(Element));
  } else {
    for (Element& element : container) transfer(pipe, element);
  }
}
template <class Pipe>
void transfer(Pipe& pipe, std::string& text) {
  transfer_elements(pipe, text);
}
template <class Pipe, class A, class B>
void transfer(Pipe& pipe, std::pair<A, B>& pair);
template <class Pipe, class... Kinds>
void transfer(Pipe& pipe, std::variant<Kinds...>& value);
template <class Pipe, class T>
void transfer(Pipe& pipe, std::vector<T>& list) {
  transfer_elements(pipe, list);
}
template <class Pipe, class A, class B>
void transfer(Pipe& pipe, std::pair<A, B>& pair) {
  transfer(pipe, pair.first);
  transfer(pipe, pair.second);
}

template <class Pipe, class... Kinds>
void transfer(Pipe& pipe, std::variant<Kinds...>& value) {
  std::uint64_t kind = value.index();
  transfer(pipe, kind);
  if constexpr (Pipe::kReceives) {
    static constexpr auto kMake = [] {
      using Maker = void (*)(std::variant<Kinds...>&);
      return std::array<Maker, sizeof...(Kinds)>{+[](std::variant<Kinds...>& v) { v.template emplace<Kinds>(); }...};
    }();
    if (kind >= kMake.size()) throw IsolatedFailure("makes the HDF5 library return nonsense");
    kMake[kind](value);
  }
  std::visit([&](auto& held) { transfer(pipe, held); }, value);
}

template <class Pipe, class T>
void transfer(Pipe& pipe, std::optional<T>& value) {
  bool is_there = value.has_value();
  transfer(pipe, is_there);
  if (Pipe::kReceives && is_there) value.emplace();
  if (is_there) transfer(pipe, *value);
}

// The result of `read()`, made in the child.
template <class T, class Read>
T isolated(const IsolationLimits& limits, Read&& read) {
  T result;
  isolate(
      limits,
      [&](ChildOutput& pipe) {
        T value = read();
        transfer(pipe, value);
      },
      [&](ParentInput& pipe) { transfer(pipe, result); });
  return result;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Plain values one after the other, as processes of one run hand them to each other. Written and read in the same order
// by the same program on the same kind of machine, which is checked before (fleet.hpp).
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace quantimed {

class Parcel {
 public:
  Parcel() = default;
  explicit Parcel(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  template <class T>
  requires std::is_trivially_copyable_v<T> Parcel& put(const T& value) { return add(&value, sizeof value); }
  template <class T>
  Parcel& put_all(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    put(std::uint64_t{values.size()});
    return add(values.data(), values.size_bytes());
  }
  template <class T>
  Parcel& put_all(const std::vector<T>& values) {
    return put_all(std::span<const T>(values));
  }
  Parcel& put_text(const std::string& text) { return put_all(std::span<const char>(text)); }

  template <class T>
  requires std::is_trivially_copyable_v<T> T take() {
    T value;
    std::memcpy(&value, next(sizeof value), sizeof value);
    return value;
  }
  template <class T>
  std::vector<T> take_all() {
    const auto count = take<std::uint64_t>();
    check(count <= (bytes_.size() - at_) / sizeof(T), "a parcel holds less than it says");
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), next(count * sizeof(T)), count * sizeof(T));
    return values;
  }
  std::string take_text() {
    const std::vector<char> letters = take_all<char>();
    return {letters.begin(), letters.end()};
  }

  bool is_empty() const { return at_ == bytes_.size(); }
  std::vector<std::byte>& bytes() { return bytes_; }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  Parcel& add(const void* data, std::size_t size) {
    const std::size_t before = bytes_.size();
    bytes_.resize(before + size);
    if (size > 0) std::memcpy(bytes_.data() + before, data, size);
    return *this;
  }
  const std::byte* next(std::size_t size) {
    check(size <= bytes_.size() - at_, "a parcel ends too early");
    return bytes_.data() + std::exchange(at_, at_ + size);
  }

  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The codes, one file each. They take values that are already right: table.cpp parses and judges them.
#pragma once

#include "base/error.hpp"
#include "codec/codec.hpp"

namespace quantimed {

std::unique_ptr<Codec> make_exact();
std::unique_ptr<Codec> make_float16();
std::unique_ptr<Codec> make_low_precision(double step);               // Δ
std::unique_ptr<Codec> make_rounding(double step);                    // Δ
std::unique_ptr<Codec> make_sparsifier(double magnitude);             // M
std::unique_ptr<Codec> make_modulo(double step, std::uint32_t bits);  // Δ, b
std::unique_ptr<Codec> make_qsgd(std::uint32_t levels);               // s
std::unique_ptr<Codec> make_qsgd_rescaled(std::uint32_t levels);      // s
std::unique_ptr<Codec> make_top_k(double share);                      // k / p
std::unique_ptr<Codec> make_random_k(double share, bool is_unbiased);
std::unique_ptr<Codec> make_sign();
std::unique_ptr<Codec> make_sign_blocks(std::size_t length);  // B: is_sign_block(B)

// Blocks that lie whole in a slice, or are whole slices, and 16 of whose scales fill a line.
constexpr bool is_sign_block(std::uint64_t length) {
  return length % Codec::kSlice == 0 ? length > 0 : length >= 32 && Codec::kSlice % length == 0;
}

// What every encode asks of its buffer.
inline void check_message(std::span<const std::byte> message, std::size_t bytes) {
  check(message.size() >= bytes, "a message's buffer is smaller than Codec::capacity");
  check(reinterpret_cast<std::uintptr_t>(message.data()) % kCacheLine == 0, "a message is not cache-line aligned");
}

inline void check_slice(std::size_t first) {
  check(first % Codec::kSlice == 0, "a slice does not start at a multiple of Codec::kSlice");
}

}  // namespace quantimed

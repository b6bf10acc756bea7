// SPDX-License-Identifier: BSD-3-Clause
// What travels from node to node: a header, and the payload as the codec wrote it, read in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>

#include "base/types.hpp"

namespace quantimed {

using Version = std::uint32_t;  // counts the messages of one mailbox: 1, 2, …; 0 is "none yet"; as wide as Round

// What the sender says of a message. Times are on the run's clock; without a link model a message is visible as soon
// as it is published.
struct MessageNote {
  Seconds published_at = 0;
  Seconds visible_at = 0;
  float speed = 0;  // samples per second that the sender has last computed at; 0: not known
  Real scalar = 0;  // a number of the algorithm's that travels with the message
};

struct MessageHeader {
  Round round = 0;      // the sender's iteration
  Version version = 0;  // a gap tells how many a reader has not seen
  std::uint32_t bytes = 0;
  float speed = 0;  // the sender's, samples per second
  Real scalar = 0;
  Seconds published_at = 0;
  Seconds visible_at = 0;
};
static_assert(std::is_trivially_copyable_v<MessageHeader> && sizeof(MessageHeader) <= kCacheLine);

// A view: the payload stays in the sender's memory. The mailbox says for how long it may be read.
struct Message {
  MessageHeader header;
  std::span<const std::byte> payload;  // [header.bytes], starts on a cache line
};

// On its way to another process a message has its header before it: one cache line, then the payload, in one piece.
inline std::span<const std::byte> on_the_wire(const Message& message) {
  return {message.payload.data() - kCacheLine, kCacheLine + message.payload.size()};
}

// `count` payloads of equal capacity. No two share a cache line or its neighbour. The memory is left untouched, so
// that the thread which first writes a page owns it.
class PayloadBuffers {
 public:
  PayloadBuffers(std::size_t count, std::size_t capacity)
      : blocks_each_((capacity + sizeof(Block) - 1) / sizeof(Block)),
        count_(count),
        capacity_(capacity),
        blocks_(std::make_unique_for_overwrite<Block[]>(count * blocks_each_)) {}

  std::size_t count() const { return count_; }
  std::size_t capacity() const { return capacity_; }
  std::span<std::byte> operator[](std::size_t i) { return {at(i), capacity_}; }
  std::span<const std::byte> operator[](std::size_t i) const { return {at(i), capacity_}; }
  void first_touch() {
    if (blocks_each_ > 0) std::memset(at(0), 0, count_ * blocks_each_ * sizeof(Block));
  }

 private:
  struct alignas(kSeparation) Block {
    std::byte bytes[kSeparation];
  };
  static_assert(sizeof(Block) == kSeparation);
  std::byte* at(std::size_t i) const { return reinterpret_cast<std::byte*>(blocks_.get() + i * blocks_each_); }

  std::size_t blocks_each_;
  std::size_t count_;
  std::size_t capacity_;
  std::unique_ptr<Block[]> blocks_;  // [count, blocks_each]
};

}  // namespace quantimed

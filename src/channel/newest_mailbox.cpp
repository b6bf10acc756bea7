// SPDX-License-Identifier: BSD-3-Clause
#include "channel/newest_mailbox.hpp"

#include <algorithm>
#include <utility>

namespace quantimed {

NewestMailbox::NewestMailbox(std::size_t capacity, std::uint32_t readers, std::uint32_t in_flight)
    : buffers_(std::size_t{readers} + in_flight + 2, kPayloadOffset + capacity),
      claims_(readers),
      ring_(std::size_t{in_flight} + 2) {
  check(buffers_.count() < 0xffff, "too many readers or messages in flight: buffers are numbered with 16 bits");
  writer_.used.resize((buffers_.count() + kCacheLine - 1) / kCacheLine * kCacheLine);
}

std::span<std::byte> NewestMailbox::begin_write() {
  writer_.buffer = std::exchange(writer_.spare, kNone);
  if (writer_.buffer == kNone) find_free_buffers();
  return buffers_[writer_.buffer].subspan(kPayloadOffset);
}

void NewestMailbox::find_free_buffers() {
  const std::span used(writer_.used.data(), buffers_.count());
  std::ranges::fill(used, std::uint8_t{0});
  const auto mark = [&](std::uint32_t buffer) {
    if (buffer != kNone) used[buffer] = 1;
  };
  for (Version v = writer_.window.oldest(); v <= writer_.window.newest; ++v)
    if (v > 0) mark(entry(v).buffer.load(std::memory_order_relaxed));
  // seq_cst: after publish()'s store of the window; pairs with the readers' claims.
  for (const Claim& claim : claims_) mark(claim.buffer.load(std::memory_order_seq_cst));
  const auto free = std::ranges::find(used, std::uint8_t{0});
  check(free != used.end(), "a mailbox ran out of buffers");
  writer_.buffer = static_cast<std::uint32_t>(free - used.begin());
  if (const auto next = std::find(free + 1, used.end(), std::uint8_t{0}); next != used.end())
    writer_.spare = static_cast<std::uint32_t>(next - used.begin());
}

bool NewestMailbox::publish(Round round, std::size_t bytes, const MessageNote& note, Version serial) {
  check(writer_.buffer != kNone, "publish() without begin_write()");
  check(bytes <= capacity(), "a message is larger than its mailbox");
  check(writer_.window.newest < ~Version{0}, "a mailbox ran out of version numbers");
  const Seconds visible_at = std::max(note.visible_at, writer_.last_visible_at);
  check(in_flight() > 0 || visible_at <= note.published_at, "a delayed link needs buffers for messages in flight");

  Window window = writer_.window;
  const Version v = ++window.newest;
  entry(v).buffer.store(writer_.buffer, std::memory_order_release);
  entry(v).visible_at.store(visible_at, std::memory_order_release);
  // Retire what a visible successor has replaced.
  ++window.span;
  while (window.span > 0 && entry(window.oldest() + 1).visible_at.load(std::memory_order_relaxed) <= note.published_at)
    --window.span;
  window.buffer = static_cast<std::uint16_t>(writer_.buffer);
  if (window.span > in_flight()) {
    ++writer_.dropped;
    return false;
  }
  const auto length = static_cast<std::uint32_t>(bytes);
  if (serial == 0) serial = v;
  if (in_flight() > 0 || has_headers_) {  // read once a later message is the newest, or sent on
    const MessageHeader header{.round = round,
                               .version = serial,
                               .bytes = length,
                               .speed = note.speed,
                               .published_at = note.published_at,
                               .visible_at = visible_at};
    std::memcpy(buffers_[writer_.buffer].data(), &header, sizeof header);
  }
  Header& header = front_.headers[v % 2];
  header.message.store({round, length}, std::memory_order_release);
  header.published_at.store(note.published_at, std::memory_order_release);
  header.speed.store(note.speed, std::memory_order_release);
  header.serial.store(serial, std::memory_order_release);
  writer_.buffer = kNone;
  writer_.last_visible_at = visible_at;
  writer_.window = window;
  front_.window.store(window, std::memory_order_seq_cst);
  return true;
}

std::optional<Message> NewestMailbox::acquire(std::uint32_t reader, Seconds now) {
  Claim& claim = claims_[reader];
  for (;;) {
    const Window seen = front_.window.load(std::memory_order_acquire);
    Version v = seen.newest;
    while (v > seen.oldest() && entry(v).visible_at.load(std::memory_order_acquire) > now) --v;
    if (v == 0) {
      release(reader);
      return std::nullopt;
    }
    const std::uint32_t buffer = v == seen.newest ? seen.buffer : entry(v).buffer.load(std::memory_order_acquire);
    const std::span<const std::byte> bytes = buffers_[buffer];
    __builtin_prefetch(bytes.data() + kPayloadOffset);  // under way while the claim is made
    MessageHeader header = front_.headers[v % 2].load();
    if (in_flight() > 0) header.visible_at = entry(v).visible_at.load(std::memory_order_acquire);
    claim.buffer.store(buffer, std::memory_order_seq_cst);
    const Window then = front_.window.load(std::memory_order_seq_cst);
    if (then.oldest() > v) continue;
    if (then.newest != v) std::memcpy(&header, bytes.data(), sizeof header);
    return Message{header, bytes.subspan(kPayloadOffset, header.bytes)};
  }
}

void NewestMailbox::release(std::uint32_t reader) { claims_[reader].buffer.store(kNone, std::memory_order_release); }

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// `newest` delivery: the writer never waits, a reader never sees a torn message and never goes back to an older one.
// One writer, R registered readers, R + 2 buffers: the newest message, one pinned by each reader, one being written.
//
// The published versions that can still be acquired are a window [oldest, newest], each in a buffer of its own. With
// `in_flight` = 0 the window is the newest version alone. On links that delay visibility it also holds the messages
// that are under way, at most `in_flight` of them, with as many more buffers; one more than that is dropped by
// the sender, as a full queue would, and counted.
//
// Why a pinned message is never overwritten. Two threads meet, each storing to one atomic and loading the other's:
//     reader:  claim := buffer of v;             load window; use the buffer only if oldest ≤ v, else start again
//     writer:  window := [oldest > v, …];        load all claims; write only into a buffer that none of them names
// All four are sequentially consistent, so they lie on one line. If the reader has seen oldest ≤ v then its load is
// before the writer's store, hence its claim is before every scan of the claims that could consider the buffer: until
// v was retired the window itself kept the buffer from being taken, and after that the claim does.
// The payload is complete, because the reader's first load of the window, an acquire, has read a store that follows
// the writing of v. It is overwritten only after the reader's later store to its claim, a release, which the writer's
// scan acquires. So payloads are ordinary memory, free of data races.
// A scan that finds two free buffers sets one aside for the message after. Nobody can claim it meanwhile and find the
// claim valid: only the writer can bring it back into the window. So in a steady exchange every second message is
// written without a look at the readers' cache lines.
// The newest two headers lie beside the window, in one cache line; that of v is overwritten by v+2's. The reader loads
// it before its second look at the window. Had it met a word of v+2, an acquire of a store that follows the window's
// v+1, that look would not find v the newest. If v is no longer the newest but still in the window, its header is
// read from its buffer, which is pinned by then.
// The reader may look up v in the ring after v's entry was reused for v + ring size. That needs v retired before, so
// the reader, having acquired the entry, sees oldest > v and starts again. It starts again only when the writer has
// published meanwhile: someone always gets on.
// Buffers suffice: the window names at most in_flight + 1, the claims at most R, and one more is free.
// tests/model/newest.pml checks the protocol exhaustively, and that it fails with one buffer or one step fewer.
#pragma once

#include <array>
#include <atomic>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "channel/message.hpp"

namespace quantimed {

class NewestMailbox {
 public:
  // Memory is allocated here and first written by first_touch(); construct on the owner's thread where NUMA matters.
  NewestMailbox(std::size_t capacity, std::uint32_t readers, std::uint32_t in_flight = 0);
  NewestMailbox(const NewestMailbox&) = delete;
  NewestMailbox& operator=(const NewestMailbox&) = delete;

  std::size_t capacity() const { return buffers_.capacity() - kPayloadOffset; }

  // ---- the owner's thread ----
  void first_touch() { buffers_.first_touch(); }

  // Messages will also go to other processes: each has its header before it, for any reader to send on.
  void write_headers() { has_headers_ = true; }

  // Where to encode the next message.
  std::span<std::byte> begin_write();

  // Publishes what was written since begin_write(). Messages stay in order: none is visible before its predecessor.
  // False when it was dropped because `in_flight` messages are already under way.
  // A message with visible_at > published_at needs in_flight > 0.
  // `serial`: the number that readers see, of a ghost, whose messages were counted elsewhere; 0: this mailbox's own.
  bool publish(Round round, std::size_t bytes, const MessageNote& note, Version serial = 0);

  // What begin_write() gave, with the line before it: of a ghost, where the message arrives with its header.
  std::span<std::byte> with_header() { return buffers_[writer_.buffer]; }

  std::uint64_t dropped() const { return writer_.dropped; }

  // ---- any thread ----
  // The newest version, visible or not; cheap enough to poll.
  Version newest() const { return front_.window.load(std::memory_order_acquire).newest; }

  // ---- the thread of reader 0 … R−1 ----
  // The newest message with visible_at ≤ now, pinned until this reader's next acquire() or release(); nothing when
  // there is none yet. `now` must not run backwards. Should `now` be so old that the writer has already recycled what
  // was the newest then, the answer is the oldest that is left, which has become visible since.
  std::optional<Message> acquire(std::uint32_t reader, Seconds now = kForever);
  void release(std::uint32_t reader);

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  // A buffer is its header's cache line, which is used when messages can be in flight or leave the process, then the
  // payload.
  static constexpr std::size_t kPayloadOffset = kCacheLine;

  // The newest version's buffer is part of it, so that readers need the ring only for messages in flight.
  struct alignas(8) Window {
    Version newest = 0;
    std::uint16_t span = 0;    // newest − oldest
    std::uint16_t buffer = 0;  // of the newest
    Version oldest() const { return newest - span; }
  };
  static_assert(std::atomic<Window>::is_always_lock_free);

  // Of an even or an odd version. Written by the writer: the release stores in publish() pair with these acquires.
  struct alignas(8) RoundAndBytes {
    Round round = 0;
    std::uint32_t bytes = 0;
  };
  static_assert(std::atomic<RoundAndBytes>::is_always_lock_free);
  struct Header {
    std::atomic<RoundAndBytes> message{RoundAndBytes{}};
    std::atomic<Seconds> published_at{0};
    std::atomic<float> speed{0};
    std::atomic<Version> serial{0};
    // Of a message that is visible as soon as it is published.
    MessageHeader load() const {
      const RoundAndBytes m = message.load(std::memory_order_acquire);
      const Seconds published = published_at.load(std::memory_order_acquire);
      return {.round = m.round,
              .version = serial.load(std::memory_order_acquire),
              .bytes = m.bytes,
              .speed = speed.load(std::memory_order_acquire),
              .published_at = published,
              .visible_at = published};
    }
  };

  // All that a reader polls or needs first.
  struct alignas(kSeparation) Front {
    // Written by the writer: the seq_cst store in publish() pairs with the loads in acquire() and newest().
    std::atomic<Window> window{Window{}};
    std::array<Header, 2> headers;  // version v in v mod 2
  };
  static_assert(sizeof(std::atomic<Window>) + sizeof(std::array<Header, 2>) <= kCacheLine);

  // Written by the writer: each store, a release, pairs with the acquire loads in acquire(). Version v is in entry
  // v mod (in_flight + 2): one more than the window, so that the new entry is never one that is in use.
  struct alignas(kSeparation) Entry {
    std::atomic<std::uint32_t> buffer{kNone};
    std::atomic<Seconds> visible_at{0};
  };
  static_assert(std::atomic<Seconds>::is_always_lock_free);

  // The buffer that this reader has pinned, or is about to. Written by that reader: the seq_cst store in acquire()
  // and the release in release() pair with the writer's scan in find_free_buffers().
  struct alignas(kSeparation) Claim {
    std::atomic<std::uint32_t> buffer{kNone};
  };
  static_assert(sizeof(Claim) == kSeparation, "the readers' claims are on different cache lines");

  // The writer's own.
  struct alignas(kSeparation) Writer {
    Window window;                 // = front_.window
    std::uint32_t buffer = kNone;  // being written
    std::uint32_t spare = kNone;   // free, for the message after
    Seconds last_visible_at = 0;
    std::uint64_t dropped = 0;
    AlignedVector<std::uint8_t> used;  // [buffers, rounded up to cache lines], scratch of find_free_buffers()
  };

  void find_free_buffers();
  std::size_t in_flight() const { return ring_.size() - 2; }
  Entry& entry(Version v) { return ring_[v % ring_.size()]; }

  PayloadBuffers buffers_;
  std::vector<Claim> claims_;
  bool has_headers_ = false;  // set before the first message
  std::vector<Entry> ring_;
  Front front_;
  Writer writer_;
  static_assert(alignof(Writer) == kSeparation, "the writer's own data is apart from what readers poll");
};
static_assert(alignof(NewestMailbox) == kSeparation, "mailboxes share no cache line");

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// `round` delivery: every neighbour reads every message, in order. Two slots, one writer, no acknowledgement.
//
// Why the owner i may overwrite slot t mod 2, which holds its round t−2, as soon as its own algorithm gets there.
// Every node j runs, for t = 0, 1, …
//     publish(t) → gradient → receive z_k,t of all neighbours k → update: reads the z_k,t in place → publish(t+1)
// and the graph is undirected: the readers of i are exactly the nodes that i reads. Then, for every reader j of i,
//     j's last read of z_i,t−2   is before   j's publish(t−1)      program order of j (its update t−2 lies between)
//     j's publish(t−1)           is before   i's receive of z_j,t−1    release / acquire on j's `published`
//     i's receive of z_j,t−1     is before   i's begin_write(t)    program order of i
// so each read of round t−2 happens before the first write of round t: nothing torn, and no data race.
// The other way round, a reader that waits for round t finds round t−2 or round t in the slot, never t+2: i begins to
// write t+2 only after this reader has published t+1, which it does after its own update t.
// On a schedule (topology/network.hpp) the readers of i in round t−2 need not be heard by i in round t−1, so the owner
// waits before it writes: every node counts for each channel the messages that it will not read any more, and for each
// reader j of i in round t−2, known by the schedule,
//     j's last read of z_i,t−2   is before   j's counter ≥ t−1         program order of j; it is its one writer
//     j's counter ≥ t−1          is before   i's first write of t      release / acquire on j's counter
// An exact model that is written where it is sent from is written in the update before, so the owner waits there.
// Nobody waits for ever: of the nodes in the earliest round none waits for a reader, since all others' counters have
// passed what these would have to. tests/model/schedule.pml checks this with every sequence of rotations of four nodes.
// Here t counts the messages of one channel: an algorithm may have several channels, each with its mailbox, and several
// exchanges on one of them in an iteration. A collective is the same among all nodes, on a channel that has no other
// use. What an algorithm must keep to: a message of round t is not touched after the reader's own publish(t+1). It may
// write round t+1 while it reads round t, so a model that is sent as it is can live here and is never copied.
// tests/model/round.pml checks this argument exhaustively on three nodes.
// Where the nodes of a run are spread over processes (engine/spread/courier.hpp), a ghost is the mailbox of a node
// elsewhere. Its one writer is the courier, which lets round t come only once the readers here have done with what is
// in its slot, by their counters as on a schedule; and the owner also waits until round t−2 has left this process.
#pragma once

#include <array>
#include <atomic>

#include "base/error.hpp"
#include "channel/message.hpp"

namespace quantimed {

class RoundMailbox {
 public:
  // Memory is allocated here and first written by first_touch(). For NUMA, let the owner's thread construct the
  // mailbox too: the flags lie in the object itself.
  explicit RoundMailbox(std::size_t capacity) : buffers_(2, kCacheLine + capacity) {}
  RoundMailbox(const RoundMailbox&) = delete;
  RoundMailbox& operator=(const RoundMailbox&) = delete;

  std::size_t capacity() const { return buffers_.capacity() - kCacheLine; }

  // ---- the owner's thread ----
  void first_touch() { buffers_.first_touch(); }

  // Where to encode round t. Rounds follow one another: t, t+1, …
  std::span<std::byte> begin_write(Round t) { return buffers_[t % 2].subspan(kCacheLine); }
  // The same with the line before it, for the header of a message that goes to another process or comes from one.
  std::span<std::byte> with_header(Round t) { return buffers_[t % 2]; }

  void publish(Round t, std::size_t bytes, const MessageNote& note) {
    Slot& slot = slots_[t % 2];
    const std::uint64_t same = slot.published.load(std::memory_order_relaxed);
    const std::uint64_t other = slots_[(t + 1) % 2].published.load(std::memory_order_relaxed);
    check((same == 0 && other == 0) || (same < t && other == t), "rounds are published one by one");
    check(bytes <= capacity(), "a message is larger than its mailbox");
    slot.header = {.round = t,
                   .version = t + 1,
                   .bytes = static_cast<std::uint32_t>(bytes),
                   .speed = note.speed,
                   .scalar = note.scalar,
                   .published_at = note.published_at,
                   .visible_at = note.visible_at};
    slot.published.store(std::uint64_t{t} + 1, std::memory_order_release);
  }

  // In place of publish(), of a ghost: what another process has published there. On a schedule not every round comes.
  void deliver(const MessageHeader& header) {
    const Round t = header.round;
    Slot& slot = slots_[t % 2];
    check(slot.published.load(std::memory_order_relaxed) <= t &&
              slots_[(t + 1) % 2].published.load(std::memory_order_relaxed) <= t,
          "a ghost's rounds follow one another");
    check(header.bytes <= capacity(), "a message is larger than its mailbox");
    slot.header = header;
    slot.published.store(std::uint64_t{t} + 1, std::memory_order_release);
  }

  // ---- any reader's thread ----
  // Whether round t has been published. (That it is visible, on a delayed link, is a matter of the reader's clock:
  // read(t).header.visible_at.)
  bool has(Round t) const { return slots_[t % 2].published.load(std::memory_order_acquire) == std::uint64_t{t} + 1; }

  // Round t, in place. Requires has(t); may be read until the reader's own publish(t+1).
  Message read(Round t) const {
    check(has(t), "a round was read that is not there");
    const MessageHeader& header = slots_[t % 2].header;
    return {header, buffers_[t % 2].subspan(kCacheLine, header.bytes)};
  }

 private:
  // Everything that a reader polls or needs first is one cache line.
  struct alignas(kSeparation) Slot {
    // The round in this slot, plus one; 0: none yet. Written by the owner: the release in publish() pairs with the
    // acquire in has().
    std::atomic<std::uint64_t> published{0};
    MessageHeader header;  // ordinary memory, ordered by `published`
  };
  static_assert(sizeof(Slot) == kSeparation, "the slots' flags are on different cache lines");
  static_assert(sizeof(std::atomic<std::uint64_t>) + sizeof(MessageHeader) <= kCacheLine);
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

  PayloadBuffers buffers_;  // the handle: read by all, never changed
  std::array<Slot, 2> slots_;
};
static_assert(alignof(RoundMailbox) == kSeparation, "mailboxes share no cache line");

}  // namespace quantimed

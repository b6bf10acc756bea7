// SPDX-License-Identifier: BSD-3-Clause
// One rank's end of messages between two ranks, with one node each: mailbox, courier and ghost are a run's own, the
// nodes' part is played by the caller's thread. So what is timed is the work that they add to the transport's; the
// handing over from core to core, which a node on a core of its own pays beside, is not in it.
#pragma once

#include "base/error.hpp"
#include "engine/spread/courier.hpp"

#include <cstring>
#include <memory>
#include <span>

namespace quantimed {

class ExchangeEnd {
 public:
  // A run of two nodes that hear each other, over a fleet of two. A message has at most as many bytes as the run's.
  ExchangeEnd(Fleet& fleet, const Run& run)
      : shared_(run, Layout{.nodes = 2, .ranks = 2, .rank = fleet.rank()}), courier_(fleet, shared_) {
    const NodeId me = shared_.layout.first();
    if (is_round())
      shared_.nodes[me] = std::make_unique<RoundThreadNode>(shared_, me, 1);
    else
      shared_.nodes[me] = std::make_unique<NewestThreadNode>(shared_, me);
    courier_.start();
  }

  bool is_round() const { return shared_.run.algorithm.delivery == Delivery::round; }
  std::size_t capacity() const { return message_capacity(shared_.run, shared_.layout.first()); }

  // `turn`: what a node that waits does meanwhile; step() among it, where no other thread does that.
  // There and back so many times: node 0 begins.
  template <class Turn>
  void exchange(unsigned times, std::size_t bytes, Turn&& turn) {
    for (unsigned k = 0; k < times; ++k) {
      if (leads()) publish(bytes, turn);
      hear(bytes, turn);
      if (!leads()) publish(bytes, turn);
    }
  }
  // So many from node 0 one after the other, as fast as they leave, and one back.
  template <class Turn>
  void stream(unsigned times, std::size_t bytes, Turn&& turn) {
    check(is_round(), "newest delivery: what is overtaken does not arrive");
    for (unsigned k = 0; k < times; ++k) leads() ? publish(bytes, turn) : hear(bytes, turn);
    leads() ? hear(bytes, turn) : publish(bytes, turn);
  }
  // There and back; node 0's word, at both ends.
  template <class Turn>
  unsigned tell(unsigned word, Turn&& turn) {
    check(is_round(), "newest delivery: words are not told");
    if (leads()) publish_round(sizeof word, turn, &word);
    hear_round(sizeof word, turn, leads() ? nullptr : &word);
    if (!leads()) publish_round(sizeof word, turn);
    return word;
  }
  void step() { courier_.step(); }
  bool has_all_left() const { return courier_.has_all_left(); }
  void close() { courier_.close(); }  // once the other side has all, too

 private:
  NodeId me() const { return shared_.layout.first(); }
  bool leads() const { return me() == 0; }
  RoundThreadNode& node() { return static_cast<RoundThreadNode&>(*shared_.nodes[me()]); }

  template <class Turn>
  void publish(std::size_t bytes, Turn&& turn) {
    is_round() ? publish_round(bytes, turn) : publish_newest(bytes, turn);
  }
  template <class Turn>
  void hear(std::size_t bytes, Turn&& turn) {
    is_round() ? hear_round(bytes, turn) : hear_newest(bytes, turn);
  }
  template <class Turn>
  void publish_round(std::size_t bytes, Turn turn, const void* payload = nullptr) {
    while (!node().may_write({0}, next_)) turn();
    RoundMailbox& outbox = *shared_.round_mailbox({0}, me());
    const std::span<std::byte> room = outbox.begin_write(next_);
    if (payload) std::memcpy(room.data(), payload, bytes);
    outbox.publish(next_, bytes, {});
    turn();
    ++next_;
  }
  template <class Turn>
  void hear_round(std::size_t bytes, Turn turn, void* payload = nullptr) {
    const RoundMailbox& inbox = *shared_.round_mailbox({0}, 1 - me());
    while (!inbox.has(heard_)) turn();
    const Message message = inbox.read(heard_);
    check(message.payload.size() == bytes, "another message than was sent");
    if (payload) std::memcpy(payload, message.payload.data(), bytes);
    node().has_read({0}, ++heard_);
  }
  template <class Turn>
  void publish_newest(std::size_t bytes, Turn&& turn) {
    NewestMailbox& outbox = *shared_.inbox.newest[me()];
    (void)outbox.begin_write();
    (void)outbox.publish(next_++, bytes, {});
    turn();
  }
  template <class Turn>
  void hear_newest(std::size_t bytes, Turn&& turn) {
    NewestMailbox& inbox = *shared_.inbox.newest[1 - me()];
    while (inbox.newest() <= heard_) turn();
    const auto message = inbox.acquire(0);
    check(message && message->payload.size() == bytes, "another message than was sent");
    heard_ = static_cast<Round>(message->header.version);
  }

  ThreadedRun shared_;
  Courier courier_;
  Round next_ = 0, heard_ = 0;
};

}  // namespace quantimed

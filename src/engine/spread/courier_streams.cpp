// SPDX-License-Identifier: BSD-3-Clause
// The messages of both deliveries, as the courier sends and receives them.
#include "engine/spread/courier.hpp"

#include "base/error.hpp"
#include "engine/spread/streams.hpp"

#include <algorithm>
#include <cstring>

namespace quantimed {

// ---- round -----------------------------------------------------------------------------------------

bool Courier::send_rounds() {
  bool has_moved = false;
  for (std::size_t k = 0; k < rounds_out_.size(); ++k) has_moved |= send_rounds_of(k);
  return has_moved;
}

bool Courier::send_rounds_of(std::size_t index) {
  RoundOut& out = rounds_out_[index];
  bool has_moved = false;
  for (; out.mailbox->has(out.next); ++out.next) {
    const std::size_t slot = out.next % 2;
    const std::vector<Rank>* ranks = &out.ranks;
    if (shared_.run.network.is_scheduled() && !is_collective(shared_.run, out.channel)) {
      ranks_that_hear(shared_, out.node, out.next, room_, ranks_);
      ranks = &ranks_;
    }
    const Message message = out.mailbox->read(out.next);
    // After the acquire in has(): the sender's own word on the last round is in it.
    const WireHeader header{message.header, shared_.last_round.load(std::memory_order_acquire)};
    std::memcpy(out.mailbox->with_header(out.next).data(), &header, sizeof header);
    out.waiting[slot] = static_cast<std::uint32_t>(ranks->size());
    // Without a schedule a sender is held back by what it hears itself. `matched` costs a way back.
    const Mode mode = shared_.run.network.is_scheduled() ? Mode::matched : Mode::free;
    for (const Rank to : *ranks) {
      ++under_way_;
      count(on_the_wire(message).size());
      transport_.send(to, tag(out.node, out.channel), on_the_wire(message), ticket(Kind::round_out, index, slot), mode);
    }
    has_moved = true;
  }
  if (has_moved) has_left(index, 2);
  return has_moved;
}

// A rank has taken what is in the slot (2: none has). Messages count as sent in their order.
void Courier::has_left(std::size_t index, std::size_t slot) {
  RoundOut& out = rounds_out_[index];
  if (slot < 2) --out.waiting[slot];
  const Round before = out.sent;
  while (out.sent < out.next && out.waiting[out.sent % 2] == 0) ++out.sent;
  if (out.sent > before) static_cast<RoundThreadNode&>(*shared_.nodes[out.node]).has_sent(out.channel, out.sent);
}

// On a schedule: goes on to the next message that somebody here reads, no further than anybody here has come.
bool Courier::is_next_for_us(RoundIn& in) {
  if (!shared_.run.network.is_scheduled() || is_collective(shared_.run, in.channel)) return true;
  constexpr Round kAhead = 4096;  // of a run that broke off: whatever others have sent is taken
  Round furthest = own_.phase >= kEnded ? in.next + kAhead : 0;
  for (const NodeId j : in.readers)
    furthest = std::max(furthest, static_cast<RoundThreadNode&>(*shared_.nodes[j]).done(in.channel));
  const auto is_read_here = [&] {
    return std::ranges::any_of(shared_.run.network.readers(in.node, in.next, room_),
                               [&](const Neighbour& j) { return shared_.layout.has(j.id); });
  };
  while (in.next <= furthest && !is_read_here()) ++in.next;
  return in.next <= furthest;
}

void Courier::receive_rounds() {
  for (std::size_t k = 0; k < rounds_in_.size(); ++k) {
    RoundIn& in = rounds_in_[k];
    if (in.is_waiting || !is_next_for_us(in)) continue;
    const Round done_below = in.done_below[in.next % 2];
    const bool is_free = own_.phase >= kEnded || std::ranges::all_of(in.readers, [&](NodeId j) {
                           return static_cast<RoundThreadNode&>(*shared_.nodes[j]).done(in.channel) >= done_below;
                         });
    if (!is_free) continue;
    in.is_waiting = true;
    transport_.receive(in.from, tag(in.node, in.channel), in.mailbox->with_header(in.next), ticket(Kind::round_in, k));
  }
}

void Courier::arrived(RoundIn& in, std::size_t bytes) {
  WireHeader header;
  std::memcpy(&header, in.mailbox->with_header(in.next).data(), sizeof header);
  check(bytes == kCacheLine + header.message.bytes && header.message.round == in.next,
        "a message from another process is not the one that comes next");
  Round last = shared_.last_round.load(std::memory_order_acquire);
  while (last > header.last_round && !shared_.last_round.compare_exchange_weak(last, header.last_round)) {
  }
  // By clocks that are not quite one it may have been published later than it came.
  header.message.published_at = std::min(header.message.published_at, shared_.now());
  header.message.visible_at = std::min(header.message.visible_at, header.message.published_at);
  in.mailbox->deliver(header.message);
  in.done_below[in.next % 2] = in.next + 1;
  ++in.next;
  in.is_waiting = false;
}

// ---- newest ----------------------------------------------------------------------------------------

bool Courier::send_newest() {
  bool has_moved = false;
  for (std::size_t k = 0; k < newest_out_.size() && own_.phase == kRunning; ++k) {
    NewestOut& out = newest_out_[k];
    if (out.is_under_way || out.mailbox->newest() == out.sent) continue;
    const auto message = out.mailbox->acquire(out.reader);
    check(message.has_value(), "a published message is not there");
    out.sent = message->header.version;
    out.is_under_way = has_moved = true;
    ++under_way_;
    count(on_the_wire(*message).size());
    transport_.send(out.to, tag(out.node, {0}), on_the_wire(*message), ticket(Kind::newest_out, k), Mode::matched);
  }
  return has_moved;
}

void Courier::receive_newest(std::size_t index) {
  NewestIn& in = newest_in_[index];
  (void)in.mailbox->begin_write();
  transport_.receive(in.from, tag(in.node, {0}), in.mailbox->with_header(), ticket(Kind::newest_in, index));
}

void Courier::arrived(NewestIn& in, std::size_t bytes) {
  MessageHeader header;
  std::memcpy(&header, in.mailbox->with_header().data(), sizeof header);
  check(bytes == kCacheLine + header.bytes, "a message from another process is not as long as it says");
  const Seconds published_at = std::min(header.published_at, shared_.now());  // by clocks that are not quite one
  const MessageNote note{.published_at = published_at, .visible_at = published_at, .speed = header.speed};
  (void)in.mailbox->publish(header.round, header.bytes, note, header.version);
}

}  // namespace quantimed

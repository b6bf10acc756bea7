// SPDX-License-Identifier: BSD-3-Clause
// Carries the messages of a run whose nodes are spread over processes. One thread of each process, its main thread,
// does nothing else while the run lasts, and is the only one that calls the transport.
//
// A node reads from mailboxes of its own process and, of nodes elsewhere, from ghosts: ordinary mailboxes whose one
// writer is the courier. Neither a text nor a reader can tell them apart.
//
// `round`. A message leaves once for each rank that reads it, from where it lies. Why nobody writes over it meanwhile:
// the owner waits, before it writes message k, until k − 2 has left (RoundThreadNode::await_readers, by has_sent()).
// Why no ghost's slot is written over while it is read: the receive of message k is started only once every reader here
// has counted that it has done with what is in the slot, k − 2 or earlier; the count is a release that this thread
// acquires. Nobody waits for ever: a reader counts k − 2 as done before it waits for k, and the sender's wait ends when
// the receive of k − 2 starts. Messages of one stream arrive in their order, so no numbers are needed to match them.
// tests/model/ghost.pml checks this.
//
// `newest`. The stream is one more reader of the outbox. It has at most one message on its way, which is complete only
// when the other side has taken it; then the newest of that moment goes. So a node never waits, memory is bounded at
// both ends, whatever is slow, and what was skipped is seen from the message's number.
//
// The end. A rank says to all others what its nodes have finished, that the run is to stop, and how far it is itself:
// its nodes run; they have ended; all that they sent has left. It leaves when all others have said the last.
#pragma once

#include "engine/spread/fleet.hpp"
#include "engine/threads/threads_node.hpp"

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace quantimed {

// What crossed between processes, of one of them.
struct Crossed {
  std::uint64_t messages = 0;
  double bytes = 0;  // headers included
};

class Courier {
 public:
  // Makes the ghosts, before the nodes start.
  Courier(Fleet& fleet, ThreadedRun& shared);

  // The nodes exist, and at what number of message they begin.
  void start();

  // Works for so long, or until all is over. Where cores are shared it gives its own away while there is nothing to do.
  void work(std::chrono::steady_clock::duration time);
  bool is_over() const { return is_over_; }
  // One look at everything; whether something moved.
  bool step();
  // Whether nothing that nodes or ship() have sent is still on its way.
  bool has_all_left() const;

  // ---- this process's part ----
  void stop();  // asks all nodes everywhere to end
  bool was_told_to_stop() const;
  void abort();  // a node has failed: the run breaks off everywhere
  void ended() { own_.phase = std::max<std::uint32_t>(own_.phase, kEnded); }  // all nodes here
  std::uint64_t finished_elsewhere() const { return shared_.finished_elsewhere.load(std::memory_order_relaxed); }

  // To rank 0, in order, while the run lasts and until it is over.
  void ship(Parcel parcel);
  // At rank 0: what to do with what the others ship.
  void on_arrival(std::function<void(Parcel&)> unload) { unload_ = std::move(unload); }
  // Elsewhere: what to do when the run is to break off.
  void on_abort(std::function<void()> break_off) { break_off_ = std::move(break_off); }

  // Cancels what will not come. Every rank's courier is over by then.
  void close() { transport_.cancel_receives(); }
  const Crossed& crossed() const { return crossed_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Mode = Transport::Mode;
  enum class Kind : std::uint8_t { round_out, round_in, newest_out, newest_in, word_out, word_in, load_out, load_in };
  enum Phase : std::uint32_t { kRunning, kEnded, kDrained };

  // What a message of `round` delivery has before it.
  struct WireHeader {
    MessageHeader message;
    Round last_round;  // the sender's ThreadedRun::last_round, at least as low as when it published this
  };
  static_assert(sizeof(WireHeader) <= kCacheLine);

  struct RoundOut {
    NodeId node;
    Channel channel;
    RoundMailbox* mailbox;
    std::vector<Rank> ranks;
    Round next, sent;                      // to be sent; all below have left
    std::array<std::uint32_t, 2> waiting;  // of each slot: ranks that have not taken it
  };
  struct RoundIn {
    NodeId node;
    Channel channel;
    Rank from;
    std::vector<NodeId> readers;
    std::unique_ptr<RoundMailbox> mailbox;
    Round next;
    std::array<Round, 2> done_below;  // of each slot: readers have done with it when they have counted so many
    bool is_waiting = false;          // a receive is under way
  };
  struct NewestOut {
    NodeId node;
    Rank to;
    NewestMailbox* mailbox;
    std::uint32_t reader;
    Version sent = 0;
    bool is_under_way = false;
  };
  struct NewestIn {
    NodeId node;
    Rank from;
    std::unique_ptr<NewestMailbox> mailbox;
  };
  // What a rank tells all others, again and again; the latest is all that counts.
  struct Word {
    std::uint64_t finished = 0;
    std::uint32_t phase = kRunning;
    std::uint8_t stop = 0, abort = 0;
    bool operator==(const Word&) const = default;
  };
  struct Peer {
    Word heard, told, buffer_in, buffer_out;
    bool is_telling = false;
    Clock::time_point heard_at, told_at;
  };

  static Ticket ticket(Kind kind, std::size_t index, std::size_t slot = 0) {
    return std::uint64_t{static_cast<std::uint8_t>(kind)} << 56 | std::uint64_t{slot} << 48 | index;
  }
  int tag(NodeId node, Channel c) const {
    return kFirstStream + static_cast<int>(node * shared_.run.algorithm.channels + c.index);
  }
  void make_round_ghosts();
  void make_newest_ghosts();
  void complete(const Transport::Done& done);
  bool send_rounds();
  bool send_rounds_of(std::size_t index);
  void has_left(std::size_t index, std::size_t slot);
  void receive_rounds();
  bool is_next_for_us(RoundIn& in);
  void arrived(RoundIn& in, std::size_t bytes);
  bool send_newest();
  void receive_newest(std::size_t index);
  void arrived(NewestIn& in, std::size_t bytes);
  void tell_others();
  void hear(Rank from);
  bool send_load();
  void look_around(Clock::time_point now);
  void wait_a_little(bool has_moved);
  void count(std::size_t bytes) {
    ++crossed_.messages;
    crossed_.bytes += static_cast<double>(bytes);
  }

  Fleet& fleet_;
  Transport& transport_;
  ThreadedRun& shared_;
  std::vector<RoundOut> rounds_out_;
  std::vector<RoundIn> rounds_in_;
  std::vector<NewestOut> newest_out_;
  std::vector<NewestIn> newest_in_;
  std::vector<Peer> peers_;  // [ranks]
  Word own_;
  bool has_started_ = false, is_over_ = false;
  std::uint64_t under_way_ = 0;  // sends of messages and loads that have not been taken
  Crossed crossed_;
  std::vector<Transport::Done> done_;
  std::vector<Neighbour> room_;
  std::vector<Rank> ranks_;
  std::deque<std::vector<std::byte>> loads_;  // to rank 0, the first is on its way if is_loading_
  bool is_loading_ = false;
  std::vector<std::vector<std::byte>> arriving_;  // [ranks], at rank 0
  std::function<void(Parcel&)> unload_;
  std::function<void()> break_off_;
  Clock::time_point looked_at_, moved_at_, worked_at_;
  Seconds nap_s_ = 0;
};

// A parcel that is shipped is no larger.
inline constexpr std::size_t kLargestLoad = std::size_t{1} << 20;

}  // namespace quantimed

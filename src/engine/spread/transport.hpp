// SPDX-License-Identifier: BSD-3-Clause
// What carries bytes between the processes of one run: MPI (engine/mpi), or a test's loopback. Two-sided, and called by
// one thread of each process, its main thread.
//
// Messages of one sender to one receiver with one tag arrive in the order in which they were sent. A buffer that was
// given to send() or receive() belongs to the transport until its ticket comes back from poll().
#pragma once

#include "engine/layout.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace quantimed {

// The caller's name for what it has started.
using Ticket = std::uint64_t;

// Another process of this run has gone: nobody can end the run properly any more.
class RankLost : public std::runtime_error {
 public:
  RankLost(Rank lost, const std::string& text) : std::runtime_error(text), rank(lost) {}
  Rank rank;
};

class Transport {
 public:
  enum class Mode {
    free,    // complete once the buffer may be used again, whether or not it has been received
    matched  // complete only once the receiver takes it: so nothing piles up there
  };
  struct Done {
    Ticket ticket;
    std::size_t bytes;  // that came, of a receive
  };

  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  virtual Rank rank() const = 0;
  virtual Rank ranks() const = 0;
  virtual int most_tag() const = 0;
  // Of any process of the run: "host a, process 4711".
  virtual std::string where(Rank rank) const = 0;
  virtual std::string host(Rank rank) const = 0;

  virtual void send(Rank to, int tag, std::span<const std::byte> bytes, Ticket ticket, Mode mode) = 0;
  // A message that is longer than `room` is an InternalError.
  virtual void receive(Rank from, int tag, std::span<std::byte> room, Ticket ticket) = 0;
  // Lets messages get on, and adds what has been completed since the last call.
  virtual void poll(std::vector<Done>& done) = 0;
  // Those that have not been completed, and never will be.
  virtual void cancel_receives() = 0;

  // Throws RankLost where a process is known to have ended. Costs system calls: now and then.
  virtual void require_all() {}
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// All processes of one run, while none of its nodes runs: they tell each other what they need, in the same order.
// Rank 0 leads: it knows the user, and writes the trace.
#pragma once

#include "engine/spread/parcel.hpp"
#include "engine/spread/transport.hpp"

#include <chrono>
#include <exception>
#include <string>
#include <vector>

namespace quantimed {

// Thrown in the other processes where rank 0 throws what it or one of them has failed with.
struct Abandoned {};

// How a process's steady clock stands to rank 0's.
struct ClockOffset {
  std::int64_t ahead_ns = 0;  // this rank's clock − rank 0's, at the same moment
  Seconds uncertainty = 0;    // half the shortest way there and back
};

class Fleet {
 public:
  explicit Fleet(Transport& transport) : transport_(transport) {}

  Transport& transport() { return transport_; }
  Rank rank() const { return transport_.rank(); }
  Rank ranks() const { return transport_.ranks(); }
  bool leads() const { return rank() == 0; }

  // ---- every process calls these at the same time ----
  // At rank 0 all parcels in the order of ranks, its own among them; elsewhere nothing.
  std::vector<Parcel> gather(Parcel own);
  // Rank 0's, everywhere.
  Parcel broadcast(Parcel of_first);

  // Whether all have succeeded. Where one has not, what the first of them says is thrown at rank 0, with its rank, and
  // Abandoned elsewhere. `failure`: this process's; null: none.
  void agree(const std::exception_ptr& failure);

  // By the quickest of up to a hundred messages there and back; ranks on one host have one clock. [ranks], the same
  // everywhere.
  std::vector<ClockOffset> compare_clocks();

 private:
  static constexpr int kSize = 1, kPiece = 2, kPing = 3, kPong = 4;  // tags
  void send(Rank to, int tag, std::span<const std::byte> bytes);
  void receive(Rank from, int tag, std::span<std::byte> room);
  void send_parcel(Rank to, const Parcel& parcel);
  Parcel receive_parcel(Rank from);
  void complete(std::size_t operations, bool is_quick = false);

  Transport& transport_;
};

// Tags below this are the fleet's and the courier's own; above it each stream of messages has one.
inline constexpr int kFirstStream = 16;

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What a stopped run needs to go on, as plain data, beside its curve and its rounds. The engines write and read it;
// the trace stores it as /checkpoint, with one row of columns.hpp for each member.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/real.hpp"

namespace quantimed {

using Attribute = std::variant<bool, std::int64_t, double, std::string>;
using Attributes = std::vector<std::pair<std::string, Attribute>>;  // in the order of writing

// n nodes, p coordinates, m messages. Members that an engine has no use for are empty.
struct Checkpoint {
  std::vector<Real> models;              // [n, p], x_i at the start of the node's iteration
  std::vector<Real> states;              // [n, …], each node's lasting vectors beside the model
  std::vector<double> wide_states;       // [n, …], its float64 vectors
  std::vector<Real> scalars;             // [n], where the algorithm keeps a number
  std::vector<std::uint32_t> messages;   // [n, channels], published so far, where there are states
  std::vector<std::uint32_t> iteration;  // [n], the one to begin with
  std::vector<double> start_time;        // [n], s, when it began
  // [n], s, the same where the link charges the other count of bits; empty where that clock is not kept
  std::vector<double> start_time_other_bits;
  std::vector<float> speed;                // [n], samples/s, of the gradient before; 0: none yet
  std::vector<double> seen_speeds;         // all nodes' rings one after the other, where deadlines adapt
  std::vector<std::uint32_t> seen_counts;  // [n], of those
  // Asynchronous in virtual time: each node waits for one event, and messages are there or on their way.
  std::vector<double> event_time;                // [n], s
  std::vector<std::uint8_t> exchanging;          // [n], 0: the event ends its gradient, 1: its exchange
  std::vector<std::uint32_t> awaits;             // [n], `pairwise`: that a node has behind it in its iteration
  std::vector<std::uint32_t> next_unseen;        // for each neighbour of each node: its first iteration not passed yet
  std::vector<std::uint32_t> message_node;       // [m], the sender; oldest first
  std::vector<std::uint32_t> message_iteration;  // [m]
  std::vector<double> message_published;         // [m], s
  std::vector<double> message_visible;           // [m], s
  std::vector<std::uint32_t> message_bytes;      // [m]
  std::vector<std::uint8_t> payload;             // the messages, one after the other
  Attributes state;                              // clock, counts, what else the engine and the run keep

  bool operator==(const Checkpoint&) const = default;
};

}  // namespace quantimed

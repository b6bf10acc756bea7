// SPDX-License-Identifier: BSD-3-Clause
// --fault: nodes that die or fall silent in the middle of a run, on either engine's clock.
//
// A fault strikes a node between two of its rounds (fault_plan.hpp). What the others do is said by the algorithm's row
// (goes_on_without): they wait at most the patience for a message that does not come and go on without its sender,
// whose weight each of them gives to its own model; or the run ends and says who is missing.
#pragma once

#include "base/types.hpp"

#include <exception>
#include <span>
#include <string>
#include <vector>

namespace quantimed {

inline constexpr Seconds kUsualPatience_s = 60;

struct Fault {
  NodeId node = 0;
  Seconds time = 0;          // on the run's clock: strikes the node's first round that starts then or later
  Seconds lasts = kForever;  // a crash: for ever
};

// Who is away for longer than its neighbours are patient has left the run.
inline bool is_loss(const Fault& fault, Seconds patience) { return fault.lasts >= patience; }

// A node that has left the run, and the first round (its own iteration) that it has not done.
struct LostNode {
  NodeId node;
  Round round;
  bool operator==(const LostNode&) const = default;
};

// One row a kind: how it is written, one line of help.
struct FaultKind {
  const char* syntax;
  const char* help;
};
inline constexpr FaultKind kFaultKinds[] = {
    {"crash:NODE@TIME", "NODE is gone once the run's clock shows TIME seconds"},
    {"stall:NODE@TIME,SECONDS", "NODE does nothing for so long from then on"},
};

// "crash:3@10;stall:1@5,0.2", or "" for none; at most one a node, and one node without. Throws InputError that names
// --fault.
std::vector<Fault> parse_faults(const std::string& text, std::uint32_t nodes);

// What an engine's worker caught: the machine has refused it memory.
bool is_out_of_memory(const std::exception& why);
// "node 3 failed in round 17: why".
std::string failure_of(NodeId node, Round round, const std::exception& why);

// "node 3 sent nothing of round 17 for 60 s; nodes 1, 5 wait for it".
std::string silence(NodeId node, Round round, Seconds waited, std::span<const NodeId> waiting);
// Of asynchronous senders that outrun their link.
std::string messages_dropped(std::uint64_t messages);
std::string list_of(std::span<const NodeId> nodes);   // "node 1", "nodes 1, 5"
std::string to_text(std::span<const LostNode> lost);  // "3@round 17, 5@round 20"; "none"

}  // namespace quantimed

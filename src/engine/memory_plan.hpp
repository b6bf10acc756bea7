// SPDX-License-Identifier: BSD-3-Clause
// What a run takes of the machine's memory, reckoned in one place from what the engines allocate, and asked for before
// they do: memory is granted when it is touched, and where it is short the system kills without a word.
#pragma once

#include "engine/engine.hpp"
#include "engine/layout.hpp"

namespace quantimed {

// Bytes, of all nodes together.
struct MemoryPlan {
  double models = 0;      // and, on threads, their copies for the curve
  double messages = 0;    // outboxes, as full as they can get
  double gradients = 0;   // that outlive their computation
  double workspaces = 0;  // of workers, or of nodes on threads
  double records = 0;     // in memory
  double checkpoint = 0;  // a copy of models and messages, where the run is stopped or may be killed
  double total() const { return models + messages + gradients + workspaces + records + checkpoint; }
};

MemoryPlan plan_virtual(const Run& run);
MemoryPlan plan_threads(const Run& run, const Layout& layout);  // of one process
inline MemoryPlan plan_threads(const Run& run) { return plan_threads(run, {.nodes = run.network.nodes}); }

// `round` delivery in virtual time: the most nodes whose updates a worker carries out together: 1 where messages have
// few readers, or are packed, so that decoding them costs more than reading them does. Each of them has a gradient.
std::uint32_t most_together(const Run& run);

// `newest` delivery in virtual time: the most messages of one node that can be kept at once, the one that its
// neighbours see and those under way.
std::uint32_t most_messages(const Run& run);

// Throws MachineRefused, which names --nodes, where the machine or its limits have less than that and `beside` (other
// parts of the program) left.
void require_memory(const Run& run, const MemoryPlan& plan, double beside = 0);

}  // namespace quantimed

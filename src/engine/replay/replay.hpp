// SPDX-License-Identifier: BSD-3-Clause
// A real-time run once more, without a clock: what it decided comes from the run's own log (replay_log.hpp), and so
// every bit is the same, whatever computes it and in whatever order.
//
// A data-flow graph: an iteration of a node needs its own one before, and the messages that the log names. It has no
// cycle, since real time was its witness; workers run whatever is ready, what came first in real time first, so that
// few messages wait to be read. A message is kept until the last node that the log names has read it.
#pragma once

#include "engine/engine.hpp"
#include "engine/memory_plan.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quantimed {

// Models to be looked at: of each node as its iteration `of_node` began; nothing: it had left the run.
struct ReplayPoint {
  double iteration = 0;                       // mean of the nodes
  Seconds time = 0;                           // on the run's clock
  std::vector<std::optional<Round>> of_node;  // [n]
};

// Points evenly over a run's iterations, or over its time where nodes do not wait for each other; the start and the end
// among them. `rounds`: of all its iterations. `end`: of its clock. `over`: that many iterations have `evaluations`,
// where the run was to do more than it did.
std::vector<ReplayPoint> points_of(const Run& run, const Recording& recording, const Rounds& rounds, Seconds end,
                                   std::uint32_t evaluations, Round over = 0);

struct Difference {
  NodeId node = 0;
  Round iteration = 0;
  std::string what;
};

struct Replayed {
  std::optional<Difference> difference;  // the first; nothing: bit-exact
  bool interrupted = false;              // the watcher wanted to stop
  std::uint64_t iterations = 0;          // of all nodes
  std::uint64_t models = 0;              // compared whole
  std::uint64_t most_messages = 0;       // kept at the same time
  std::optional<Checkpoint> checkpoint;  // the nodes as they are at the end, where that was asked for
};

struct ReplayRequest {
  const Recording& recording;
  const Rounds& rounds;                      // of the run: which iteration came first, and what it drew
  std::span<const ReplayPoint> points = {};  // are shown to the watcher, in this order
  std::uint32_t workers = 1;
  bool wants_checkpoint = false;
};

// Throws InputError for a recording that is none of this run: `run` is from the start, with its resume null.
Replayed replay(const Run& run, const ReplayRequest& request, Watcher& watcher);

// The curve of a run on threads that has just ended and made no copies of its models (Run::copies_models), from its
// start, whatever it was resumed from: at the points that `replay --evaluations` takes, and of a run of T rounds that
// was stopped at those of all T. Of a run that broke off, as far as its nodes can be replayed together; averages of
// two: its start alone. Memory holds all its rounds meanwhile. Returns "", or why the replay is not of this run.
std::string draw_by_replay(const Run& run, const Outcome& outcome, Watcher& watcher);

// Of all nodes; messages wait for at most the run's own skew, for which four a node and channel are reckoned, and with
// `newest` delivery over a delayed link for as long as they were under way: as many more as the run had room for.
MemoryPlan plan_replay(const Run& run, std::uint32_t workers);

// When an iteration ended, by its start and its phases; NaN for one that is not recorded.
Seconds end_of(const Rounds& rounds, NodeId i, Round t);

// XXH3-64 of a model.
std::int64_t model_fingerprint(std::span<const Real> x);

}  // namespace quantimed

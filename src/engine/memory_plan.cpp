// SPDX-License-Identifier: BSD-3-Clause
#include "engine/memory_plan.hpp"

#include "base/error.hpp"
#include "engine/model_arena.hpp"
#include "engine/node_core.hpp"
#include "engine/replay/replay.hpp"
#include "machine/allocation.hpp"
#include "record/record_log.hpp"
#include "record/snapshots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {

double floats(double count) { return count * sizeof(Real); }

// Bytes in memory, of what a node sends at a time: on a channel, or with `newest` delivery on all.
double mean_message(const Run& run) {
  double all = 0;
  if (run.algorithm.delivery == Delivery::newest) return static_cast<double>(parcel_capacity(run));
  for (NodeId i = 0; i < run.network.nodes; ++i) all += static_cast<double>(message_capacity(run, i));
  return all / run.network.nodes;
}

struct Sizes {
  explicit Sizes(const Run& run)
      : nodes(run.network.nodes),
        p(static_cast<double>(run.problem.dimension())),
        message(mean_message(run)),
        workspace(floats(static_cast<double>(run.problem.make_workspace().floats.size()))),
        channels(run.algorithm.channels),
        keeps_gradients(!run.algorithm.sends_its_model) {
    for (const StateRow& state : run.algorithm.states)
      states += (state.kind == StateRow::Kind::wide ? sizeof(double) : sizeof(Real)) * p;
  }
  double nodes, p;
  double message, workspace;    // bytes of each
  double channels, states = 0;  // of a node; bytes
  bool keeps_gradients;
};

// Buffers of records grow by doubling. Where there is no file for older ones they grow with the run, which may end long
// before its last iteration, so that only the first are asked for.
double records_of(const Run& run) {
  const double kept = static_cast<double>(Records::most_in_memory(run.network.nodes));
  return 2 * run.network.nodes * std::min<double>(kept, run.iterations) * sizeof(RoundRecord);
}

// The least that an iteration lasts, on the model's clock.
Seconds shortest_iteration(const Run& run) {
  if (run.uses_deadline() && !run.deadline.adapts) return run.deadline.fixed_s;
  const double batch = run.options.batch;
  const Seconds asked = run.speed ? batch / run.speed->fastest() : 0;
  return std::max(asked, run.machine ? run.machine->gradient_time(run.options.batch) : 0);
}

// What a node averages with another in, where models are sent in a code.
double room_of_pairs(const Run& run, const Sizes& size) {
  const bool has_one = run.algorithm.delivery == Delivery::pairwise && !run.codec.is_identity();
  return has_one ? 2 * (size.message + floats(size.p)) : 0;
}

}  // namespace

std::uint32_t most_messages(const Run& run) {
  const auto bytes = static_cast<double>(parcel_capacity(run));
  const Seconds delay = run.link.delay(std::max(bytes, run.charge(false).bytes(bytes))) +
                        (run.machine ? run.machine->publish_s + run.machine->latency_s : 0);
  if (delay <= 0) return 2;  // the one before is read until the new one is there
  const double under_way = std::ceil(delay / shortest_iteration(run));  // the new one included
  constexpr double kMost = LinkModel::kMostInFlight;
  return 1 + static_cast<std::uint32_t>(under_way < kMost ? under_way : kMost);  // NaN: as many as may be
}

std::uint32_t most_together(const Run& run) {
  constexpr std::size_t kFewReaders = 4, kMost = 32, kMostBytes = std::size_t{1} << 25;
  const std::size_t readers = run.network.neighbour_list.size() / run.network.nodes;
  if (run.threads > 1) return 1;  // no faster with two workers: larger shares make them wait for one another
  if (!run.algorithm.sends_its_model || !run.codec.is_identity()) return 1;
  if (run.network.is_scheduled() || readers < kFewReaders) return 1;
  const std::size_t fit = kMostBytes / (run.problem.dimension() * sizeof(Real));
  return static_cast<std::uint32_t>(std::clamp<std::size_t>(fit, 1, std::min<std::size_t>(kMost, run.network.nodes)));
}

MemoryPlan plan_virtual(const Run& run) {
  const Sizes size(run);
  const bool is_round = run.algorithm.delivery == Delivery::round;
  MemoryPlan plan;
  plan.models = static_cast<double>(ModelArena::bytes_of(run.network.nodes, run.problem.dimension()));
  const bool is_newest = run.algorithm.delivery == Delivery::newest;
  const double own = is_newest && size.keeps_gradients ? 1 : 0;  // what a form was published from, until the next
  plan.messages = size.nodes * (is_newest ? most_messages(run) + own : 2 * size.channels) * size.message;
  const double of_workers = is_round ? run.threads * most_together(run) : 0.0;
  plan.gradients = floats((of_workers + (is_round && !size.keeps_gradients ? 0 : size.nodes)) * size.p);
  plan.models += size.nodes * size.states;
  plan.workspaces =
      run.threads * (size.workspace + (size.keeps_gradients ? floats(size.p) : 0)) + room_of_pairs(run, size);
  plan.records = records_of(run);
  if (run.faults.empty())
    plan.checkpoint = floats(size.nodes * size.p) + size.nodes * size.states +
                      (is_newest || run.algorithm.sends_each_its_own ? plan.messages : 0);
  return plan;
}

namespace {

// Of a node's mailbox: its buffers. Streams to other ranks are readers, too; a ghost has fewer.
double buffers_of(const Run& run, NodeId i, const Layout& layout) {
  if (run.algorithm.delivery != Delivery::newest) return 2.0 * run.algorithm.channels;
  const std::size_t readers = run.network.neighbours(i).size();
  return static_cast<double>(readers + (layout.ranks > 1 ? layout.ranks : 0) + run.link.most_in_flight() + 2);
}

}  // namespace

MemoryPlan plan_threads(const Run& run, const Layout& layout) {
  const Sizes size(run);
  const bool lives_in_outbox = run.codec.is_identity() && run.algorithm.sends_its_model;
  const double here = layout.here();
  const double copies = run.copies_models ? static_cast<double>(Snapshots::models_of(run.evaluations)) : 0;
  MemoryPlan plan;
  plan.models = floats(here * size.p * (copies + (lives_in_outbox ? 0 : 1))) + here * size.states;
  for (NodeId i = 0; i < run.network.nodes; ++i)  // ghosts, where there are other ranks
    plan.messages += buffers_of(run, i, layout) * (size.message + kSeparation);
  plan.gradients = floats(here * size.p);
  plan.workspaces = here * (size.workspace + size.message +
                            floats(size.keeps_gradients ? 2 * size.p : size.p));  // and to warm up with
  plan.workspaces += here * room_of_pairs(run, size);
  plan.records = here * RecordLog::kLeastBytes + records_of(run);
  const double saved = layout.rank == 0 ? size.nodes : here;
  if (layout.ranks > 1) plan.models += floats(2 * saved * size.p);  // on their way to the curve
  if (run.faults.empty())
    plan.checkpoint = floats(saved * size.p) + saved * size.states +
                      (run.algorithm.sends_each_its_own ? plan.messages : 0) +
                      (run.algorithm.delivery == Delivery::newest && size.keeps_gradients ? saved * size.message : 0);
  return plan;
}

MemoryPlan plan_replay(const Run& run, std::uint32_t workers) {
  // Of a channel, kept until they are read: the run's own skew, and what was under way on its links.
  const double messages = 4.0 + (run.algorithm.delivery == Delivery::newest ? run.link.most_in_flight() : 0);
  const Sizes size(run);
  MemoryPlan plan;
  plan.models = size.nodes * (floats(size.p) + size.states);
  plan.messages = size.nodes * size.channels * messages * (size.message + kSeparation);
  plan.gradients = floats(size.nodes * size.p);
  plan.workspaces = workers * (size.workspace + (size.keeps_gradients ? floats(size.p) : 0));
  plan.workspaces += size.nodes * room_of_pairs(run, size);
  return plan;
}

void require_memory(const Run& run, const MemoryPlan& plan, double beside) {
  const double needed = plan.total() + beside, usable = usable_memory_bytes(), left = usable - resident_memory_bytes();
  if (needed <= left) return;
  throw MachineRefused(
      "--nodes {}: needs {} (models {}, messages {}, gradients {}, the rest {}), and of the {} that may be used {} are "
      "left; use fewer nodes, fewer --evaluations or a smaller --model{}",
      run.network.nodes, size_text(needed), size_text(plan.models), size_text(plan.messages), size_text(plan.gradients),
      size_text(needed - plan.models - plan.messages - plan.gradients), size_text(usable),
      size_text(std::max(left, 0.0)), more_memory());
}

}  // namespace quantimed

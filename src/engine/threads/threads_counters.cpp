// SPDX-License-Identifier: BSD-3-Clause
// --counters: what the cores of a run on threads counted, and the energy of this machine while it ran.
#include "engine/threads/threads_engine.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace quantimed {

namespace {

constexpr std::vector<double> Counters::*kCountColumns[kCountedEvents] = {
    &Counters::cycles, &Counters::instructions, &Counters::cache_misses, &Counters::stalled_cycles};

}  // namespace

void ThreadsEngine::read_energy(bool is_end) {
  if (!meter_) return;
  const std::scoped_lock lock(metering_);
  const auto joules = meter_->joules();
  if (!joules) return;
  if (is_end)
    outcome_.energy.end(shared_.now(), *joules);
  else
    outcome_.energy.add(shared_.now(), *joules);
}

void ThreadsEngine::add_counters() {
  Counters& all = outcome_.counters.emplace();
  for (std::size_t e = 0; e < kCountedEvents; ++e) {
    std::vector<double> column;
    int refused = 0;
    bool is_somewhere = false;
    for (const Ended& node : of_node_) {
      column.push_back(node.counts.counts[e]);
      is_somewhere |= node.counts.refused[e] == 0;
      if (refused == 0) refused = node.counts.refused[e];
    }
    if (is_somewhere) all.*kCountColumns[e] = std::move(column);
    if (refused != 0)
      all.account.emplace_back(fmt::format("{}_missing", counted_events()[e].name),
                               why_not_counted(refused, run_.counters->root));
    if (is_somewhere && all.counted_share.empty())
      for (const Ended& node : of_node_) all.counted_share.push_back(node.counts.share);
  }
  if (meter_ && meter_->is_there()) {
    all.account.emplace_back("energy_source", meter_->source());
    return;
  }
  outcome_.energy = {};
  all.account.emplace_back("energy_missing", meter_ ? meter_->missing()
                                                    : fmt::format("the run is spread over {} processes, and energy is "
                                                                  "read in one",
                                                                  shared_.layout.ranks));
}

}  // namespace quantimed

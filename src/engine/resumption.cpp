// SPDX-License-Identifier: BSD-3-Clause
#include "engine/resumption.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {
constexpr std::size_t kSmallBytes = std::size_t{1} << 30;
}

void set_model(const Run& run, NodeId i, std::span<Real> x) {
  if (run.resume)
    std::copy_n(run.resume->checkpoint.models.begin() + static_cast<std::ptrdiff_t>(i * x.size()), x.size(), x.begin());
  else
    run.problem.initialise(x, run.seed);
}

bool may_go_on(const Run& run) {
  return run.faults.empty() && run.network.nodes * run.problem.dimension() * sizeof(Real) <= kSmallBytes;
}

Records start_records(const Run& run) {
  // In another process than the one that writes the trace there are none from before.
  if (!run.resume || run.resume->rounds.nodes == 0) return Records(run.network.nodes, run.record_folder);
  const Rounds before = std::exchange(run.resume->rounds, {});
  return Records(before, run.record_folder);
}

double resumed(const Run& run, const std::string& name) {
  return run.resume ? number(run.resume->checkpoint.state, name, 0) : 0;
}

std::uint64_t resumed_count(const Run& run, const std::string& name) {
  return static_cast<std::uint64_t>(std::clamp(resumed(run, name), 0.0, 0x1p53));
}

void reject_checkpoint(const Run& run, const std::string& why) {
  throw InputError("--resume {}: {}; name a trace of a run that was stopped, with its data and its graph as they were",
                   run.resume->path, why);
}

Round recorded(const Rounds& rounds, NodeId i) {
  std::size_t ended = 0;
  while (ended < rounds.iterations && !std::isnan(rounds.start_time[ended * rounds.nodes + i])) ++ended;
  return static_cast<Round>(ended);
}

void require_fit(const Run& run) {
  const auto& [path, c, rounds, recording] = *run.resume;
  const std::size_t n = run.network.nodes, p = run.problem.dimension();
  if (c.models.size() != n * p || c.iteration.size() != n || c.start_time.size() != n || rounds.nodes != n)
    reject_checkpoint(run, fmt::format("its checkpoint is not of {} nodes with {} coordinates", n, p));
  for (const double time : c.start_time)
    if (!(time >= 0 && std::isfinite(time))) reject_checkpoint(run, fmt::format("an iteration starts at {} s", time));
  for (NodeId i = 0; i < n; ++i) {
    const Round ended = recorded(rounds, i);
    if (ended != c.iteration[i])
      reject_checkpoint(run, fmt::format("node {} is in iteration {}, but {} were recorded", i, c.iteration[i], ended));
    if (recording && (recording->iterations.size() != n || recording->iterations[i] != c.iteration[i]))
      reject_checkpoint(run, fmt::format("node {} is in iteration {}, and its log ends elsewhere", i, c.iteration[i]));
  }
}

}  // namespace quantimed

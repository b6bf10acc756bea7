// SPDX-License-Identifier: BSD-3-Clause
#include "engine/threads/threads_curve.hpp"

#include "engine/resumption.hpp"

#include <algorithm>

namespace quantimed {

bool ThreadsCurve::observe(Seconds before_s, Seconds end) {
  return run_.algorithm.delivery == Delivery::round ? observe_rounds() : observe_times(before_s, end);
}

// x̄_t exists once the last node has begun round t.
Seconds ThreadsCurve::when_all_began(Round t) const {
  Seconds latest = 0;
  for (NodeId i = 0; i < records_.nodes(); ++i)
    if (!is_lost(i, t)) latest = std::max(latest, t < records_[i].size() ? records_[i].at(t).start : ended_[i]);
  return latest;
}

bool ThreadsCurve::observe_rounds() {
  const std::uint64_t stride = nodes_.coarsen_to_one(1);
  Round end = ~Round{0};
  for (NodeId i = 0; i < records_.nodes(); ++i)
    if (!nodes_.lost_in(i)) end = std::min(end, nodes_.finished(i));
  const std::uint64_t first_mark = run_.resume ? first_round(run_, 0) / stride + 1 : 0;
  for (std::uint64_t mark = first_mark; mark * stride < end; ++mark) {
    const auto t = static_cast<Round>(mark * stride);
    watcher_.progress(kRunningShare + (1 - kRunningShare) * static_cast<double>(t) / static_cast<double>(end));
    std::vector<const Real*> models;
    const std::span<const ModelCopy> copies = nodes_.at(mark);
    for (NodeId i = 0; i < copies.size(); ++i)
      if (!is_lost(i, t)) models.push_back(copies[i].model);
    if (!watcher_.observe({.iteration = static_cast<double>(t), .time = when_all_began(t), .models = models}))
      return false;
  }
  return true;
}

// No more points than were asked for, and at least half as many.
bool ThreadsCurve::observe_times(Seconds before_s, Seconds end) {
  std::uint64_t stride = nodes_.coarsen_to_one(1);
  while (end / (static_cast<double>(stride) * NewestThreadNode::kGrid_s) > run_.evaluations + 1.0) stride *= 2;
  stride = nodes_.coarsen_to_one(stride);
  const Seconds step = static_cast<double>(stride) * NewestThreadNode::kGrid_s;
  const std::uint64_t first_mark = run_.resume ? static_cast<std::uint64_t>(before_s / step) + 1 : 0;
  for (std::uint64_t mark = first_mark; static_cast<double>(mark) * step < end; ++mark) {
    const Seconds time = static_cast<double>(mark) * step;
    watcher_.progress(kRunningShare + (1 - kRunningShare) * time / end);
    double iterations = 0;
    std::vector<const Real*> models;
    const std::span<const ModelCopy> copies = nodes_.at(mark);
    for (NodeId i = 0; i < copies.size(); ++i) {
      iterations += copies[i].iteration;
      if (nodes_.lost_in(i) && time >= ended_[i]) continue;
      models.push_back(copies[i].model);
    }
    if (!watcher_.observe(
            {.iteration = iterations / static_cast<double>(copies.size()), .time = time, .models = models}))
      return false;
  }
  return true;
}

std::pair<Round, Round> ThreadsCurve::last_rounds() const {
  if (run_.algorithm.delivery != Delivery::round) return {0, 0};
  Round first = ~Round{0}, last = 0;
  for (NodeId i = 0; i < records_.nodes(); ++i) {
    if (nodes_.lost_in(i)) continue;
    first = std::min(first, nodes_.finished(i));
    last = std::max(last, nodes_.finished(i));
  }
  return {std::min(first, last), last};
}

void ThreadsCurve::observe_end(Seconds end) {
  std::vector<const Real*> models;
  double all = 0, living = 0;  // iterations
  const std::span<const ModelCopy> copies = nodes_.at(EndedNodes::kEnd);
  for (NodeId i = 0; i < copies.size(); ++i) {
    all += copies[i].iteration;
    if (nodes_.lost_in(i)) continue;
    living += copies[i].iteration;
    models.push_back(copies[i].model);
  }
  const double iteration = run_.algorithm.delivery != Delivery::round ? all / static_cast<double>(copies.size())
                                                                      : living / static_cast<double>(models.size());
  watcher_.observe({.iteration = iteration, .time = end, .models = models});
}

}  // namespace quantimed

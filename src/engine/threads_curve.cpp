// SPDX-License-Identifier: BSD-3-Clause
#include "engine/threads_curve.hpp"

#include "engine/resumption.hpp"

#include <algorithm>

namespace quantimed {

bool ThreadsCurve::observe(Seconds before_s, Seconds end) {
  return run_.algorithm.delivery == Delivery::round ? observe_rounds() : observe_times(before_s, end);
}

// The stride that all nodes' copies have from now on: the coarsest among them, and no finer than the one given.
std::uint64_t ThreadsCurve::coarsen_to_one(std::uint64_t stride) {
  for (const auto& node : shared_.nodes) stride = std::max(stride, node->snapshots().stride());
  for (const auto& node : shared_.nodes) node->snapshots().coarsen_to(stride);
  return stride;
}

// x̄_t exists once the last node has begun round t.
Seconds ThreadsCurve::when_all_began(Round t) const {
  Seconds latest = 0;
  for (NodeId i = 0; i < records_.nodes(); ++i)
    if (!is_lost(i, t)) latest = std::max(latest, t < records_[i].size() ? records_[i].at(t).start : ended_[i]);
  return latest;
}

bool ThreadsCurve::observe_rounds() {
  const std::uint64_t stride = coarsen_to_one(1);
  Round end = ~Round{0};
  for (const auto& node : shared_.nodes)
    if (!node->lost_in()) end = std::min(end, node->finished());
  const std::uint64_t first_mark = run_.resume ? first_round(run_, 0) / stride + 1 : 0;
  for (std::uint64_t mark = first_mark; mark * stride < end; ++mark) {
    const auto t = static_cast<Round>(mark * stride);
    watcher_.progress(kRunningShare + (1 - kRunningShare) * static_cast<double>(t) / static_cast<double>(end));
    std::vector<const float*> models;
    for (NodeId i = 0; i < shared_.nodes.size(); ++i) {
      if (is_lost(i, t)) continue;
      const Snapshots& copies = shared_.nodes[i]->snapshots();
      models.push_back(copies.model(*copies.at(mark)));
    }
    if (!watcher_.observe({.iteration = static_cast<double>(t), .time = when_all_began(t), .models = models}))
      return false;
  }
  return true;
}

// No more points than were asked for, and at least half as many.
bool ThreadsCurve::observe_times(Seconds before_s, Seconds end) {
  std::uint64_t stride = coarsen_to_one(1);
  while (end / (static_cast<double>(stride) * NewestThreadNode::kGrid_s) > run_.evaluations + 1.0) stride *= 2;
  stride = coarsen_to_one(stride);
  const Seconds step = static_cast<double>(stride) * NewestThreadNode::kGrid_s;
  const std::uint64_t first_mark = run_.resume ? static_cast<std::uint64_t>(before_s / step) + 1 : 0;
  for (std::uint64_t mark = first_mark; static_cast<double>(mark) * step < end; ++mark) {
    const Seconds time = static_cast<double>(mark) * step;
    watcher_.progress(kRunningShare + (1 - kRunningShare) * time / end);
    double iterations = 0;
    std::vector<const float*> models;
    for (std::size_t i = 0; i < shared_.nodes.size(); ++i) {
      const Snapshots& copies = shared_.nodes[i]->snapshots();
      const Snapshots::Copy* copy = copies.at(mark);
      iterations += copy ? copy->iteration : shared_.nodes[i]->finished();
      if (shared_.nodes[i]->lost_in() && time >= ended_[i]) continue;
      models.push_back(copy ? copies.model(*copy) : shared_.nodes[i]->model().data());
    }
    if (!watcher_.observe(
            {.iteration = iterations / static_cast<double>(shared_.nodes.size()), .time = time, .models = models}))
      return false;
  }
  return true;
}

std::pair<Round, Round> ThreadsCurve::last_rounds() const {
  if (run_.algorithm.delivery != Delivery::round) return {0, 0};
  Round first = ~Round{0}, last = 0;
  for (const auto& node : shared_.nodes) {
    if (node->lost_in()) continue;
    first = std::min(first, node->finished());
    last = std::max(last, node->finished());
  }
  return {std::min(first, last), last};
}

void ThreadsCurve::observe_end(Seconds end) {
  std::vector<const float*> models;
  double all = 0, living = 0;  // iterations
  for (const auto& node : shared_.nodes) {
    all += node->finished();
    if (node->lost_in()) continue;
    living += node->finished();
    models.push_back(node->model().data());
  }
  const double iteration = run_.algorithm.delivery != Delivery::round ? all / static_cast<double>(shared_.nodes.size())
                                                                      : living / static_cast<double>(models.size());
  watcher_.observe({.iteration = iteration, .time = end, .models = models});
}

}  // namespace quantimed

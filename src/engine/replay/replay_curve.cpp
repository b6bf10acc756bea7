// SPDX-License-Identifier: BSD-3-Clause
// --curve replay: the curve of a run that made no copies of its models while the clock ran.
#include "base/error.hpp"
#include "engine/replay/log_reader.hpp"
#include "engine/replay/replay.hpp"
#include "engine/threads/threads_curve.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quantimed {

namespace {

// Shows a run's watcher the curve. A signal was for the run, which has ended: what it has come to is still drawn.
class Drawing final : public Watcher {
 public:
  explicit Drawing(Watcher& of_run) : of_run_(of_run) {}
  bool observe(const Cut& cut) override { return of_run_.observe(cut); }
  bool wants_to_stop() override { return false; }
  void progress(double done) override { of_run_.progress(kRunningShare + (1 - kRunningShare) * done); }
  void checkpoint(const RoundsSource&, std::optional<Checkpoint>) override {}
  bool checkpoint_due() override { return false; }

 private:
  Watcher& of_run_;
};

// What nodes that broke off have done: an iteration may have read what was sent in one that did not end.
Recording before_failure(const Run& run, const Recording& recording) {
  const bool has_cuts = run.algorithm.delivery != Delivery::pairwise;
  return cut_at(run, recording,
                has_cuts ? latest_cut(run, recording) : std::vector<Round>(recording.iterations.size(), 0));
}

// When the last of these iterations ended.
Seconds end_of_all(const Rounds& rounds, const std::vector<Round>& iterations) {
  Seconds end = 0;
  for (NodeId i = 0; i < iterations.size(); ++i)
    if (iterations[i] > 0) end = std::max(end, end_of(rounds, i, iterations[i] - 1));
  return end;
}

}  // namespace

std::string draw_by_replay(const Run& run, const Outcome& outcome, Watcher& watcher) {
  check(outcome.recording.has_value(), "a curve is drawn by a replay, and the run kept no log");
  Run whole = run;
  whole.resume = nullptr;
  const bool broke_off = !outcome.failure.empty();
  const Recording recording = broke_off ? before_failure(whole, *outcome.recording) : *outcome.recording;
  const Rounds rounds = outcome.rounds.all();
  const Seconds end = broke_off ? end_of_all(rounds, recording.iterations) : outcome.end_time;
  const Round over = run.max_time == kForever ? run.iterations : 0;
  std::vector<ReplayPoint> points = points_of(whole, recording, rounds, end, run.evaluations, over);
  if (broke_off) points.pop_back();  // its nodes are at no common end
  if (end == 0) points.resize(1);    // the start, and nothing after it
  Drawing drawing(watcher);
  const Replayed replayed =
      replay(whole, {.recording = recording, .rounds = rounds, .points = points, .workers = run.threads}, drawing);
  if (!replayed.difference) return {};
  const auto& [node, iteration, what] = *replayed.difference;
  return fmt::format("differs first at node {}, iteration {}: {}", node, iteration, what);
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The log of a run in real time (record/replay_log.hpp): of one that took newest models, one that computed until
// deadlines and one that averaged two models at a time. Everything else of the run is as it was.
#include "base/error.hpp"
#include "engine/replay/replay.hpp"
#include "engine/small_run.hpp"
#include "fuzz/seeds.hpp"
#include "fuzz/targets.hpp"

#include <array>
#include <memory>

namespace quantimed::fuzz {

namespace {

struct RealRun {
  explicit RealRun(const char* algorithm) : small(algorithm, 3, "complete"), run(small.run()) {
    run.speed = nullptr;
    run.link = {};
    run.oversubscribe = true;
    run.iterations = 6;
    run.evaluations = 2;
    run.options.batch = 4;
    run.deadline = {.fixed_s = 2e-4, .slack_s = 1};
    KeepingWatcher watcher = small.watcher();
    Outcome outcome = run_threads(run, watcher);
    check(outcome.failure.empty() && outcome.recording.has_value(), "a run to be fuzzed has failed");
    rounds = outcome.rounds.all();
    recording = std::move(*outcome.recording);
  }

  SmallRun small;
  Run run;
  Rounds rounds;
  Recording recording;
};

// Once: they are real-time runs. On the heap, as `run` refers to what stands beside it.
std::span<const std::unique_ptr<RealRun>> real_runs() {
  static const std::array runs = {std::make_unique<RealRun>("async-dsgd"), std::make_unique<RealRun>("quantimed-dsgd"),
                                  std::make_unique<RealRun>("ad-psgd")};
  return runs;
}

}  // namespace

// The first byte says which run; the others are the nodes' logs one after the other, cut where the run's were.
void read_replay_log(std::span<const std::uint8_t> bytes) {
  const auto runs = real_runs();
  const RealRun& real = *runs[bytes.empty() ? 0 : bytes[0] % runs.size()];
  Recording recording = real.recording;
  recording.log.assign(bytes.begin() + (bytes.empty() ? 0 : 1), bytes.end());
  auto left = static_cast<std::int64_t>(recording.log.size());
  for (std::int64_t& part : recording.log_bytes) {
    part = &part == &recording.log_bytes.back() ? left : std::min(part, left);
    left -= part;
  }
  KeepingWatcher watcher = real.small.watcher();
  replay(real.run, {.recording = recording, .rounds = real.rounds}, watcher);
}

std::vector<std::string> replay_log_seeds() {
  std::vector<std::string> seeds;
  for (const auto& real : real_runs()) {
    std::string seed(1, static_cast<char>('0' + seeds.size()));  // '0' is 48, a multiple of 3
    seed.append(real->recording.log.begin(), real->recording.log.end());
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

}  // namespace quantimed::fuzz

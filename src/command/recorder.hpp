// SPDX-License-Identifier: BSD-3-Clause
// What a run tells while it goes on, put into its trace.
#pragma once

#include "command/experiment.hpp"
#include "engine/engine.hpp"
#include "measure/evaluate.hpp"
#include "trace/trace.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace quantimed {

// Where a run keeps what it has so far, until its trace is complete.
inline std::string partial_name(const std::string& path) { return path + ".partial"; }

// Evaluates every cut, ends a run that diverges, and writes what there is now and then.
class Recorder final : public Watcher {
 public:
  using Clock = std::chrono::steady_clock;

  // `earlier`: what the run was told of itself when it was stopped; empty for a new one.
  Recorder(Trace& trace, Evaluator& evaluator, const std::string& path, const ProgressReport& report,
           const Attributes& earlier, Clock::time_point start);

  bool observe(const Cut& cut) override;
  bool wants_to_stop() override;
  void progress(double done) override;

  // The longer a checkpoint takes, the rarer they are: less than 1 % of the run.
  bool checkpoint_due() override;
  void checkpoint(const RoundsSource& rounds, std::optional<Checkpoint> state) override;

  void keep(std::optional<Recording> recording) override { trace_.recording = std::move(recording); }

  // What the run's next part must know of those before.
  void add_account(Checkpoint& checkpoint) const;

  double wall_s() const;
  bool diverged() const { return diverged_; }
  std::int64_t unwritten() const { return unwritten_; }
  double evaluation_s() const { return evaluation_s_; }

 private:
  static constexpr double kDiverged = 1e6;  // times the first loss

  Trace& trace_;
  Evaluator& evaluator_;
  std::string partial_;
  const ProgressReport& report_;
  const Attributes& earlier_;
  Clock::time_point start_;
  bool diverged_ = false;
  std::int64_t unwritten_ = 0;  // checkpoints that could not be written
  double evaluation_s_, cost_ = 0;
  Clock::time_point last_ = Clock::now();
};

}  // namespace quantimed

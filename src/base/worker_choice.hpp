// SPDX-License-Identifier: BSD-3-Clause
// How many workers a parallel region gets, of the many alike that a run consists of: all of them, or one.
//
// Waking workers costs microseconds, and where other programs take the cores a region ends when its slowest worker has
// been let in again. So more workers can be slower than one, by how much depends on the machine's other work, and only
// measuring tells. The results are the same whatever is chosen.
#pragma once

#include "base/types.hpp"

#include <cstdint>

namespace quantimed {

// The rule alone, without a clock. All workers are measured first; what one worker would take is at least the processor
// time of all, until it has been measured, too. From then on the faster has the work, and the other is tried again now
// and then, as often as kTrying of the time allows.
class WorkerRule {
 public:
  explicit WorkerRule(std::uint32_t most) : most_(most) {}

  std::uint32_t next();  // workers of the region that begins

  // It has ended: how much work it was (in any unit that makes regions comparable), how long it took, and the processor
  // time that all workers took together (of one worker it does not matter).
  void learn(double work, Seconds wall, Seconds cpu);

 private:
  // What trying costs at most, of all time. With it a wrong choice is put right within some fifty regions.
  static constexpr double kTrying = 0.02;
  static constexpr double kClear = 0.5;  // of one worker's least time: what is faster needs no trial
  static constexpr double kNewest = 0.25;

  // Seconds for a unit of work, the newest counting most; what is tried now and then is news, and counts alone.
  struct Mean {
    void add(double value, bool is_news) {
      seconds += (is_known && !is_news ? kNewest : 1) * (value - seconds);
      is_known = true;
    }
    double seconds = 0;
    bool is_known = false;
  };

  Seconds extra() const;  // what trying the slower would cost more, for the last region's work

  std::uint32_t most_;
  std::uint32_t chosen_ = 0;
  bool is_trial_ = false;
  Mean one_, all_, cpu_;
  double work_ = 0;  // of the last region
  Seconds credit_ = 0;
};

class WorkerChoice {
 public:
  explicit WorkerChoice(std::uint32_t most) : most_(most), rule_(most) {}

  // Calls region(workers), which opens a parallel region of so many threads and waits for its end.
  template <class Region>
  void run(double work, Region&& region) {
    if (most_ == 1) return region(most_);
    const std::uint32_t workers = rule_.next();
    const bool is_one = workers == 1;  // whose processor time nobody asks for, and reading it takes a system call
    const Seconds wall = wall_time(), cpu = is_one ? 0 : processor_time();
    region(workers);
    rule_.learn(work, wall_time() - wall, is_one ? 0 : processor_time() - cpu);
  }

  static Seconds processor_time();  // of the whole process: nothing else runs in it meanwhile

 private:
  static Seconds wall_time();

  std::uint32_t most_;
  WorkerRule rule_;
};

}  // namespace quantimed

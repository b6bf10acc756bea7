// SPDX-License-Identifier: BSD-3-Clause
// --counters: what a core counts while a node's thread is on it. Opened before the clock starts, read once at the end:
// while the run lasts the kernel does all there is to do, when it switches threads. Source: perf_event_open(2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quantimed {

// As the kernel names an event.
struct PerfEvent {
  std::uint32_t type = 0;
  std::uint64_t config = 0;
};

// The system calls, so that tests can answer in the kernel's place. What fails returns −errno.
class PerfCalls {
 public:
  virtual ~PerfCalls() = default;
  // Of the calling thread in user space, so that perf_event_paranoid 2 allows it. group −1: the first of a group, which
  // counts from start() on; else one more of that group.
  virtual int open_of_thread(const PerfEvent& event, int group) = 0;
  // Of whatever this processing unit, or its package, does; counts at once.
  virtual int open_of_unit(const PerfEvent& event, int unit) = 0;
  virtual int start(int group) = 0;  // from 0
  virtual int stop(int group) = 0;
  // How many bytes. Of a group: events, ns enabled, ns counted, then a value for each; of a unit: the value.
  virtual std::ptrdiff_t read(int file, std::span<std::uint64_t> into) = 0;
  virtual void close(int file) = 0;
};
PerfCalls& kernel_perf();

struct CountedEvent {
  const char* name;
  PerfEvent event;
};
inline constexpr std::size_t kCountedEvents = 4;
// cycles, instructions, cache_misses (of the last level), stalled_cycles (the core waits for data or units).
std::span<const CountedEvent, kCountedEvents> counted_events();

// Of one thread between start and stop. Plain, for it may come from another process.
struct ThreadCounts {
  static constexpr int kNoTurn = -1;  // opened, but other users held the counters all the time

  std::array<double, kCountedEvents> counts{};  // NaN where `refused`
  std::array<int, kCountedEvents> refused{};    // errno, or kNoTurn; 0: counted
  double share = 1;                             // of the time that it was counted in; the counts are scaled up by it
};

// Why an event was not counted, in words. `root` stands before /proc.
std::string why_not_counted(int refused, const std::string& root = "");

// The events of the calling thread; waiting counts too, since nodes wait busily. One that the machine does not give is
// left out, the others are counted.
class ThreadCounters {
 public:
  ThreadCounters(PerfCalls& perf, std::span<const CountedEvent, kCountedEvents> events);
  ~ThreadCounters();
  ThreadCounters(const ThreadCounters&) = delete;
  ThreadCounters& operator=(const ThreadCounters&) = delete;

  void start();
  ThreadCounts stop();

 private:
  void refuse_all(int error);

  PerfCalls& perf_;
  int group_ = -1;
  std::array<int, kCountedEvents> files_;  // −1: not opened
  std::array<int, kCountedEvents> refused_{};
};

// For people who ask what a run would count here: "cycles, instructions; not stalled_cycles: why".
std::string counters_here(PerfCalls& perf, const std::string& root = "");

}  // namespace quantimed

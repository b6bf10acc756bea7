// SPDX-License-Identifier: BSD-3-Clause
// What --counters costs: once for a node, and what a reading at each of an iteration's seven phases would. Events that
// every kernel has, so that a machine without counters can tell, too.
#include <benchmark/benchmark.h>
#include <linux/perf_event.h>

#include <algorithm>

#include "machine/counters.hpp"

namespace {

using namespace quantimed;

constexpr CountedEvent kEvents[kCountedEvents] = {{"task_clock", {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK}},
                                                  {"cpu_clock", {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK}},
                                                  {"page_faults", {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS}},
                                                  {"dummy", {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY}}};

void BM_counters_of_a_node(benchmark::State& state) {
  for (auto _ : state) {
    ThreadCounters counters(kernel_perf(), kEvents);
    counters.start();
    const ThreadCounts counted = counters.stop();
    if (counted.refused[0] != 0) return state.SkipWithError(why_not_counted(counted.refused[0]).c_str());
    benchmark::DoNotOptimize(counted.counts.data());
  }
}
BENCHMARK(BM_counters_of_a_node);

// On the clock: the start alone; a node stops when its end has been noted.
void BM_counters_start_and_stop(benchmark::State& state) {
  ThreadCounters counters(kernel_perf(), kEvents);
  for (auto _ : state) {
    counters.start();
    const ThreadCounts counted = counters.stop();
    if (counted.refused[0] != 0) return state.SkipWithError(why_not_counted(counted.refused[0]).c_str());
  }
}
BENCHMARK(BM_counters_start_and_stop);

void BM_counters_read(benchmark::State& state) {
  const int group = kernel_perf().open_of_thread(kEvents[0].event, -1);
  if (group < 0) return state.SkipWithError(why_not_counted(-group).c_str());
  int others[kCountedEvents - 1];
  for (std::size_t e = 1; e < kCountedEvents; ++e)
    others[e - 1] = kernel_perf().open_of_thread(kEvents[e].event, group);
  kernel_perf().start(group);
  std::uint64_t values[3 + kCountedEvents];
  for (auto _ : state) benchmark::DoNotOptimize(kernel_perf().read(group, values));
  for (const int other : others) kernel_perf().close(other);
  kernel_perf().close(group);
}
BENCHMARK(BM_counters_read);

}  // namespace

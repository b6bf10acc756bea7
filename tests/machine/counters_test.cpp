// SPDX-License-Identifier: BSD-3-Clause
#include "machine/counters.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>

#include <chrono>
#include <cmath>

#include "fake_perf.hpp"

namespace quantimed {
namespace {

using ::testing::HasSubstr;

constexpr std::pair<std::uint32_t, std::uint64_t> key(const CountedEvent& event) {
  return {event.event.type, event.event.config};
}

ThreadCounts counts_of(FakePerf& perf) {
  ThreadCounters counters(perf, counted_events());
  counters.start();
  return counters.stop();
}

TEST(Counters, CountsAllFourInTheirOrder) {
  FakePerf perf;
  for (std::size_t e = 0; e < kCountedEvents; ++e) perf.events[key(counted_events()[e])] = 100 + static_cast<int>(e);
  const ThreadCounts here = counts_of(perf);
  EXPECT_THAT(here.counts, testing::ElementsAre(100, 101, 102, 103));
  EXPECT_THAT(here.refused, testing::Each(0));
  EXPECT_EQ(here.share, 1);
  EXPECT_EQ(perf.opened(), 0u) << "closed again";
}

// Whichever are missing, the others keep their places; nothing is told as zero.
TEST(Counters, LeavesOutWhatTheMachineDoesNotGive) {
  for (unsigned there = 0; there < 1u << kCountedEvents; ++there) {
    FakePerf perf;
    for (std::size_t e = 0; e < kCountedEvents; ++e)
      perf.events[key(counted_events()[e])] = there >> e & 1 ? 100 + static_cast<int>(e) : -EOPNOTSUPP;
    const ThreadCounts here = counts_of(perf);
    for (std::size_t e = 0; e < kCountedEvents; ++e) {
      EXPECT_EQ(here.refused[e], there >> e & 1 ? 0 : EOPNOTSUPP) << there << " " << e;
      if (there >> e & 1)
        EXPECT_EQ(here.counts[e], 100 + static_cast<double>(e)) << there;
      else
        EXPECT_TRUE(std::isnan(here.counts[e])) << there << " " << e;
    }
    EXPECT_EQ(perf.opened(), 0u);
  }
}

TEST(Counters, ScalesUpWhatWasCountedForAPartOfTheTime) {
  FakePerf perf;
  perf.events[key(counted_events()[1])] = 300;
  perf.counted_ns = 750;
  const ThreadCounts here = counts_of(perf);
  EXPECT_EQ(here.counts[1], 400);
  EXPECT_EQ(here.share, 0.75);
}

TEST(Counters, WhatNeverHadItsTurnIsNotZero) {
  FakePerf perf;
  perf.events[key(counted_events()[0])] = 0;
  perf.counted_ns = 0;
  const ThreadCounts here = counts_of(perf);
  EXPECT_EQ(here.refused[0], ThreadCounts::kNoTurn);
  EXPECT_TRUE(std::isnan(here.counts[0]));
}

TEST(Counters, WhatFailsLaterIsRefusedToo) {
  FakePerf perf;
  perf.events[key(counted_events()[0])] = 5;
  perf.start_error = -EBUSY;
  EXPECT_EQ(counts_of(perf).refused[0], EBUSY);
  perf.start_error = 0;
  perf.stop_error = -EINVAL;
  EXPECT_EQ(counts_of(perf).refused[0], EINVAL);
  perf.stop_error = 0;
  perf.read_error = -ENOSPC;
  EXPECT_EQ(counts_of(perf).refused[0], ENOSPC);
  perf.read_error = 0;
  perf.missing_bytes = 8;
  const ThreadCounts cut = counts_of(perf);
  EXPECT_EQ(cut.refused[0], EIO);
  EXPECT_TRUE(std::isnan(cut.counts[0]));
}

TEST(Counters, ReasonsAreWords) {
  FakeSystem system;
  const auto why = [&](int error) { return why_not_counted(error, system.root()); };
  for (const int error : {ENOENT, ENODEV, EOPNOTSUPP}) EXPECT_THAT(why(error), HasSubstr("no such counter"));
  EXPECT_EQ(why(EACCES), "not allowed") << "without the file";
  system.put("/proc/sys/kernel/perf_event_paranoid", "4\n");
  for (const int error : {EACCES, EPERM})
    EXPECT_EQ(why(error), "not allowed: /proc/sys/kernel/perf_event_paranoid is 4; 2 or less allows it");
  system.put("/proc/sys/kernel/perf_event_paranoid", "-1\n");
  EXPECT_THAT(why(EPERM), HasSubstr("though /proc/sys/kernel/perf_event_paranoid is -1"));
  system.put("/proc/sys/kernel/perf_event_paranoid", "two\n");
  EXPECT_EQ(why(EPERM), "not allowed");
  EXPECT_THAT(why(ENOSYS), HasSubstr("no performance events"));
  EXPECT_THAT(why(EMFILE), HasSubstr("ulimit -n"));
  EXPECT_THAT(why(EINVAL), HasSubstr("no counter is left"));
  EXPECT_THAT(why(EBUSY), HasSubstr("another program"));
  EXPECT_THAT(why(ThreadCounts::kNoTurn), HasSubstr("all the time"));
  EXPECT_FALSE(why(E2BIG).empty());
}

TEST(Counters, SaysWhatIsHere) {
  FakePerf perf;
  EXPECT_THAT(counters_here(perf),
              testing::StartsWith("none; not cycles, instructions, cache_misses, stalled_cycles: "));
  perf.events[key(counted_events()[0])] = 1;
  perf.events[key(counted_events()[1])] = 2;
  EXPECT_THAT(counters_here(perf), testing::StartsWith("cycles, instructions; not cache_misses, stalled_cycles: "));
}

// The kernel's own events through the same calls, since machines without counters have these: the time that a thread
// has had a processor, and its page faults.
TEST(Counters, TheKernelCountsThroughTheSameCalls) {
  constexpr CountedEvent kOfTheKernel[kCountedEvents] = {
      {"task_clock", {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK}},
      {"nothing", {PERF_TYPE_SOFTWARE, 1'000'000}},
      {"page_faults", {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS}},
      {"dummy", {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY}}};
  ThreadCounters counters(kernel_perf(), kOfTheKernel);
  counters.start();
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(20)) {
  }
  constexpr std::size_t kPage = 4096, kPages = 64;
  std::vector<char> fresh;
  fresh.reserve(kPages * kPage * 16);  // from the system, since it is large
  for (std::size_t page = 0; page < kPages; ++page) fresh.push_back(1), fresh.resize((page + 1) * kPage * 16);
  const ThreadCounts here = counters.stop();
  if (here.refused[0] != 0)
    GTEST_SKIP() << "the kernel's events cannot be opened here: " << why_not_counted(here.refused[0]);
  EXPECT_GT(here.counts[0], 0) << "ns";
  EXPECT_NE(here.refused[1], 0) << "an event that no kernel has";
  EXPECT_TRUE(std::isnan(here.counts[1]));
  EXPECT_GE(here.counts[2], 1);
  EXPECT_EQ(here.counts[3], 0);
  EXPECT_EQ(here.share, 1);
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// --counters on threads: what nodes counted and what the machine took, from a kernel that the test plays.
#include "machine/counters.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/small_run.hpp"
#include "machine/fake_perf.hpp"

namespace quantimed {
namespace {

using ::testing::HasSubstr;

std::string reason(const Counters& counters, const std::string& name) {
  return text(counters.account, name + "_missing", "");
}

struct Played {
  FakePerf perf;
  FakeSystem system;
  SmallRun small{"dsgd", 3};

  void count(std::size_t event, std::int64_t value) {
    perf.events[{counted_events()[event].event.type, counted_events()[event].event.config}] = value;
  }
  Outcome run() {
    Run run = small.run();
    run.speed = nullptr;
    run.link = parse_link("none");
    run.oversubscribe = true;
    run.counters = Metering{&perf, system.root()};
    KeepingWatcher watcher = small.watcher();
    return run_threads(run, watcher);
  }
};

TEST(CountersOfARun, AreOfEachNode) {
  Played played;
  played.count(0, 4000);
  played.count(1, 9000);
  played.count(3, -EACCES);
  played.perf.counted_ns = 500;
  played.system.put("/proc/sys/kernel/perf_event_paranoid", "3\n");
  played.system.put_power();
  played.perf.events[{21, 2}] = 0;
  played.perf.per_unit = {0, std::int64_t{1} << 32, std::int64_t{3} << 32};
  const Outcome outcome = played.run();
  ASSERT_TRUE(outcome.counters);
  const Counters& counters = *outcome.counters;
  EXPECT_EQ(counters.cycles, std::vector<double>(3, 8000));
  EXPECT_EQ(counters.instructions, std::vector<double>(3, 18'000));
  EXPECT_EQ(counters.counted_share, std::vector<double>(3, 0.5));
  EXPECT_TRUE(counters.cache_misses.empty());
  EXPECT_TRUE(counters.stalled_cycles.empty());
  EXPECT_THAT(reason(counters, "cache_misses"), HasSubstr("no such counter"));
  EXPECT_THAT(reason(counters, "stalled_cycles"), HasSubstr("perf_event_paranoid is 3"));
  EXPECT_EQ(reason(counters, "cycles"), "");
  EXPECT_EQ(text(counters.account, "energy_source", ""), "perf power/energy-pkg/ of 2 packages");
  // The first reading is the run's zero, the last one is at its end: two packages, two joules each.
  EXPECT_EQ(outcome.energy.at(0), 0);
  EXPECT_EQ(outcome.energy.at(kForever), 4);
  EXPECT_EQ(played.perf.opened(), 0u) << "closed again";
}

TEST(CountersOfARun, WithoutAnythingHaveReasonsAlone) {
  Played played;
  const Outcome outcome = played.run();
  ASSERT_TRUE(outcome.counters);
  EXPECT_TRUE(outcome.energy.empty());
  EXPECT_TRUE(outcome.counters->cycles.empty());
  EXPECT_TRUE(outcome.counters->counted_share.empty());
  for (const CountedEvent& event : counted_events())
    EXPECT_THAT(reason(*outcome.counters, event.name), HasSubstr("no such counter"));
  EXPECT_THAT(reason(*outcome.counters, "energy"), HasSubstr("no power events"));
}

TEST(CountersOfARun, AMeterThatFailsOnTheWayTellsNothing) {
  Played played;
  played.system.put_power();
  played.perf.events[{21, 2}] = 0;
  played.perf.per_unit = {0, 0, -EIO};
  const Outcome outcome = played.run();
  EXPECT_TRUE(outcome.energy.empty());
  EXPECT_THAT(reason(*outcome.counters, "energy"), HasSubstr("in the middle of the run"));
}

TEST(CountersOfARun, AreNotThereUnlessAskedFor) {
  SmallRun small("dsgd", 2);
  quantimed::Run run = small.run();
  run.speed = nullptr;
  run.link = parse_link("none");
  run.oversubscribe = true;
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = run_threads(run, watcher);
  EXPECT_FALSE(outcome.counters);
  EXPECT_TRUE(outcome.energy.empty());
}

}  // namespace
}  // namespace quantimed

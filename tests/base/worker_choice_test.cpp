// SPDX-License-Identifier: BSD-3-Clause
// The rule is tested with times that a made-up machine says, so that no test depends on this machine's.
#include "base/worker_choice.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace quantimed {
namespace {

constexpr std::uint32_t kAll = 8;

// How long a region takes with one worker, and with all; the processor time of all.
struct Cost {
  Seconds one, all, cpu;
};

struct Sum {
  Seconds taken = 0, one = 0, all = 0;
  Seconds best() const { return std::min(one, all); }
};

// Regions with times up to twice and down to half of what `cost` says, as on a machine with other work.
Sum run(std::size_t regions, const std::function<Cost(std::size_t)>& cost) {
  WorkerRule rule(kAll);
  Stream noise({.seed = 1});
  Sum sum;
  for (std::size_t k = 0; k < regions; ++k) {
    const Cost c = cost(k);
    const double disturbed = noise.uniform(0.5, 2.0);
    const std::uint32_t workers = rule.next();
    EXPECT_TRUE(workers == 1 || workers == kAll);
    const Seconds wall = disturbed * (workers == 1 ? c.one : c.all);
    rule.learn(1, wall, workers == 1 ? c.one : c.cpu);
    sum.taken += wall;
    sum.one += disturbed * c.one;
    sum.all += disturbed * c.all;
  }
  return sum;
}

TEST(WorkerRule, OneWorkerIsAllThereIs) {
  WorkerRule rule(1);
  for (int k = 0; k < 10; ++k) {
    EXPECT_EQ(rule.next(), 1u);
    rule.learn(1, 1e-3, 1e-3);
  }
}

TEST(WorkerRule, RegionsOfMicrosecondsHaveOneWorker) {
  const Sum sum = run(10'000, [](std::size_t) { return Cost{.one = 20e-6, .all = 90e-6, .cpu = 60e-6}; });
  EXPECT_LT(sum.taken, 1.05 * sum.one);
}

TEST(WorkerRule, LargeRegionsHaveAllWorkersFromTheFirstOn) {
  const Sum sum = run(100, [](std::size_t) { return Cost{.one = 800e-3, .all = 110e-3, .cpu = 820e-3}; });
  EXPECT_DOUBLE_EQ(sum.taken, sum.all);
}

TEST(WorkerRule, WhereBothAreMuchAlikeTryingCostsLittle) {
  const Sum sum = run(10'000, [](std::size_t) { return Cost{.one = 100e-6, .all = 80e-6, .cpu = 120e-6}; });
  EXPECT_LT(sum.taken, 1.05 * sum.best());
}

// Other programs take the cores: the processor time is what it was, and all workers wait for the slowest.
TEST(WorkerRule, ABusyMachineEndsUpWithOneWorkerAndAQuietOneWithAllAgain) {
  const Cost quiet{.one = 400e-6, .all = 100e-6, .cpu = 450e-6}, busy{.one = 800e-6, .all = 4000e-6, .cpu = 450e-6};
  for (const bool begins_busy : {false, true}) {
    constexpr std::size_t kRegions = 20'000;
    Sum halves[2];
    WorkerRule rule(kAll);
    for (std::size_t k = 0; k < kRegions; ++k) {
      const bool second = k >= kRegions / 2;
      const Cost& c = begins_busy != second ? busy : quiet;
      const std::uint32_t workers = rule.next();
      const Seconds wall = workers == 1 ? c.one : c.all;
      rule.learn(1, wall, c.cpu);
      halves[second].taken += wall;
      halves[second].one += c.one;
      halves[second].all += c.all;
    }
    for (const Sum& half : halves) EXPECT_LT(half.taken, 1.05 * half.best()) << begins_busy;
  }
}

// What counts is the time for a unit of work, not for a region.
TEST(WorkerRule, RegionsOfUnequalWorkAreCompared) {
  WorkerRule rule(kAll);
  Seconds taken = 0, all = 0;
  for (std::size_t k = 0; k < 5'000; ++k) {
    const double work = k % 3 == 0 ? 100 : 1;
    const Seconds one_s = 50e-6 * work, all_s = 10e-6 * work, cpu_s = 60e-6 * work;
    const std::uint32_t workers = rule.next();
    const Seconds wall = workers == 1 ? one_s : all_s;
    rule.learn(work, wall, cpu_s);
    taken += wall;
    all += all_s;
  }
  EXPECT_LT(taken, 1.05 * all);
}

TEST(WorkerChoice, RunsEveryRegionOnceWithOneOrAll) {
  WorkerChoice choice(kAll);
  int regions = 0;
  for (int k = 0; k < 100; ++k)
    choice.run(1, [&](std::uint32_t workers) {
      EXPECT_TRUE(workers == 1 || workers == kAll);
      ++regions;
    });
  EXPECT_EQ(regions, 100);
}

}  // namespace
}  // namespace quantimed

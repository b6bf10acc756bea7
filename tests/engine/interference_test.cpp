// SPDX-License-Identifier: BSD-3-Clause
#include "machine/interference.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "engine/small_run.hpp"
#include "machine/placement.hpp"

namespace quantimed {
namespace {

TEST(Interference, IsParsed) {
  EXPECT_EQ(parse_interference("", 4).count, 0u);
  const InterferenceRequest request = parse_interference("3,0.25,0.5", 4);
  EXPECT_EQ(request.count, 3u);
  EXPECT_EQ(request.share, 0.25);
  EXPECT_EQ(request.period, 0.5);
}

TEST(Interference, BadInputNamesTheOptionTheValueAndTheFix) {
  for (const char* text : {"1",         "1,0.5",     "1,0.5,",   "1,0.5,1,", "1,0.5,1,2", ",0.5,1",     "0,0.5,1",
                           "-1,0.5,1",  "1.5,0.5,1", "1,0,1",    "1,1.01,1", "1,nan,1",   "1,0.5,0",    "1,0.5,1e-9",
                           "1,0.5,inf", "1,0.5,1e9", "1, 0.5,1", "a,b,c",    "5,0.5,1",   "1e300,0.5,1"}) {
    try {
      parse_interference(text, 4);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith(std::string("--interference ") + text + ": "));
    }
  }
}

TEST(Interference, ACompetitorThatIsAlwaysBusyHasCpuTime) {
  const std::vector<int> cores = usable_cores();
  Interference interference({.count = 2, .share = 1, .period = 0.01}, cores, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto [asked, had] = interference.finish();
  EXPECT_GT(asked, 0);
  EXPECT_GT(had, 0);
  EXPECT_EQ(interference.finish().had, had) << "ended for good";
}

// Most of an hour would be slept away: the end does not wait for it.
TEST(Interference, EndsInTheMiddleOfASleep) {
  const std::vector<int> cores = usable_cores();
  const auto start = std::chrono::steady_clock::now();
  { const Interference interference({.count = 3, .share = 1e-9, .period = 3600}, cores, 1); }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::minutes(5));
}

TEST(Interference, ACoreThatCannotBeHadIsAnError) {
  const std::vector<int> cores = {100'000};
  EXPECT_ANY_THROW(Interference({.count = 1, .share = 1, .period = 1}, cores, 1));
}

TEST(Interference, ARunMeetsItAndSaysSo) {
  for (const char* algorithm : {"dsgd", "async-dsgd"}) {
    const SmallRun small(algorithm, 2);
    auto run = small.run();
    run.speed = nullptr;
    run.link = {};
    run.oversubscribe = true;
    run.interference = {.count = 2, .share = 1, .period = 0.01};
    KeepingWatcher watcher = small.watcher();
    const Outcome outcome = run_threads(run, watcher);
    EXPECT_GT(number(outcome.measured, "interference_asked_s", -1), 0);
    EXPECT_GT(number(outcome.measured, "interference_had_s", -1), 0);
    run.interference = {};
    EXPECT_EQ(number(run_threads(run, watcher).measured, "interference_had_s", -1), -1);
  }
}

}  // namespace
}  // namespace quantimed

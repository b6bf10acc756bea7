// SPDX-License-Identifier: BSD-3-Clause
// A link is charged for the messages of one exchange, however many an iteration has; a collective as a ring all-reduce:
// on threads as in virtual time.
#include "engine/small_run.hpp"

#include <gtest/gtest.h>

namespace quantimed {
namespace {

constexpr Round kSentIterations = 2;

// Seconds of an iteration, of which all but a few milliseconds are the link's.
double iteration_s(const char* algorithm, const char* link, bool on_threads, Seconds deadline = 1e-3) {
  const SmallRun small(algorithm, 2, "complete");
  auto run = small.run();
  run.iterations = kSentIterations;
  run.evaluations = 1;
  run.link = parse_link(link);
  run.charge_wire_bits = true;
  run.deadline.fixed_s = deadline;
  run.options.batch = 1;
  run.speed = nullptr;
  run.oversubscribe = true;
  const auto fast = make_speed_model("constant:1000000", 1);
  if (!on_threads) run.speed = fast.get();
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = on_threads ? run_threads(run, watcher) : run_virtual(run, watcher);
  EXPECT_EQ(outcome.failure, "");
  return outcome.end_time / kSentIterations;
}

// The real clock may take longer than the link's time, never less; three exchanges too many would be twice as long.
TEST(LinkBytes, AreThoseOfOneExchangeOnBothClocks) {
  for (const char* algorithm : {"amb", "aug-dgm", "dsgt", "beer"}) {
    const char* const link = "alpha-beta:0.05,1e9";
    const double modelled = iteration_s(algorithm, link, false), real = iteration_s(algorithm, link, true);
    EXPECT_GE(real, 0.95 * modelled) << algorithm;
  }
  // Bytes alone, a second in all: charging an exchange for those before it would make it three.
  const double modelled = iteration_s("amb", "alpha-beta:0,5000", false),
               real = iteration_s("amb", "alpha-beta:0,5000", true);
  EXPECT_GE(real, 0.95 * modelled);
  EXPECT_LT(real, 2 * modelled);  // room for a busy machine
}

// Five exchanges of 0.05 s after a deadline of 0.4 s take 0.65 s. Beside it they take none, or what is longer than the
// deadline; the paper's link, too, is charged beside it.
TEST(LinkBytes, ExchangesBesideTheGradientAreHiddenBehindIt) {
  const char* const link = "alpha-beta:0.05,1e9";
  EXPECT_NEAR(iteration_s("amb", link, false, 0.4), 0.65, 1e-3);
  EXPECT_NEAR(iteration_s("amb-dg", link, false, 0.4), 0.4, 1e-3);
  EXPECT_NEAR(iteration_s("amb-dg", link, false, 0.1), 0.25, 1e-3);
  EXPECT_NEAR(iteration_s("amb-dg", "paper:0.01", false, 0.8), 0.8, 1e-3);
  EXPECT_GE(iteration_s("amb-dg", link, true, 0.4), 0.4);
  EXPECT_GE(iteration_s("amb-dg", link, true, 0.1), 0.25);
}

// Parts of a deadline give as many samples as the whole.
TEST(LinkBytes, ADeadlineInPartsGivesTheSamplesOfTheWhole) {
  for (const double speed : {0.5, 7.0, 9.99, 100.0}) {
    EarlierParts earlier;
    for (int part = 0; part < 5; ++part) {
      const std::size_t samples = samples_within(speed, earlier, 0.2);
      earlier.deadline += 0.2;
      earlier.samples += samples;
    }
    EXPECT_EQ(earlier.samples, samples_within(speed, 1)) << speed;
  }
}

TEST(LinkBytes, ACollectiveIsARing) {
  for (const char* algorithm : {"allreduce-sgd", "local-sgd"}) {
    const double modelled = iteration_s(algorithm, "alpha-beta:0.1,1e9", false);
    EXPECT_NEAR(modelled, 0.2, 0.02) << algorithm;  // 2 (n − 1) steps
    EXPECT_GE(iteration_s(algorithm, "alpha-beta:0.1,1e9", true), 0.2) << algorithm;
  }
}

}  // namespace
}  // namespace quantimed

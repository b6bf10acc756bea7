// SPDX-License-Identifier: BSD-3-Clause
// The statistics on made-up times; the measurement only for what does not depend on speed.
#include "machine/jitter.hpp"
#include "base/error.hpp"
#include "machine/placement.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace quantimed {
namespace {

using Counts = std::array<std::uint64_t, 4>;

TEST(Detours, OfAQuietCoreAreNone) {
  const Detours detours = summarise_detours({}, 2);
  EXPECT_EQ(detours.per_s, 0);
  EXPECT_EQ(detours.longest_us, 0);
  EXPECT_EQ(detours.lost_share, 0);
  EXPECT_EQ(detours.decades, (Counts{0, 0, 0, 0}));
}

// 1, 2, …, 200 µs in a mixed order, in 4 s.
TEST(Detours, AreCountedRankedAndAddedUp) {
  std::vector<float> gaps;
  for (int k = 0; k < 200; ++k) gaps.push_back(static_cast<float>(k * 77 % 200 + 1));
  const Detours detours = summarise_detours(gaps, 4);
  EXPECT_DOUBLE_EQ(detours.per_s, 50);
  EXPECT_EQ(detours.median_us, 100);
  EXPECT_EQ(detours.p99_us, 198);
  EXPECT_EQ(detours.longest_us, 200);
  EXPECT_NEAR(detours.lost_share, 20100e-6 / 4, 1e-12);
  EXPECT_EQ(detours.decades, (Counts{9, 90, 101, 0}));
}

TEST(Detours, OnTheEdgeOfADecadeBelongToTheUpperOne) {
  const std::vector<float> gaps = {1.5f, 9.99f, 10, 99.9f, 100, 999.9f, 1000, 1e6f};
  EXPECT_EQ(summarise_detours(gaps, 1).decades, (Counts{2, 2, 2, 2}));
  const Detours one = summarise_detours(std::vector<float>{7}, 1);
  EXPECT_EQ(one.median_us, 7);
  EXPECT_EQ(one.p99_us, 7);
  EXPECT_THROW(summarise_detours(gaps, 0), InternalError);
}

TEST(Quanta, AreRankedAgainstTheirMedian) {
  std::vector<float> times(100, 1.0f);
  times[17] = 4;
  times[60] = 3;
  const Quanta quanta = summarise_quanta(times);
  EXPECT_EQ(quanta.median_ms, 1);
  EXPECT_EQ(quanta.p99_ms, 3);
  EXPECT_EQ(quanta.worst_over_median, 4);
  EXPECT_THROW(summarise_quanta({}), InternalError);
}

TEST(Jitter, IsMeasuredOnEveryCoreAskedFor) {
  const std::vector<int> units = usable_cores();
  std::vector<double> told;
  const std::vector<CoreJitter> cores = measure_jitter(units, [&](double done) { told.push_back(done); });
  ASSERT_EQ(cores.size(), units.size());
  for (std::size_t k = 0; k < cores.size(); ++k) {
    const Detours& d = cores[k].detours;
    EXPECT_EQ(cores[k].unit, units[k]);
    EXPECT_GE(d.lost_share, 0);
    EXPECT_LE(d.lost_share, 1 + 1e-6);
    EXPECT_LE(d.median_us, d.p99_us);
    EXPECT_LE(d.p99_us, d.longest_us);
    EXPECT_EQ(std::accumulate(d.decades.begin(), d.decades.end(), std::uint64_t{0}) > 0, d.longest_us > kDetour_us);
    EXPECT_GT(cores[k].quanta.median_ms, 0);
    EXPECT_GE(cores[k].quanta.p99_ms, cores[k].quanta.median_ms);
    EXPECT_GE(cores[k].quanta.worst_over_median, 1);
  }
  ASSERT_FALSE(told.empty());
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_LE(told.back(), 1);
}

TEST(Jitter, OfAUnitThatIsNotThereIsRefused) {
  EXPECT_THROW(measure_jitter(std::vector<int>{500'000}, {}), InputError);
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// The same bits, and where two runs part.
#pragma once

#include "engine/small_run.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

namespace quantimed {

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// Where two runs part, in words; empty where they are the same to the bit.
inline std::string first_difference(const std::vector<KeepingWatcher::Kept>& a,
                                    const std::vector<KeepingWatcher::Kept>& b) {
  if (a.size() != b.size()) return fmt::format("{} against {} cuts", a.size(), b.size());
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k].iteration != b[k].iteration || a[k].time != b[k].time)
      return fmt::format("cut {}: iteration {} at {} s against {} at {} s", k, a[k].iteration, a[k].time,
                         b[k].iteration, b[k].time);
    for (std::size_t i = 0; i < a[k].models.size(); ++i)
      for (std::size_t c = 0; c < a[k].models[i].size(); ++c)
        if (std::memcmp(&a[k].models[i][c], &b[k].models[i][c], sizeof(float)) != 0)
          return fmt::format("cut {}, node {}, coordinate {}: {} against {}", k, i, c, a[k].models[i][c],
                             b[k].models[i][c]);
  }
  return "";
}

inline void expect_same_rounds(const Rounds& a, const Rounds& b) {
  EXPECT_EQ(a.iterations, b.iterations);
  EXPECT_TRUE(same_bits(a.start_time, b.start_time));
  EXPECT_TRUE(same_bits(a.bytes_sent, b.bytes_sent));
  for (const auto column :
       {&Rounds::batch, &Rounds::compute_time, &Rounds::wait_time, &Rounds::exchange_time, &Rounds::staleness})
    EXPECT_TRUE(same_bits(a.*column, b.*column));
}

// Both links, both ways to wait: whatever worker runs a node.
inline void expect_same_with_one_and_two_workers(const SmallRun& small) {
  for (const char* link : {"paper:3", "alpha-beta:0.5,2000"})
    for (const Sync sync : {Sync::barrier, Sync::neighbourhood}) {
      auto run = small.run();
      run.link = parse_link(link);
      run.sync = sync;
      KeepingWatcher one = small.watcher(), two = small.watcher();
      run.threads = 1;
      const Outcome first = run_virtual(run, one);
      run.threads = 2;
      const Outcome second = run_virtual(run, two);
      ASSERT_EQ(one.cuts.size(), 11u);
      EXPECT_EQ(first_difference(one.cuts, two.cuts), "") << link;
      EXPECT_EQ(one.cuts, two.cuts);
      EXPECT_EQ(first.end_time, second.end_time);
      expect_same_rounds(first.rounds.all(), second.rounds.all());
    }
}

}  // namespace quantimed

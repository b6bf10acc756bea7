// SPDX-License-Identifier: BSD-3-Clause
#include "record/snapshots.hpp"
#include "engine/virtual/ready_queue.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace quantimed {
namespace {

std::vector<float> model_of(Round t) { return {static_cast<float>(t), -static_cast<float>(t)}; }

TEST(Snapshots, KeepEvenlySpreadRoundsHoweverLongTheRun) {
  Snapshots copies(5, 2, 1);
  for (Round t = 0; t < 1000; ++t)
    if (t % copies.stride() == 0) copies.take(t, t, model_of(t));
  EXPECT_EQ(copies.stride(), 256u);  // 6 marks reach to 1,535; with 128 they would end at 767
  EXPECT_EQ(copies.last_mark(), 3u);
  for (std::uint64_t mark = 0; mark <= copies.last_mark(); ++mark) {
    ASSERT_NE(copies.at(mark), nullptr);
    EXPECT_EQ(copies.at(mark)->iteration, mark * copies.stride());
    EXPECT_EQ(copies.model(*copies.at(mark))[0], static_cast<float>(mark * copies.stride()));
  }
}

TEST(Snapshots, ThatAreNotKeptWantNothing) {
  const Snapshots none;
  EXPECT_FALSE(none.wants_round(0));
  EXPECT_EQ(none.next(), ~std::uint64_t{0});
  EXPECT_EQ(none.at(0), nullptr);
  Snapshots some(5, 2, 4);
  EXPECT_TRUE(some.wants_round(0));
  EXPECT_FALSE(some.wants_round(3));
  for (Round t = 0; t < 48; t += 4) some.take(t, t, model_of(t));
  EXPECT_EQ(some.taken(), 9u);  // 0, 4, …, 24, then with a stride of 8: 32 and 40
}

TEST(Snapshots, OnATimeGridHoldTheModelThatWasCurrentAtEachMark) {
  // Updates at times 3, 10, 11, 30, …: the model before update u holds up to its time.
  Snapshots copies(5, 2, 1);
  const std::uint64_t times[] = {3, 10, 11, 30, 31, 50, 70, 71, 90};
  for (Round u = 0; u < 9; ++u)
    if (times[u] >= copies.next()) copies.take(times[u], u, model_of(u));
  copies.coarsen_to(16);
  ASSERT_EQ(copies.stride(), 16u);
  const Round expected[] = {0, 3, 5, 5, 6, 8};  // at 0, 16, 32, 48, 64, 80
  for (std::uint64_t mark = 0; mark < 6; ++mark) {
    ASSERT_NE(copies.at(mark), nullptr) << mark;
    EXPECT_EQ(copies.at(mark)->iteration, expected[mark]) << mark;
  }
  EXPECT_EQ(copies.at(6), nullptr);
}

TEST(ReadyQueue, HandsOutEveryNodeOnceAndEndsWhenAllHaveRetired) {
  ReadyQueue queue(2);
  std::vector<NodeId> nodes(1000);
  for (NodeId i = 0; i < nodes.size(); ++i) nodes[i] = i;
  queue.open(nodes.size());
  queue.push(0, nodes);
  std::vector<std::multiset<NodeId>> seen(2);
  {
    std::vector<std::jthread> workers;
    for (std::size_t w = 0; w < 2; ++w)
      workers.emplace_back([&, w] {
        std::vector<NodeId> some;
        while (queue.pop(w, 2, 7, some)) {
          EXPECT_LE(some.size(), 7u);
          for (const NodeId node : some) {
            seen[w].insert(node);
            queue.retire();
          }
        }
      });
  }
  seen[0].merge(seen[1]);
  EXPECT_EQ(seen[0].size(), nodes.size());
  EXPECT_EQ(std::set<NodeId>(seen[0].begin(), seen[0].end()).size(), nodes.size());
}

}  // namespace
}  // namespace quantimed

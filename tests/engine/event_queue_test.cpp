// SPDX-License-Identifier: BSD-3-Clause
#include "engine/virtual/event_queue.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

namespace quantimed {
namespace {

// As an engine uses it: each node waits for one event, and its next one may come before those that are known in
// advance.
TEST(EventQueue, GivesEventsInTheOrderOfTimeAndNode) {
  for (const NodeId nodes : {1u, 3u, 16u, 17u, 500u}) {
    EventQueue queue;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> plain;
    Stream stream({.seed = nodes});
    const auto push = [&](const Event& event) {
      queue.push(event);
      plain.push(event);
    };
    for (NodeId i = 0; i < nodes; ++i) push({static_cast<Seconds>(stream.index(4)), i});
    for (int k = 0; k < 5000; ++k) {
      const Event event = queue.top();
      ASSERT_EQ(event.time, plain.top().time);
      ASSERT_EQ(event.node, plain.top().node);
      for (std::size_t j = 1; queue.ahead(j); ++j) ASSERT_TRUE(*queue.ahead(j) > *queue.ahead(j - 1));
      queue.pop();
      plain.pop();
      // Ties, events at once and such as come long after all others.
      push({event.time + stream.index(3) * (stream.index(10) == 0 ? 100 : 0.25), event.node});
    }
    for (; !plain.empty(); queue.pop(), plain.pop()) ASSERT_EQ(queue.top().node, plain.top().node);
    EXPECT_TRUE(queue.empty());
  }
}

}  // namespace
}  // namespace quantimed

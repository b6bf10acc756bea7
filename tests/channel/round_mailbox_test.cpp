// SPDX-License-Identifier: BSD-3-Clause
#include "channel/round_mailbox.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <thread>
#include <vector>

#include "channel/pattern.hpp"
#include "channel/wait.hpp"

namespace quantimed {
namespace {

using testing::Jitter;

void put(RoundMailbox& box, Round t, std::byte value, std::size_t bytes = 3) {
  for (std::byte& b : box.begin_write(t).first(bytes)) b = value;
  box.publish(t, bytes, {.published_at = 1.0 + t, .visible_at = 2.0 + t});
}

TEST(RoundMailbox, HoldsTheLastTwoRounds) {
  RoundMailbox box(100);
  box.first_touch();
  EXPECT_EQ(box.capacity(), 100u);
  EXPECT_FALSE(box.has(0));
  EXPECT_FALSE(box.has(1));
  put(box, 0, std::byte{7});
  EXPECT_TRUE(box.has(0));
  EXPECT_FALSE(box.has(1));
  EXPECT_FALSE(box.has(2));
  put(box, 1, std::byte{8}, 5);
  EXPECT_TRUE(box.has(0));
  EXPECT_EQ(box.read(0).payload[2], std::byte{7});
  put(box, 2, std::byte{9});
  EXPECT_FALSE(box.has(0));
  EXPECT_TRUE(box.has(1) && box.has(2));
  const Message message = box.read(1);
  EXPECT_EQ(message.header.round, 1u);
  EXPECT_EQ(message.header.version, 2u);
  EXPECT_EQ(message.header.bytes, 5u);
  EXPECT_EQ(message.header.published_at, 2.0);
  EXPECT_EQ(message.header.visible_at, 3.0);
  EXPECT_EQ(message.payload.size(), 5u);
  EXPECT_EQ(message.payload[4], std::byte{8});
}

TEST(RoundMailbox, PayloadsStartOnTheirOwnCacheLines) {
  RoundMailbox box(65);
  const auto address = [&](Round t) { return reinterpret_cast<std::uintptr_t>(box.begin_write(t).data()); };
  EXPECT_EQ(address(0) % kCacheLine, 0u);
  EXPECT_EQ(address(1) % kCacheLine, 0u);
  EXPECT_GE(std::max(address(0), address(1)) - std::min(address(0), address(1)), kSeparation);
}

TEST(RoundMailbox, MayBeginAtALaterRoundButSkipsNone) {
  RoundMailbox box(8);
  put(box, 41, std::byte{1});
  EXPECT_TRUE(box.has(41));
  put(box, 42, std::byte{2});
  EXPECT_THROW(put(box, 44, std::byte{3}), InternalError);
  EXPECT_THROW(put(box, 42, std::byte{3}), InternalError);
}

TEST(RoundMailbox, MisuseIsAnError) {
  RoundMailbox box(8);
  EXPECT_THROW(box.read(0), InternalError);
  box.begin_write(0);
  EXPECT_THROW(box.publish(0, 9, {}), InternalError);
  RoundMailbox empty(0);
  empty.first_touch();
  empty.publish(0, 0, {});
  EXPECT_TRUE(empty.read(0).payload.empty());
}

// Threads run the algorithm's loop; every message is checked in place, again and again until the update has ended.
void exchange_messages(const std::vector<std::vector<std::size_t>>& neighbours, Round rounds) {
  constexpr std::size_t kMessageBytes = 512;
  std::deque<RoundMailbox> boxes;
  for (std::size_t i = 0; i < neighbours.size(); ++i) boxes.emplace_back(kMessageBytes);
  const std::atomic<bool> never{false};
  std::atomic<std::uint64_t> torn{0}, read{0};
  const auto node = [&](std::size_t me) {
    Jitter jitter(me + 1);
    for (Round t = 0; t < rounds; ++t) {
      boxes[me].publish(t, testing::fill_pattern(boxes[me].begin_write(t), t * 64 + me, jitter), {});
      jitter.delay();  // the gradient
      for (const std::size_t j : neighbours[me])
        wait_until([&] { return boxes[j].has(t); }, never, WaitPolicy::oversubscribed());
      for (int again = 0; again < 2; ++again)
        for (const std::size_t j : neighbours[me]) {
          const Message z = boxes[j].read(t);
          const bool good = z.header.round == t && testing::whole(z.payload, t * 64 + j, kMessageBytes, jitter);
          torn.fetch_add(good ? 0 : 1, std::memory_order_relaxed);
          read.fetch_add(1, std::memory_order_relaxed);
        }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < neighbours.size(); ++i) threads.emplace_back(node, i);
  }
  EXPECT_EQ(torn.load(), 0u);
  EXPECT_EQ(read.load(), 2 * rounds * neighbours.size() * neighbours[0].size());
}

TEST(RoundMailboxStress, RingOfFour) { exchange_messages({{1, 3}, {0, 2}, {1, 3}, {0, 2}}, 2000); }
TEST(RoundMailboxStress, CompleteGraphOfFour) { exchange_messages({{1, 2, 3}, {0, 2, 3}, {0, 1, 3}, {0, 1, 2}}, 2000); }
TEST(RoundMailboxStress, PairFasterThanTheScheduler) { exchange_messages({{1}, {0}}, 3000); }

TEST(RoundMailboxStress, RingOfTwelveThreads) {
  std::vector<std::vector<std::size_t>> ring;
  for (std::size_t i = 0; i < 12; ++i) ring.push_back({(i + 1) % 12, (i + 11) % 12});
  exchange_messages(ring, 200);
}

}  // namespace
}  // namespace quantimed

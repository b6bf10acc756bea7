// SPDX-License-Identifier: BSD-3-Clause
#include "channel/newest_mailbox.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace quantimed {
namespace {

bool put(NewestMailbox& box, Round round, Seconds published_at = 0, Seconds visible_at = 0) {
  for (std::byte& b : box.begin_write()) b = static_cast<std::byte>(round);
  return box.publish(round, box.capacity(), {.published_at = published_at, .visible_at = visible_at});
}

Round seen(NewestMailbox& box, std::uint32_t reader, Seconds now = kForever) {
  const auto message = box.acquire(reader, now);
  if (!message) return ~Round{0};
  for (const std::byte b : message->payload) EXPECT_EQ(b, static_cast<std::byte>(message->header.round));
  return message->header.round;
}

constexpr Round kNothing = ~Round{0};

TEST(NewestMailbox, NothingBeforeTheFirstMessage) {
  NewestMailbox box(16, 1);
  box.first_touch();
  EXPECT_EQ(box.capacity(), 16u);
  EXPECT_EQ(box.newest(), 0u);
  EXPECT_FALSE(box.acquire(0).has_value());
  box.release(0);
}

TEST(NewestMailbox, TheNewestIsReadAndVersionsTellWhatWasMissed) {
  NewestMailbox box(16, 1);
  EXPECT_TRUE(put(box, 10, 1.5, 1.5));
  const auto first = box.acquire(0);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->header.version, 1u);
  EXPECT_EQ(first->header.round, 10u);
  EXPECT_EQ(first->header.bytes, 16u);
  EXPECT_EQ(first->header.published_at, 1.5);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first->payload.data()) % kCacheLine, 0u);
  for (Round t = 11; t < 15; ++t) put(box, t, 2, 2);
  EXPECT_EQ(box.newest(), 5u);
  EXPECT_EQ(first->payload[0], std::byte{10}) << "a pinned message is left alone";
  EXPECT_EQ(first->header.version + 4, box.acquire(0)->header.version);
  EXPECT_EQ(seen(box, 0), 14u);
}

TEST(NewestMailbox, EveryReaderMayPinAnotherMessage) {
  constexpr std::uint32_t kReaders = 5;
  NewestMailbox box(8, kReaders);
  std::vector<Message> held;
  for (std::uint32_t r = 0; r < kReaders; ++r) {
    put(box, r);
    held.push_back(*box.acquire(r));
  }
  std::set<const std::byte*> places;
  for (Round t = 100; t < 200; ++t) {
    places.insert(box.begin_write().data());
    put(box, t);
  }
  EXPECT_LE(places.size(), 2u) << "R + 2 buffers, R of them pinned";
  for (std::uint32_t r = 0; r < kReaders; ++r) EXPECT_EQ(held[r].payload[7], static_cast<std::byte>(r));
  box.release(0);
  EXPECT_EQ(seen(box, 0), 199u);
}

TEST(NewestMailbox, MisuseIsAnError) {
  NewestMailbox box(8, 1);
  EXPECT_THROW(box.publish(0, 8, {}), InternalError);
  box.begin_write();
  EXPECT_THROW(box.publish(0, 9, {}), InternalError);
  EXPECT_THROW(box.publish(0, 8, {.published_at = 0, .visible_at = 1}), InternalError) << "in_flight is 0";
}

TEST(NewestMailboxInFlight, MessagesBecomeVisibleInTheirTime) {
  NewestMailbox box(8, 2, 3);
  EXPECT_TRUE(put(box, 0, 0.0, 1.0));
  EXPECT_EQ(seen(box, 0, 0.5), kNothing) << "the first is under way";
  EXPECT_TRUE(put(box, 1, 0.5, 1.5));
  EXPECT_TRUE(put(box, 2, 0.9, 1.9));
  EXPECT_EQ(seen(box, 0, 0.95), kNothing);
  EXPECT_EQ(seen(box, 0, 1.0), 0u);
  EXPECT_EQ(seen(box, 1, 1.6), 1u);
  EXPECT_EQ(seen(box, 0, 1.6), 1u);
  EXPECT_EQ(seen(box, 0, 7.0), 2u);
  EXPECT_EQ(box.dropped(), 0u);
}

TEST(NewestMailboxInFlight, AFullLinkDropsAndRecovers) {
  NewestMailbox box(8, 1, 2);
  EXPECT_TRUE(put(box, 0, 0, 10));
  EXPECT_TRUE(put(box, 1, 1, 11));
  EXPECT_FALSE(put(box, 2, 2, 12));
  EXPECT_EQ(box.dropped(), 1u);
  EXPECT_EQ(seen(box, 0, 9), kNothing);
  EXPECT_EQ(seen(box, 0, 10), 0u);
  EXPECT_TRUE(put(box, 3, 10, 20)) << "round 0 has landed";
  EXPECT_EQ(seen(box, 0, 15), 1u);
  EXPECT_EQ(seen(box, 0, 20), 3u);
}

TEST(NewestMailboxInFlight, AShortMessageDoesNotOvertake) {
  NewestMailbox box(8, 1, 2);
  put(box, 0, 0, 10);
  put(box, 1, 1, 2);
  EXPECT_EQ(seen(box, 0, 9.9), kNothing);
  const auto message = box.acquire(0, 10);
  EXPECT_EQ(message->header.round, 1u);
  EXPECT_EQ(message->header.visible_at, 10);
}

TEST(NewestMailboxInFlight, AReaderWithAnOldClockGetsTheOldestThatIsLeft) {
  NewestMailbox box(8, 1, 1);
  put(box, 0, 0, 1);
  put(box, 1, 1, 2);
  put(box, 2, 2, 3);  // retires round 0, whose successor has landed
  EXPECT_EQ(seen(box, 0, 1.5), 1u);
}

}  // namespace
}  // namespace quantimed

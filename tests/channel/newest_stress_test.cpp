// SPDX-License-Identifier: BSD-3-Clause
// Torn messages, order and progress of NewestMailbox under load, and proof that the detector can fail.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "channel/newest_mailbox.hpp"
#include "channel/pattern.hpp"

namespace quantimed {
namespace {

using testing::Jitter;
using Clock = std::chrono::steady_clock;
Seconds now() { return std::chrono::duration<Seconds>(Clock::now().time_since_epoch()).count(); }

constexpr std::size_t kCapacity = 1024;

struct Totals {
  std::atomic<std::uint64_t> torn{0}, disorder{0}, early{0}, missing{0}, acquired{0};
};

// What one reader saw must be whole, in order, not too early; and the last message arrives.
void read_to_the_end(NewestMailbox& box, std::uint32_t me, Version last, bool hold, Totals& totals) {
  Jitter jitter(me + 100);
  Version before = 0;
  const auto add = [](std::atomic<std::uint64_t>& total, bool bad) { total.fetch_add(bad, std::memory_order_relaxed); };
  const Seconds give_up = now() + 60;
  while (before < last) {
    const Version published = box.newest();
    const Seconds at = now();
    if (at > give_up) break;
    const auto message = box.acquire(me, at);
    if (!message) {
      std::this_thread::yield();
      continue;
    }
    const MessageHeader& header = message->header;
    add(totals.acquired, true);
    add(totals.disorder, header.version < before || (header.visible_at == 0 && header.version < published));
    add(totals.early, header.visible_at > now());
    add(totals.torn,
        header.round != header.version || !testing::whole(message->payload, header.version, kCapacity, jitter));
    if (header.version == before) std::this_thread::yield();
    before = header.version;
    if (!hold) box.release(me);
    jitter.delay();
  }
  box.release(me);
  add(totals.missing, before < last);
}

void stress(std::uint32_t readers, Version messages, std::uint32_t in_flight = 0, Seconds latency = 0) {
  NewestMailbox box(kCapacity, readers, in_flight);
  Totals totals;
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t r = 0; r < readers; ++r)
      threads.emplace_back([&, r] { read_to_the_end(box, r, messages, r % 2 == 0, totals); });
    Jitter jitter(1);
    for (Version v = 1; v <= messages;) {
      const std::size_t bytes = testing::fill_pattern(box.begin_write(), v, jitter);
      const Seconds at = latency > 0 ? now() : 0;
      if (box.publish(v, bytes, {.published_at = at, .visible_at = latency > 0 ? at + latency : 0}))
        ++v;
      else
        std::this_thread::yield();  // the link is full; this test sends the message again
      jitter.delay();
    }
  }
  EXPECT_EQ(totals.torn.load(), 0u);
  EXPECT_EQ(totals.disorder.load(), 0u);
  EXPECT_EQ(totals.early.load(), 0u);
  EXPECT_EQ(totals.missing.load(), 0u) << "a reader never saw the last message";
  EXPECT_GT(totals.acquired.load(), 0u);
}

TEST(NewestMailboxStress, OneReader) { stress(1, 40'000); }
TEST(NewestMailboxStress, TwoReaders) { stress(2, 40'000); }
TEST(NewestMailboxStress, FourReaders) { stress(4, 20'000); }
TEST(NewestMailboxStress, MoreThreadsThanCores) { stress(12, 10'000); }
TEST(NewestMailboxStress, DelayedLink) { stress(3, 20'000, 6, 20e-6); }

// ---- the detector itself ------------------------------------------------------------------------------

TEST(TornMessageDetector, SeesOneForeignWord) {
  alignas(kCacheLine) std::array<std::byte, 256> buffer{};
  Jitter jitter(1);
  const std::size_t bytes = testing::fill_pattern(std::span(buffer), 5, jitter);
  const auto payload = std::span<const std::byte>(buffer).first(bytes);
  EXPECT_TRUE(testing::whole(payload, 5, buffer.size(), jitter));
  EXPECT_FALSE(testing::whole(payload, 6, buffer.size(), jitter));
  testing::Plain::store(buffer.data() + bytes - 8, testing::pattern_word(6, bytes / 8 - 1));
  EXPECT_FALSE(testing::whole(payload, 5, buffer.size(), jitter));
}

// NewestMailbox without its claims: two buffers in turn, and the hope that a reader is quick enough.
class Unclaimed {
 public:
  std::span<std::byte> begin_write() { return buffers_[(newest_.load(std::memory_order_relaxed) + 1) % 2]; }
  void publish() { newest_.store(newest_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  Version newest() const { return newest_.load(std::memory_order_acquire); }
  std::span<const std::byte> read(Version v) const {
    return buffers_[v % 2].first(testing::pattern_bytes(v, kCapacity));
  }

 private:
  PayloadBuffers buffers_{2, kCapacity};
  std::atomic<Version> newest_{0};
};

TEST(TornMessageDetector, CatchesAMailboxWithoutClaims) {
  Unclaimed box;
  std::atomic<bool> caught{false};
  std::jthread reader([&] {
    Jitter jitter(2);
    const Seconds give_up = now() + 30;
    while (!caught.load(std::memory_order_relaxed) && now() < give_up) {
      const Version v = box.newest();
      if (v > 0 && !testing::whole<testing::Relaxed>(box.read(v), v, kCapacity, jitter)) caught.store(true);
    }
    EXPECT_TRUE(caught.load()) << "the detector is blind";
    caught.store(true);
  });
  Jitter jitter(3);
  for (Version v = 1; !caught.load(std::memory_order_relaxed); ++v) {
    testing::fill_pattern<testing::Relaxed>(box.begin_write(), v, jitter);
    box.publish();
  }
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// What carries a message from one thread to others: our mailboxes, a bare flag, and what one would use instead.
//
// The same work for all. The sender copies the message from a source; a reader sums all bytes, in place. Two buffers
// a carrier (the newest mailbox has its own), so that sender and readers can work at the same time. Messages are
// numbered t = 0, 1, …, and every reader reads every one.
#pragma once

#include "channel/newest_mailbox.hpp"
#include "channel/round_mailbox.hpp"
#include "channel/wait.hpp"

#include <boost/lockfree/spsc_queue.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace quantimed::bench {

struct Setup {
  std::size_t bytes;
  std::uint32_t readers;
  bool acknowledged;    // readers tell when they are done; in a ping-pong the answer does that
  bool oversubscribed;  // threads share cores: who waits gives its core away
};

using Source = std::span<const std::byte>;

struct Received {
  Round t;
  std::uint64_t sum;
};

inline std::uint64_t sum(Source bytes) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i + sizeof total <= bytes.size(); i += sizeof total) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    total += word;
  }
  return total;
}

template <class Ready>
void poll_until(Ready ready, bool oversubscribed) {
  while (!ready()) oversubscribed ? std::this_thread::yield() : cpu_pause();
}

// As nodes of a run wait.
template <class Ready>
void wait_as_nodes_do(Ready ready, bool oversubscribed) {
  static const std::atomic<bool> never{false};
  wait_until(ready, never, oversubscribed ? WaitPolicy::oversubscribed() : WaitPolicy::dedicated());
}

// The limit: an atomic, two buffers (one is slower at 80 kB) and nothing else.
class BareFlag {
 public:
  explicit BareFlag(const Setup& setup) : setup_(setup), buffers_(2, setup.bytes), done_(setup.readers) {
    buffers_.first_touch();
  }
  void send(Round t, Source source) {
    if (setup_.acknowledged)
      for (const Flag& done : done_)
        poll_until([&] { return done.value.load(std::memory_order_acquire) + 1 >= t; }, setup_.oversubscribed);
    std::memcpy(buffers_[t % 2].data(), source.data(), source.size());
    sent_.value.store(t + 1, std::memory_order_release);  // pairs with the acquire in receive()
  }
  Received receive(std::uint32_t reader, Round t) {
    poll_until([&] { return sent_.value.load(std::memory_order_acquire) > t; }, setup_.oversubscribed);
    const std::uint64_t total = sum(buffers_[t % 2]);
    if (setup_.acknowledged) done_[reader].value.store(t + 1, std::memory_order_release);  // pairs with send()
    return {t, total};
  }

 private:
  struct alignas(kSeparation) Flag {
    std::atomic<std::uint32_t> value{0};
  };
  Setup setup_;
  PayloadBuffers buffers_;
  Flag sent_;               // written by the sender
  std::vector<Flag> done_;  // written by the readers, each its own
};

// As on a star: the readers' own messages, here empty, are the acknowledgements.
class RoundCarrier {
 public:
  explicit RoundCarrier(const Setup& setup) : setup_(setup), box_(setup.bytes) {
    box_.first_touch();
    for (std::uint32_t r = 0; r < setup.readers; ++r) answers_.emplace_back(0).publish(0, 0, {});
  }
  void send(Round t, Source source) {
    if (setup_.acknowledged && t > 0)
      for (const RoundMailbox& answer : answers_)
        wait_as_nodes_do([&] { return answer.has(t - 1); }, setup_.oversubscribed);
    std::memcpy(box_.begin_write(t).data(), source.data(), source.size());
    box_.publish(t, source.size(), {});
  }
  Received receive(std::uint32_t reader, Round t) {
    wait_as_nodes_do([&] { return box_.has(t); }, setup_.oversubscribed);
    const std::uint64_t total = sum(box_.read(t).payload);
    if (setup_.acknowledged) answers_[reader].publish(t + 1, 0, {});
    return {t, total};
  }

 private:
  Setup setup_;
  RoundMailbox box_;
  std::deque<RoundMailbox> answers_;  // [readers]
};

// A message that a reader has acquired is left alone, so the reader acknowledges before it reads; and the sender waits
// after it has written, since what it publishes would take the place of what somebody has not acquired.
class NewestCarrier {
 public:
  explicit NewestCarrier(const Setup& setup) : setup_(setup), box_(setup.bytes, setup.readers) {
    box_.first_touch();
    for (std::uint32_t r = 0; r < setup.readers; ++r) answers_.emplace_back(0, 1);
  }
  void send(Round t, Source source) {
    std::memcpy(box_.begin_write().data(), source.data(), source.size());
    if (setup_.acknowledged)
      for (const NewestMailbox& answer : answers_)
        wait_as_nodes_do([&] { return answer.newest() >= t; }, setup_.oversubscribed);
    box_.publish(t, source.size(), {});
  }
  Received receive(std::uint32_t reader, Round t) {
    wait_as_nodes_do([&] { return box_.newest() > t; }, setup_.oversubscribed);
    const Message message = *box_.acquire(reader);
    if (setup_.acknowledged) {
      answers_[reader].begin_write();
      answers_[reader].publish(t, 0, {});
    }
    return {message.header.round, sum(message.payload)};
  }

 private:
  Setup setup_;
  NewestMailbox box_;
  std::deque<NewestMailbox> answers_;  // [readers]
};

// Boost's queue, as one uses it: a small message travels in the queue itself; of a large one the buffer's number does,
// and a reader takes it off the queue when it is done. Several readers: a queue each. The queue of two is full while
// both buffers are being read.
class SpscQueue {
 public:
  explicit SpscQueue(const Setup& setup)
      : setup_(setup), buffers_(2, setup.bytes), small_(setup.readers), large_(setup.readers) {
    buffers_.first_touch();
  }
  void send(Round t, Source source) {
    if (source.size() == sizeof(Small)) {
      Small message;
      std::memcpy(&message, source.data(), sizeof message);
      for (Queue<Small>& queue : small_) poll_until([&] { return queue.items.push(message); }, setup_.oversubscribed);
    } else {
      for (Queue<Round>& queue : large_)
        poll_until([&] { return queue.items.write_available() > 0; }, setup_.oversubscribed);
      std::memcpy(buffers_[t % 2].data(), source.data(), source.size());
      for (Queue<Round>& queue : large_) queue.items.push(t % 2);
    }
  }
  Received receive(std::uint32_t reader, Round t) {
    std::uint64_t total = 0;
    const auto take = [&](auto& queue, auto payload) {
      poll_until([&] { return queue.items.consume_one([&](const auto& item) { total = sum(payload(item)); }); },
                 setup_.oversubscribed);
    };
    if (setup_.bytes == sizeof(Small))
      take(small_[reader], [](const Small& message) { return Source(message.bytes); });
    else
      take(large_[reader], [&](Round buffer) { return Source(buffers_[buffer]); });
    return {t, total};
  }

 private:
  struct Small {
    std::array<std::byte, kCacheLine> bytes;
  };
  template <class T>
  struct alignas(kSeparation) Queue {
    boost::lockfree::spsc_queue<T, boost::lockfree::capacity<2>> items;
  };
  Setup setup_;
  PayloadBuffers buffers_;
  std::deque<Queue<Small>> small_;  // [readers]
  std::deque<Queue<Round>> large_;  // [readers]
};

class MutexAndCondition {
 public:
  explicit MutexAndCondition(const Setup& setup) : setup_(setup), buffers_(2, setup.bytes), done_(setup.readers) {
    buffers_.first_touch();
  }
  void send(Round t, Source source) {
    if (setup_.acknowledged) {
      std::unique_lock lock(mutex_);
      read_.wait(lock, [&] { return std::ranges::all_of(done_, [&](Round done) { return done + 1 >= t; }); });
    }
    std::memcpy(buffers_[t % 2].data(), source.data(), source.size());
    {
      const std::lock_guard lock(mutex_);
      sent_ = t + 1;
    }
    written_.notify_all();
  }
  Received receive(std::uint32_t reader, Round t) {
    {
      std::unique_lock lock(mutex_);
      written_.wait(lock, [&] { return sent_ > t; });
    }
    const std::uint64_t total = sum(buffers_[t % 2]);
    if (setup_.acknowledged) {
      const std::lock_guard lock(mutex_);
      done_[reader] = t + 1;
      read_.notify_one();
    }
    return {t, total};
  }

 private:
  Setup setup_;
  PayloadBuffers buffers_;
  std::mutex mutex_;
  std::condition_variable written_, read_;
  Round sent_ = 0;           // guarded by mutex_
  std::vector<Round> done_;  // [readers], guarded by mutex_
};

// One barrier a message; while the readers read t, the sender writes t+1.
class StdBarrier {
 public:
  explicit StdBarrier(const Setup& setup) : buffers_(2, setup.bytes), barrier_(setup.readers + 1) {
    buffers_.first_touch();
  }
  void send(Round t, Source source) {
    std::memcpy(buffers_[t % 2].data(), source.data(), source.size());
    barrier_.arrive_and_wait();
  }
  Received receive(std::uint32_t, Round t) {
    barrier_.arrive_and_wait();
    return {t, sum(buffers_[t % 2])};
  }

 private:
  PayloadBuffers buffers_;
  std::barrier<> barrier_;
};

// The same between the threads of a parallel region.
class OpenMpBarrier {
 public:
  static constexpr bool kParallelRegion = true;
  explicit OpenMpBarrier(const Setup& setup) : buffers_(2, setup.bytes) { buffers_.first_touch(); }
  void send(Round t, Source source) {
    std::memcpy(buffers_[t % 2].data(), source.data(), source.size());
#pragma omp barrier
  }
  Received receive(std::uint32_t, Round t) {
#pragma omp barrier
    return {t, sum(buffers_[t % 2])};
  }

 private:
  PayloadBuffers buffers_;
};

}  // namespace quantimed::bench

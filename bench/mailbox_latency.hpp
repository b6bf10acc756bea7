// One-way latency between two threads, each pinned to a core of its own: the mailboxes against a bare flag.
//
// A ping-pong: one side writes the bytes (memcpy from a source) and publishes; the other polls, and sums all bytes in
// place before it answers. The bare flag does the same with one atomic and two buffers a direction (one buffer is
// slower at 80 kB) and nothing else: what the hardware allows. Bare flag and mailbox take turns, so that noise from
// outside meets both.
#pragma once

#include "bench/timing.hpp"
#include "channel/newest_mailbox.hpp"
#include "channel/round_mailbox.hpp"
#include "channel/wait.hpp"

#include <sched.h>

#include <array>
#include <atomic>
#include <cstring>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

namespace quantimed::bench {

enum Side : std::size_t { ping, pong };

inline std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  return cores;
}

// Pins the calling thread while it lives.
class Pin {
 public:
  explicit Pin(int core) {
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    pinned_ = sched_setaffinity(0, sizeof one, &one) == 0 && sched_getcpu() == core;
  }
  ~Pin() { sched_setaffinity(0, sizeof before_, &before_); }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  explicit operator bool() const { return pinned_; }

 private:
  cpu_set_t before_;
  bool pinned_ = false;
};

inline std::uint64_t sum(std::span<const std::byte> bytes) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i + sizeof total <= bytes.size(); i += sizeof total) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    total += word;
  }
  return total;
}

// ---- three ways to carry a message; number t = 0, 1, … of each direction --------------------------

class BareFlag {
 public:
  explicit BareFlag(std::size_t bytes) : buffers_(4, bytes) { buffers_.first_touch(); }
  void send(Side from, Round t, std::span<const std::byte> source) {
    std::memcpy(buffers_[2 * from + t % 2].data(), source.data(), source.size());
    flags_[from].value.store(t + 1, std::memory_order_release);  // pairs with the acquire in receive()
  }
  std::uint64_t receive(Side from, Round t, const std::atomic<bool>&) {
    while (flags_[from].value.load(std::memory_order_acquire) != t + 1) cpu_pause();
    return sum(buffers_[2 * from + t % 2]);
  }

 private:
  struct alignas(kSeparation) Flag {
    std::atomic<std::uint32_t> value{0};  // written by the sender of its direction
  };
  PayloadBuffers buffers_;  // [2 directions, 2]
  std::array<Flag, 2> flags_;
};

class RoundCarrier {
 public:
  explicit RoundCarrier(std::size_t bytes) : boxes_{RoundMailbox(bytes), RoundMailbox(bytes)} {
    for (RoundMailbox& box : boxes_) box.first_touch();
  }
  void send(Side from, Round t, std::span<const std::byte> source) {
    std::memcpy(boxes_[from].begin_write(t).data(), source.data(), source.size());
    boxes_[from].publish(t, source.size(), {});
  }
  std::uint64_t receive(Side from, Round t, const std::atomic<bool>& stop) {
    const RoundMailbox& box = boxes_[from];
    wait_until([&] { return box.has(t); }, stop, WaitPolicy::dedicated());
    return sum(box.read(t).payload);
  }

 private:
  std::array<RoundMailbox, 2> boxes_;
};

class NewestCarrier {
 public:
  explicit NewestCarrier(std::size_t bytes) : boxes_{NewestMailbox(bytes, 1), NewestMailbox(bytes, 1)} {
    for (NewestMailbox& box : boxes_) box.first_touch();
  }
  void send(Side from, Round t, std::span<const std::byte> source) {
    std::memcpy(boxes_[from].begin_write().data(), source.data(), source.size());
    boxes_[from].publish(t, source.size(), {});
  }
  std::uint64_t receive(Side from, Round t, const std::atomic<bool>& stop) {
    NewestMailbox& box = boxes_[from];
    wait_until([&] { return box.newest() > t; }, stop, WaitPolicy::dedicated());
    return sum(box.acquire(0)->payload);
  }

 private:
  std::array<NewestMailbox, 2> boxes_;
};

// ---- the ping-pong -----------------------------------------------------------------------------------

struct Pass {
  double one_way_ns = 0;
  std::uint64_t checksum = 0;
};

// `count` round trips between this thread and one on `core`; the first tenth warms up and is not timed.
template <class Carrier>
Pass play(std::size_t bytes, Round count, int core, std::span<const std::byte> source) {
  Carrier carrier(bytes);
  const std::atomic<bool> never{false};
  std::uint64_t echoed = 0;
  std::jthread partner([&] {
    const Pin pin(core);
    for (Round t = 0; t < count; ++t) {
      echoed += carrier.receive(ping, t, never);
      carrier.send(pong, t, source);
    }
  });
  Pass pass;
  Clock::time_point start;
  for (Round t = 0; t < count; ++t) {
    if (t == count / 10) start = Clock::now();
    carrier.send(ping, t, source);
    pass.checksum += carrier.receive(pong, t, never);
  }
  const double elapsed_ns = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  partner.join();
  pass.one_way_ns = elapsed_ns / (2.0 * (count - count / 10));
  pass.checksum += echoed;
  return pass;
}

// Our carriers against the bare flag, in alternation.
struct MailboxRatios {
  bool measured = false;  // false: there are not two cores, or they cannot be had
  Ratio round{}, newest{};
};

inline MailboxRatios mailbox_ratios(std::size_t bytes, int passes = 101) {
  const std::vector<int> cores = allowed_cores();
  if (cores.size() < 2) return {};
  const Pin pin(cores[0]);
  if (!pin) return {};
  const Round count = bytes > 4096 ? 50 : 1000;  // shorter than a time slice: most passes are left alone
  AlignedVector<std::byte> source(bytes);
  for (std::size_t i = 0; i < bytes; ++i) source[i] = static_cast<std::byte>(i * 37 + 1);
  const std::uint64_t expected = 2 * count * sum(source);
  const auto one_way_s = [&]<class Carrier>(std::type_identity<Carrier>) {
    return [&, cores] {
      const Pass pass = play<Carrier>(bytes, count, cores[1], source);
      if (pass.checksum != expected) throw std::runtime_error("a message arrived damaged");
      return pass.one_way_ns * 1e-9;
    };
  };
  const auto bare = one_way_s(std::type_identity<BareFlag>{});
  return {true, alternate(bare, one_way_s(std::type_identity<RoundCarrier>{}), passes),
          alternate(bare, one_way_s(std::type_identity<NewestCarrier>{}), passes)};
}

}  // namespace quantimed::bench

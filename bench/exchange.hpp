// SPDX-License-Identifier: BSD-3-Clause
// A message carried from thread to thread, each pinned: one way in a ping-pong, or streamed from one to several.
// A carrier and the bare flag take turns, so that noise from outside meets both.
#pragma once

#include "bench/carriers.hpp"
#include "bench/timing.hpp"
#include "machine/placement.hpp"

#include <omp.h>
#include <sched.h>

#include <functional>
#include <stdexcept>

namespace quantimed::bench {

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

// work(0), work(1), … at once; work(0) is the caller's. Thread k lives on core k mod cores.
template <class Carrier>
void side_by_side(std::uint32_t threads, const std::vector<int>& cores,
                  const std::function<void(std::uint32_t)>& work) {
  std::atomic<bool> refused{false};
  const auto one = [&](std::uint32_t k) {
    const Pin pin(cores[k % cores.size()]);
    if (!pin) refused = true;
    work(k);
  };
  if constexpr (requires { Carrier::kParallelRegion; }) {
#pragma omp parallel num_threads(threads)
    one(static_cast<std::uint32_t>(omp_get_thread_num()));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the region's threads still poll for a while
  } else {
    std::vector<std::jthread> others;
    for (std::uint32_t k = 1; k < threads; ++k) others.emplace_back(one, k);
    one(0);
  }
  if (refused) throw std::runtime_error("a thread could not be pinned to its core");
}

// What is sent: its first and last word name the message, so that neither an old nor a mixed one has the right sum.
class Payload {
 public:
  explicit Payload(std::size_t bytes) : bytes_(bytes) {
    for (std::size_t i = 0; i < bytes; ++i) bytes_[i] = static_cast<std::byte>(i * 37 + 1);
    stamp(0, 0);
    stamp(bytes - sizeof(std::uint64_t), 0);
    rest_ = sum(bytes_);
  }
  Source of(Round t) {
    stamp(0, first(t));
    stamp(bytes_.size() - sizeof(std::uint64_t), last(t));
    return bytes_;
  }
  bool is(const Received& received, Round t) const {
    return received.t == t && received.sum == rest_ + first(t) + last(t);
  }

 private:
  static std::uint64_t first(Round t) { return (t + 1) * 0x9e3779b97f4a7c15u; }
  static std::uint64_t last(Round t) { return (t + 1) * 0xbf58476d1ce4e5b9u; }
  void stamp(std::size_t at, std::uint64_t word) { std::memcpy(bytes_.data() + at, &word, sizeof word); }
  AlignedVector<std::byte> bytes_;
  std::uint64_t rest_;
};

// Seconds one way, memcpy and sum included: half a round trip, mean of `count`; the first tenth warms up.
template <class Carrier>
double ping_pong(const Setup& setup, Round count, const std::vector<int>& cores) {
  Carrier there(setup), back(setup);
  Clock::time_point start, end;
  std::atomic<bool> wrong{false};
  side_by_side<Carrier>(2, cores, [&](std::uint32_t side) {
    Payload payload(setup.bytes);
    bool right = true;
    for (Round t = 0; t < count; ++t) {
      if (side == 0 && t == count / 10) start = Clock::now();
      if (side == 0) there.send(t, payload.of(t));
      right &= payload.is((side == 0 ? back : there).receive(0, t), t);
      if (side == 1) back.send(t, payload.of(t));
    }
    if (side == 0) end = Clock::now();
    if (!right) wrong = true;
  });
  if (wrong) throw std::runtime_error("a message arrived damaged");
  return std::chrono::duration<double>(end - start).count() / (2.0 * (count - count / 10));
}

// Seconds a message, of `count` that go to all readers; the first tenth warms up.
template <class Carrier>
double stream(const Setup& setup, Round count, const std::vector<int>& cores) {
  Carrier carrier(setup);
  Clock::time_point start;
  std::vector<Clock::time_point> ends(setup.readers);
  std::atomic<bool> wrong{false};
  side_by_side<Carrier>(setup.readers + 1, cores, [&](std::uint32_t k) {
    Payload payload(setup.bytes);
    if (k == 0) {
      for (Round t = 0; t < count; ++t) {
        if (t == count / 10) start = Clock::now();
        carrier.send(t, payload.of(t));
      }
      return;
    }
    bool right = true;
    for (Round t = 0; t < count; ++t) right &= payload.is(carrier.receive(k - 1, t), t);
    ends[k - 1] = Clock::now();
    if (!right) wrong = true;
  });
  if (wrong) throw std::runtime_error("a message arrived damaged");
  const auto end = *std::max_element(ends.begin(), ends.end());
  return std::chrono::duration<double>(end - start).count() / (count - count / 10);
}

// One carrier against the bare flag, pass by pass: one way, or a message of a stream.
template <class Carrier>
Ratio against_bare_flag(const Setup& setup, std::size_t threads_cores, int passes) {
  std::vector<int> cores = usable_cores();
  if (cores.size() < threads_cores)
    throw std::runtime_error("needs " + std::to_string(threads_cores) + " cores that threads can be pinned to");
  cores.resize(threads_cores);
  // Shorter than a time slice: most passes are left alone.
  const Round count = setup.bytes > 4096 ? 100 : 1000;
  const auto one = [&]<class C>(std::type_identity<C>) {
    return
        [&, count] { return setup.acknowledged ? stream<C>(setup, count, cores) : ping_pong<C>(setup, count, cores); };
  };
  return alternate(one(std::type_identity<BareFlag>{}), one(std::type_identity<Carrier>{}), passes);
}

}  // namespace quantimed::bench

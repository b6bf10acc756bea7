// SPDX-License-Identifier: BSD-3-Clause
#include "machine/interference.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <string_view>
#include <system_error>

#include "base/error.hpp"
#include "base/random.hpp"
#include "channel/wait.hpp"
#include "machine/hardware.hpp"

namespace quantimed {

namespace {

using Clock = std::chrono::steady_clock;
constexpr Seconds kShortest = 1e-3, kLongest = 3600;  // of a period: sleeping is no finer than a fraction of 1 ms

Seconds cpu_time_of_this_thread() {
  timespec time{};
  check(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0, "a thread's CPU clock cannot be read");
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Busy for `share` of every period, which began `phase` ago, until the stop.
Interference::Totals compete(const InterferenceRequest& request, Seconds phase, const std::stop_token& stop) {
  const auto start = Clock::now();
  const auto now = [&] { return std::chrono::duration<Seconds>(Clock::now() - start).count() + phase; };
  std::mutex mutex;
  std::condition_variable_any stopped;
  const Seconds cpu_before = cpu_time_of_this_thread();
  Seconds asked = 0, begin = phase;
  double k = 0;
  do {
    const Seconds busy_until = (k + request.share) * request.period;
    Seconds at = now();
    while (at < busy_until && !stop.stop_requested()) {
      cpu_pause();
      at = now();
    }
    asked += std::max(0.0, std::min(at, busy_until) - begin);
    begin = ++k * request.period;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, stop, std::chrono::duration<Seconds>(begin - now()), [] { return false; });
  } while (!stop.stop_requested());
  return {.asked = asked, .had = cpu_time_of_this_thread() - cpu_before};
}

}  // namespace

InterferenceRequest parse_interference(const std::string& text, std::uint32_t nodes) {
  if (text.empty()) return {};
  double numbers[3] = {};
  const char *at = text.data(), *const end = at + text.size();
  bool good = true;
  for (int k = 0; k < 3 && good; ++k) {
    const auto [stop, failure] = std::from_chars(at, end, numbers[k]);
    good = failure == std::errc{} && (k < 2 ? stop != end && *stop == ',' : stop == end);
    at = stop + 1;
  }
  const auto [count, share, period] = numbers;
  good = good && count >= 1 && count == std::floor(count) && share > 0 && share <= 1 && period >= kShortest &&
         period <= kLongest;
  if (!good)
    throw InputError("--interference {}: give COUNT,SHARE,PERIOD, COUNT whole, SHARE in (0, 1], PERIOD {} to {} s",
                     text, kShortest, kLongest);
  if (count > nodes)
    throw InputError("--interference {}: there are only {} nodes to compete with; give a COUNT of at most {}", text,
                     nodes, nodes);
  return {.count = static_cast<std::uint32_t>(count), .share = share, .period = period};
}

Interference::Interference(const InterferenceRequest& request, std::span<const int> cores, std::uint64_t seed)
    : competitors_(request.count), pinned_(request.count) {
  const auto live = [this, request, cores, seed](std::uint32_t k) {
    try {
      pin_this_thread(cores[k % cores.size()]);
    } catch (...) {
      competitors_[k].failure = std::current_exception();
    }
    const bool is_pinned = !competitors_[k].failure;
    pinned_.count_down();
    if (!is_pinned) return;
    Stream stream({.seed = seed, .node = k, .purpose = Purpose::interference});
    competitors_[k].totals = compete(request, request.period * stream.uniform(), stop_.get_token());
  };
  try {
    for (std::uint32_t k = 0; k < request.count; ++k) threads_.emplace_back(live, k);
  } catch (const std::system_error&) {
    finish();
    throw MachineRefused("--interference: the system refuses more than {} competing threads; give a lower COUNT",
                         threads_.size());
  }
  pinned_.wait();
  for (const Competitor& competitor : competitors_)
    if (competitor.failure) {
      finish();
      std::rethrow_exception(competitor.failure);
    }
}

Interference::Totals Interference::finish() {
  stop();
  for (std::jthread& thread : threads_)
    if (thread.joinable()) thread.join();
  Totals all;
  for (const Competitor& competitor : competitors_) {
    all.asked += competitor.totals.asked;
    all.had += competitor.totals.had;
  }
  return all;
}

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "machine/jitter.hpp"

#include "base/error.hpp"
#include "machine/hardware.hpp"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <exception>
#include <system_error>
#include <thread>

namespace quantimed {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double>(end - start).count();
}

// The smallest value that at least this share of all does not exceed (nearest rank).
double quantile(std::span<const float> sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return static_cast<double>(sorted[std::max<std::size_t>(rank, 1) - 1]);
}

std::vector<float> sorted_copy(std::span<const float> values) {
  std::vector<float> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

// ---- measuring -------------------------------------------------------------------------------------

// Room for a detour in every 2 µs; written once, so that no page fault is taken for one.
constexpr std::size_t kMostGaps = 1'000'000;
constexpr double kQuantum_s = 1e-3;

// A chain of dependent multiplications and additions: nothing to overlap, no memory.
std::uint64_t work(std::uint64_t steps, std::uint64_t x) {
  for (std::uint64_t k = 0; k < steps; ++k) x = x * 6364136223846793005u + 1442695040888963407u;
  return x;
}

double time_of_work(std::uint64_t steps, std::uint64_t& x) {
  const auto start = Clock::now();
  x = work(steps, x);
  asm volatile("" ::"r"(x));  // the result is wanted, before the clock is read
  return seconds_between(start, Clock::now());
}

// Steps that take about kQuantum_s on an undisturbed core.
std::uint64_t steps_of_a_quantum() {
  constexpr std::uint64_t kTrial = 100'000;
  std::uint64_t x = 1;
  double least = time_of_work(kTrial, x);
  for (int repeat = 0; repeat < 50; ++repeat) least = std::min(least, time_of_work(kTrial, x));
  return static_cast<std::uint64_t>(kTrial * kQuantum_s / least) + 1;
}

Detours watch_the_clock() {
  std::vector<float> gaps_us(kMostGaps, 0.0f);
  gaps_us.clear();
  const auto start = Clock::now();
  const auto end = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(kJitter_s));
  auto last = start;
  while (last < end && gaps_us.size() < kMostGaps) {
    const auto now = Clock::now();
    const double gap_us = std::chrono::duration<double, std::micro>(now - last).count();
    if (gap_us > kDetour_us) gaps_us.push_back(static_cast<float>(gap_us));
    last = now;
  }
  return summarise_detours(gaps_us, seconds_between(start, last));
}

Quanta repeat_work(std::uint64_t steps) {
  std::vector<float> times_ms;
  times_ms.reserve(static_cast<std::size_t>(2 * kJitter_s / kQuantum_s));
  std::uint64_t x = 1;
  const auto start = Clock::now();
  while (times_ms.empty() ||
         (seconds_between(start, Clock::now()) < kJitter_s && times_ms.size() < times_ms.capacity()))
    times_ms.push_back(static_cast<float>(1e3 * time_of_work(steps, x)));
  return summarise_quanta(times_ms);
}

// Sleeps until both measures are over, awake now and then if somebody wants to know.
void tell(const std::function<void(double)>& progress) {
  constexpr auto kPause = std::chrono::milliseconds(500);
  const auto start = Clock::now();
  for (double done = 0; progress && done < 1; done = seconds_between(start, Clock::now()) / (2 * kJitter_s)) {
    progress(done);
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Detours summarise_detours(std::span<const float> gaps_us, double observed_s) {
  check(observed_s > 0, "nothing was observed");
  Detours detours;
  if (gaps_us.empty()) return detours;
  const std::vector<float> sorted = sorted_copy(gaps_us);
  detours.per_s = static_cast<double>(sorted.size()) / observed_s;
  detours.median_us = quantile(sorted, 0.5);
  detours.p99_us = quantile(sorted, 0.99);
  detours.longest_us = static_cast<double>(sorted.back());
  double lost_us = 0;
  for (const float gap : sorted) {
    lost_us += static_cast<double>(gap);
    ++detours.decades[gap < 10 ? 0 : gap < 100 ? 1 : gap < 1000 ? 2 : 3];
  }
  detours.lost_share = lost_us * 1e-6 / observed_s;
  return detours;
}

Quanta summarise_quanta(std::span<const float> times_ms) {
  check(!times_ms.empty(), "no quantum was timed");
  const std::vector<float> sorted = sorted_copy(times_ms);
  const double median = quantile(sorted, 0.5);
  return {.median_ms = median,
          .p99_ms = quantile(sorted, 0.99),
          .worst_over_median = static_cast<double>(sorted.back()) / median};
}

std::vector<CoreJitter> measure_jitter(std::span<const int> units, const std::function<void(double)>& progress) {
  const std::uint64_t steps = steps_of_a_quantum();
  std::vector<CoreJitter> jitter(units.size());
  std::vector<std::exception_ptr> failures(units.size());
  std::barrier<> together(static_cast<std::ptrdiff_t>(units.size()));
  const auto measure = [&](std::size_t k) {
    try {
      pin_this_thread(units[k]);
    } catch (...) {
      failures[k] = std::current_exception();
      together.arrive_and_drop();
      return;
    }
    jitter[k].unit = units[k];
    together.arrive_and_wait();
    jitter[k].detours = watch_the_clock();
    together.arrive_and_wait();
    jitter[k].quanta = repeat_work(steps);
  };
  {
    std::vector<std::jthread> threads;
    try {
      for (std::size_t k = 0; k < units.size(); ++k) threads.emplace_back(measure, k);
    } catch (const std::system_error&) {  // those that are there must not wait for the others
      for (std::size_t missing = threads.size(); missing < units.size(); ++missing) together.arrive_and_drop();
      throw;
    }
    tell(progress);
  }
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return jitter;
}

}  // namespace quantimed

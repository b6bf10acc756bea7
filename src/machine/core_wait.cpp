// SPDX-License-Identifier: BSD-3-Clause
#include "machine/core_wait.hpp"

#include "channel/wait.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>
#include <system_error>

namespace quantimed {

namespace {

// "run_ns queued_ns slices"; kernels that do not keep it have no such file, or zeros. Takes no memory: a thread whose
// run ended for want of it asks, too.
std::optional<Seconds> queued() noexcept {
  const int file = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  char text[96];
  const ssize_t count = ::read(file, text, sizeof text);
  ::close(file);
  if (count <= 0) return {};
  std::uint64_t run_ns = 0, queued_ns = 0;
  const char* const end = text + count;
  const auto first = std::from_chars(text, end, run_ns);
  if (first.ec != std::errc() || first.ptr == end || run_ns == 0) return {};
  if (std::from_chars(first.ptr + 1, end, queued_ns).ec != std::errc()) return {};
  return 1e-9 * static_cast<double>(queued_ns);
}

}  // namespace

CoreUse core_use() noexcept {
  CoreUse use;
  use.queued = queued();
  rusage usage{};
  if (::getrusage(RUSAGE_THREAD, &usage) == 0) use.blocked = static_cast<std::uint64_t>(usage.ru_nvcsw);
  timespec cpu{};
  if (::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu) == 0)
    use.cpu = static_cast<double>(cpu.tv_sec) + 1e-9 * static_cast<double>(cpu.tv_nsec);
  use.slept = slept();
  use.time = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  return use;
}

double core_wait(const CoreUse& start, const CoreUse& end) {
  const Seconds time = end.time - start.time, without_core = time - (end.cpu - start.cpu) - (end.slept - start.slept);
  if (!(time > 0)) return 0;
  const bool never_blocked = start.blocked && end.blocked && *start.blocked == *end.blocked;
  Seconds waited = without_core;
  if (start.queued && end.queued) {
    waited = *end.queued - *start.queued;
    if (never_blocked) waited = std::max(waited, without_core);
  }
  return std::clamp(waited / time, 0.0, 1.0);
}

std::optional<LongWait> longest_wait(std::span<const double> shares) {
  std::optional<LongWait> longest;
  for (std::size_t node = 0; node < shares.size(); ++node)
    if (!std::isnan(shares[node]) && (!longest || shares[node] > longest->share)) longest = {node, shares[node]};
  return longest;
}

}  // namespace quantimed

#include "engine/core_wait.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>

namespace quantimed {

namespace {

// "run_ns queued_ns slices"; kernels that do not keep it have no such file, or zeros.
std::optional<Seconds> queued() {
  std::ifstream file("/proc/thread-self/schedstat");
  double run_ns = 0, queued_ns = 0;
  if (!(file >> run_ns >> queued_ns) || !(run_ns > 0)) return {};
  return queued_ns * 1e-9;
}

}  // namespace

CoreUse core_use() {
  CoreUse use;
  use.queued = queued();
  rusage usage{};
  if (::getrusage(RUSAGE_THREAD, &usage) == 0) use.blocked = static_cast<std::uint64_t>(usage.ru_nvcsw);
  timespec cpu{};
  if (::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu) == 0)
    use.cpu = static_cast<double>(cpu.tv_sec) + 1e-9 * static_cast<double>(cpu.tv_nsec);
  use.time = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  return use;
}

double core_wait(const CoreUse& start, const CoreUse& end) {
  const Seconds time = end.time - start.time, without_core = time - (end.cpu - start.cpu);
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

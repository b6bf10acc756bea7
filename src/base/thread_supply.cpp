// SPDX-License-Identifier: BSD-3-Clause
#include "base/thread_supply.hpp"

#include "base/error.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <atomic>
#include <latch>
#include <system_error>
#include <thread>
#include <vector>

namespace quantimed {

namespace {
constexpr rlim_t kUsualStack = rlim_t{64} << 20;
}

void require_threads(std::size_t count) {
  static std::atomic<std::size_t> shown = 0;
  if (count <= shown) return;
  std::vector<std::jthread> threads;
  threads.reserve(count);
  std::latch all_are_there(1);
  try {
    while (threads.size() < count) threads.emplace_back([&] { all_are_there.wait(); });
  } catch (const std::system_error&) {
    all_are_there.count_down();
    rlimit stack{};
    const bool is_large = ::getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur != RLIM_INFINITY &&
                          stack.rlim_cur > kUsualStack;  // each thread takes so much address space
    throw MachineRefused(
        "--threads {}: the system starts only {} threads; {}raise ulimit -u, or give --threads {}", count + 1,
        threads.size() + 1,
        is_large ? fmt::format("lower ulimit -s (now {} MB, of each thread), ", stack.rlim_cur >> 20) : "",
        threads.size() + 1);
  }
  all_are_there.count_down();
  shown = count;
}

}  // namespace quantimed

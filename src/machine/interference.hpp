// SPDX-License-Identifier: BSD-3-Clause
// --interference: real competition for the nodes' cores, as other tenants of a machine make it.
#pragma once

#include <cstdint>
#include <exception>
#include <latch>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/types.hpp"

namespace quantimed {

// On the core of each of nodes 0 … count−1, a thread that is busy for `share` of every `period`.
struct InterferenceRequest {
  std::uint32_t count = 0;  // 0: none
  double share = 0;         // (0, 1]
  Seconds period = 0;
};

// "COUNT,SHARE,PERIOD", or "" for none. Throws InputError that names --interference.
InterferenceRequest parse_interference(const std::string& text, std::uint32_t nodes);

// The competitors live as long as this does, or until stop(). Their phases are drawn from the seed.
class Interference {
 public:
  // Competitor k is pinned to cores[k mod cores]. Returns when all are. Throws InputError where one is refused.
  Interference(const InterferenceRequest& request, std::span<const int> cores, std::uint64_t seed);
  ~Interference() { finish(); }
  Interference(const Interference&) = delete;
  Interference& operator=(const Interference&) = delete;

  void stop() { stop_.request_stop(); }  // any thread; returns at once

  // CPU time of all competitors together: wanted, as the length of their busy spells, and had.
  struct Totals {
    Seconds asked = 0, had = 0;
  };
  Totals finish();  // stops them, waits for their end

 private:
  struct alignas(kSeparation) Competitor {
    Totals totals;               // its own thread's until that has ended
    std::exception_ptr failure;  // the same
  };
  std::stop_source stop_;
  std::vector<Competitor> competitors_;
  std::latch pinned_;
  std::vector<std::jthread> threads_;
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "base/memory_limits.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

namespace quantimed {

std::string memory_fix() {
  std::string limits;
  const auto name = [&](__rlimit_resource kind, const char* option) {
    rlimit limit{};
    if (::getrlimit(kind, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    limits +=
        fmt::format("{}ulimit -{} (now {} MB)", limits.empty() ? "" : " and ", option, limit.rlim_cur / 1'000'000);
  };
  name(RLIMIT_AS, "v");
  name(RLIMIT_DATA, "d");
  return (limits.empty() ? "" : "raise " + limits + ", or ") + "use fewer --nodes or a smaller --model";
}

}  // namespace quantimed

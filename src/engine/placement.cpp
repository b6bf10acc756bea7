#include "engine/placement.hpp"

#include "base/error.hpp"

#include <fmt/format.h>
#include <hwloc.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace quantimed {

namespace {

struct TopologyDeleter {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, TopologyDeleter>;

Topology load_topology() {
  hwloc_topology_t topology = nullptr;
  check(hwloc_topology_init(&topology) == 0 && hwloc_topology_load(topology) == 0, "hwloc cannot read the topology");
  return Topology(topology);
}

bool may_use(int unit) {
  cpu_set_t mask;
  check(::sched_getaffinity(0, sizeof mask, &mask) == 0, "the affinity mask cannot be read");
  return unit < CPU_SETSIZE && CPU_ISSET(static_cast<std::size_t>(unit), &mask);
}

}  // namespace

std::vector<int> usable_cores() {
  const Topology topology = load_topology();
  std::vector<int> cores;
  const int count = hwloc_get_nbobjs_by_type(topology.get(), HWLOC_OBJ_CORE);
  for (int k = 0; k < count; ++k) {
    const hwloc_obj_t core = hwloc_get_obj_by_type(topology.get(), HWLOC_OBJ_CORE, static_cast<unsigned>(k));
    for (int unit = hwloc_bitmap_first(core->cpuset); unit >= 0; unit = hwloc_bitmap_next(core->cpuset, unit))
      if (may_use(unit)) {
        cores.push_back(unit);
        break;
      }
  }
  if (cores.empty())  // no core objects (some virtual machines): every allowed unit is one
    for (int unit = 0; unit < CPU_SETSIZE; ++unit)
      if (may_use(unit)) cores.push_back(unit);
  check(!cores.empty(), "no core may be used");
  return cores;
}

void pin_this_thread(int processing_unit) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(static_cast<std::size_t>(processing_unit), &mask);
  if (const int error = ::pthread_setaffinity_np(::pthread_self(), sizeof mask, &mask); error != 0)
    throw InputError("--engine threads: core {} was refused ({}); check the allowed cores with `quantimed info`",
                     processing_unit, std::strerror(error));
  ::sched_yield();
  check(::sched_getcpu() == processing_unit, "a pinned thread runs elsewhere");
}

std::string to_list(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t k = 0; k < numbers.size();) {
    std::size_t last = k;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += last > k ? fmt::format("{}-{}", numbers[k], numbers[last]) : fmt::format("{}", numbers[k]);
    k = last + 1;
  }
  return text;
}

}  // namespace quantimed

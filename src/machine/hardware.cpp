// SPDX-License-Identifier: BSD-3-Clause
#include "machine/hardware.hpp"

#include "base/error.hpp"
#include "machine/allocation.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace quantimed {

namespace {

// The C library's mask, for processing units 0 … units − 1. Not hwloc's way of binding threads: that does nothing when
// the topology is a made-up one.
class CpuSet {
 public:
  explicit CpuSet(int units) : units_(units), set_(CPU_ALLOC(static_cast<std::size_t>(units))) {
    check(set_ != nullptr, "no memory for an affinity mask");
    CPU_ZERO_S(bytes(), set_.get());
  }
  void add(int unit) { CPU_SET_S(static_cast<std::size_t>(unit), bytes(), set_.get()); }
  bool has(int unit) const { return CPU_ISSET_S(static_cast<std::size_t>(unit), bytes(), set_.get()); }
  int units() const { return units_; }
  std::size_t bytes() const { return CPU_ALLOC_SIZE(static_cast<std::size_t>(units_)); }
  cpu_set_t* get() { return set_.get(); }

 private:
  struct Deleter {
    void operator()(cpu_set_t* set) const { CPU_FREE(set); }
  };
  int units_;
  std::unique_ptr<cpu_set_t, Deleter> set_;
};

}  // namespace

Bitmap make_bitmap() {
  Bitmap bitmap(hwloc_bitmap_alloc());
  check(bitmap != nullptr, "hwloc has no memory");
  return bitmap;
}

std::string to_list(hwloc_const_bitmap_t mask) {
  char* list = nullptr;
  if (hwloc_bitmap_list_asprintf(&list, mask) < 0) return {};
  const std::unique_ptr<char, decltype(&std::free)> owned(list, &std::free);
  return list;
}

Bitmap affinity() {
  constexpr int kFirst = 1024, kMost = 1 << 24;  // the kernel refuses (EINVAL) a set that is smaller than its own
  for (int units = kFirst; units <= kMost; units *= 2) {
    CpuSet set(units);
    if (::sched_getaffinity(0, set.bytes(), set.get()) == 0) {
      Bitmap mask = make_bitmap();
      for (int unit = 0; unit < set.units(); ++unit)
        if (set.has(unit)) hwloc_bitmap_set(mask.get(), static_cast<unsigned>(unit));
      return mask;
    }
    if (errno != EINVAL) break;
  }
  throw InternalError("the affinity mask cannot be read");
}

// hwloc's plug-ins look for graphics cards, of which nothing here asks, and it loads them, 20 ms of libraries, with
// every topology that has no other beside it. So there is one, of nothing, as long as the process, and it has none;
// where the environment names plug-ins, or a file that one of them may have to read, that holds. What is started from
// here finds the environment as it was.
void leave_plugins_out() {
  static const HwlocTopology kept = [] {
    constexpr const char* kWhere = "HWLOC_PLUGINS_PATH";
    const bool is_asked_for = std::getenv(kWhere) != nullptr || std::getenv("HWLOC_XMLFILE") != nullptr;
    if (!is_asked_for) ::setenv(kWhere, "/dev/null", 0);
    hwloc_topology_t topology = nullptr;
    const int status = hwloc_topology_init(&topology);
    if (!is_asked_for) ::unsetenv(kWhere);
    check(status == 0, "hwloc has no memory");
    return HwlocTopology(topology);
  }();
}

Hardware load_hardware() {
  leave_plugins_out();
  hwloc_topology_t topology = nullptr;
  check(hwloc_topology_init(&topology) == 0, "hwloc has no memory");
  Hardware hardware{.topology = HwlocTopology(topology), .allowed = affinity(), .granted = granted_cores(), .rule = {}};
  check(hwloc_topology_load(topology) == 0, "hwloc cannot read the topology");
  const std::string mask = to_list(hardware.allowed.get());
  hwloc_bitmap_and(hardware.allowed.get(), hardware.allowed.get(), hwloc_topology_get_topology_cpuset(topology));
  if (hwloc_bitmap_iszero(hardware.allowed.get()))
    throw InputError("affinity mask {}: not in the topology that hwloc reads; allow others, or unset HWLOC_SYNTHETIC",
                     mask);
  CoreFacts facts = core_facts(static_cast<std::size_t>(hwloc_bitmap_weight(hardware.allowed.get())));
  if (!hwloc_topology_is_thissystem(topology)) {  // a made-up machine has no groups
    facts.machine = static_cast<std::size_t>(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU));
    facts.group.reset();
  }
  hardware.rule = core_rule(facts);
  return hardware;
}

void pin_this_thread(int processing_unit) {
  CpuSet one(processing_unit + 1);
  one.add(processing_unit);
  if (::sched_setaffinity(0, one.bytes(), one.get()) != 0)
    throw InputError("processing unit {}: the system refuses to bind a thread to it ({}); see `quantimed info`",
                     processing_unit, std::strerror(errno));
  check(to_list(affinity().get()) == std::to_string(processing_unit), "the affinity mask is not the one that was set");
  ::sched_yield();
  check(::sched_getcpu() == processing_unit, "a pinned thread runs elsewhere");
}

std::vector<int> memory_nodes_of(const Hardware& hardware, std::span<const std::byte> bytes) {
  std::vector<int> nodes;
  if (!hwloc_topology_is_thissystem(hardware.topology.get())) return nodes;
  const Bitmap found = make_bitmap();
  if (hwloc_get_area_memlocation(hardware.topology.get(), bytes.data(), bytes.size(), found.get(),
                                 HWLOC_MEMBIND_BYNODESET) != 0)
    return nodes;
  for (int node = hwloc_bitmap_first(found.get()); node >= 0; node = hwloc_bitmap_next(found.get(), node))
    nodes.push_back(node);
  return nodes;
}

bool are_local(const Hardware& hardware, const std::vector<int>& numa_nodes, int processing_unit) {
  const hwloc_obj_t unit =
      hwloc_get_pu_obj_by_os_index(hardware.topology.get(), static_cast<unsigned>(processing_unit));
  check(unit != nullptr, "a processing unit is not in the topology");
  return std::all_of(numa_nodes.begin(), numa_nodes.end(),
                     [&](int node) { return hwloc_bitmap_isset(unit->nodeset, static_cast<unsigned>(node)) != 0; });
}

}  // namespace quantimed

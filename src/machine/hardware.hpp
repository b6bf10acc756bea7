// SPDX-License-Identifier: BSD-3-Clause
// The machine as hwloc describes it, what of it this process may use, and where threads and memory really are.
#pragma once

#include "machine/core_rule.hpp"

#include <hwloc.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace quantimed {

struct HwlocDeleter {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
  void operator()(hwloc_bitmap_t bitmap) const { hwloc_bitmap_free(bitmap); }
};
using HwlocTopology = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, HwlocDeleter>;
using Bitmap = std::unique_ptr<std::remove_pointer_t<hwloc_bitmap_t>, HwlocDeleter>;

// Read by any number of threads at once.
struct Hardware {
  HwlocTopology topology;
  Bitmap allowed;  // processing units, by their operating-system numbers; all are in the topology
  std::size_t granted = ~std::size_t{0};  // how many of them, where the mask is wider than the allocation
  CoreRule rule = {};                     // what decided
};

// This machine, or what HWLOC_SYNTHETIC or HWLOC_XMLFILE describe in its place, as far as the calling thread's affinity
// mask allows it (a SLURM job sees only its own). Throws InputError where the two have nothing in common.
Hardware load_hardware();

Bitmap make_bitmap();
std::string to_list(hwloc_const_bitmap_t mask);  // "0-3,8"

// The affinity mask of the calling thread, of any size.
Bitmap affinity();

// Binds the calling thread to one processing unit, and checks that its mask says so and that it runs there.
// Throws InputError if refused.
void pin_this_thread(int processing_unit);

// The NUMA nodes (operating-system numbers) that hold these bytes' pages. Empty: the system does not say (a container
// may refuse, the topology is not this machine's), or no page has been touched.
std::vector<int> memory_nodes_of(const Hardware& hardware, std::span<const std::byte> bytes);

// Are these NUMA nodes all local to this processing unit?
bool are_local(const Hardware& hardware, const std::vector<int>& numa_nodes, int processing_unit);

}  // namespace quantimed

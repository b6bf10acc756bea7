// SPDX-License-Identifier: BSD-3-Clause
// Orders on made-up machines against orders written down by hand; threads and memory on the real one.
#include "machine/placement.hpp"
#include "base/error.hpp"
#include "engine/small_run.hpp"
#include "machine/hardware.hpp"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>
#include <thread>

namespace quantimed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Units = std::vector<int>;

// `mask`: as in "0-3,8"; "": all.
Hardware made_up(const std::string& synthetic, const std::string& mask = "") {
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) throw std::runtime_error("no topology");
  Hardware hardware{.topology = HwlocTopology(topology), .allowed = make_bitmap()};
  if (hwloc_topology_set_synthetic(topology, synthetic.c_str()) != 0 || hwloc_topology_load(topology) != 0)
    throw std::runtime_error("not a topology: " + synthetic);
  const hwloc_const_bitmap_t all = hwloc_topology_get_topology_cpuset(topology);
  hwloc_bitmap_copy(hardware.allowed.get(), all);
  if (!mask.empty()) hwloc_bitmap_list_sscanf(hardware.allowed.get(), mask.c_str());
  if (!hwloc_bitmap_isincluded(hardware.allowed.get(), all)) throw std::runtime_error("mask outside: " + mask);
  return hardware;
}

Units placed(const std::string& policy, const std::string& synthetic, const std::string& mask = "", bool smt = false) {
  return place(made_up(synthetic, mask), parse_placement(policy, smt));
}

template <class Function>
std::string refusal_of(Function&& function) {
  try {
    function();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

// 2 packages of 2 L3 caches of 2 cores of 2 units: package 1 starts at 8, an L3 cache every 4, a core every 2.
const char* const kTwoPackages = "pack:2 l3:2 core:2 pu:2";

TEST(Placement, CompactIsTheMachinesOrder) {
  EXPECT_EQ(placed("compact", kTwoPackages), (Units{0, 2, 4, 6, 8, 10, 12, 14}));
  EXPECT_EQ(placed("compact", kTwoPackages, "", true), (Units{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(placed("compact", "node:2 core:4 pu:2"), (Units{0, 2, 4, 6, 8, 10, 12, 14}));
}

TEST(Placement, SpreadGoesRoundPackagesThenNumaNodesThenCaches) {
  EXPECT_EQ(placed("spread", kTwoPackages), (Units{0, 8, 4, 12, 2, 10, 6, 14}));
  EXPECT_EQ(placed("spread", kTwoPackages, "", true), (Units{0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15}));
  EXPECT_EQ(placed("spread", "node:2 core:4 pu:2"), (Units{0, 8, 2, 10, 4, 12, 6, 14}));
  EXPECT_EQ(placed("spread", "pack:2 node:2 l3:2 core:1 pu:1"), (Units{0, 4, 2, 6, 1, 5, 3, 7}));
}

TEST(Placement, L3TakesOneCoreOfEach) {
  EXPECT_EQ(placed("l3", kTwoPackages), (Units{0, 4, 8, 12}));
  EXPECT_EQ(placed("l3", kTwoPackages, "", true), (Units{0, 4, 8, 12}));
  EXPECT_EQ(placed("l3", kTwoPackages, "2-3,5,13-15"), (Units{2, 5, 13}));
  EXPECT_THAT(refusal_of([] { placed("l3", "node:2 core:4 pu:2"); }), HasSubstr("--placement l3"));
}

TEST(Placement, StaysInsideTheMask) {
  EXPECT_EQ(placed("compact", kTwoPackages, "1,3-5"), (Units{1, 3, 4}));
  EXPECT_EQ(placed("compact", kTwoPackages, "1,3-5", true), (Units{1, 3, 4, 5}));
  EXPECT_EQ(placed("spread", "pack:2 core:4 pu:1", "0-3,5"), (Units{0, 5, 1, 2, 3}));
  EXPECT_EQ(placed("spread", kTwoPackages, "0-3,12", true), (Units{0, 12, 2, 1, 3}));
}

// As Linux numbers units on many machines: first one of each core, then the siblings.
TEST(Placement, KnowsSiblingsByTheTopologyAndNotByNumber) {
  const char* const linux_order = "core:2 pu:2(indexes=0,2,1,3)";
  EXPECT_EQ(placed("compact", linux_order), (Units{0, 1}));
  EXPECT_EQ(placed("compact", linux_order, "", true), (Units{0, 2, 1, 3}));
  EXPECT_EQ(placed("spread", linux_order, "", true), (Units{0, 1, 2, 3}));
  EXPECT_EQ(placed("compact", linux_order, "2-3"), (Units{2, 3}));
  EXPECT_THAT(refusal_of([&] { placed("list:0,2", linux_order); }), HasSubstr("0 and 2"));
}

TEST(Placement, TakesMachinesOfAnySize) {
  const Units units = placed("spread", "pack:4 core:300 pu:2", "1024-2399");
  EXPECT_EQ(units.size(), 688u);
  EXPECT_EQ(units[0], 1024);
  EXPECT_EQ(units[1], 1200);
  EXPECT_EQ(units[2], 1800);
  EXPECT_EQ(units.back(), 2398);
}

// Whatever the order, the units are the same, and without --smt no two of them are of one core.
TEST(Placement, EveryOrderHasTheSameUnits) {
  for (const char* synthetic : {kTwoPackages, "node:2 core:4 pu:2", "pack:2 node:2 l3:1 l2:2 core:1 pu:2", "pu:16"})
    for (const char* mask : {"", "0", "7", "1,3-5", "2-13", "0,2,4,6,8,10,12,14", "1,3,5,7,9,11,13,15"})
      for (const bool smt : {false, true}) {
        const Hardware hardware = made_up(synthetic, mask);
        const Units compact = place(hardware, parse_placement("compact", smt));
        const Units spread = place(hardware, parse_placement("spread", smt));
        const std::set<int> unique(compact.begin(), compact.end());
        EXPECT_EQ(unique.size(), compact.size());
        EXPECT_EQ(spread.size(), compact.size());
        EXPECT_EQ(std::set<int>(spread.begin(), spread.end()), unique);
        std::set<int> cores, touched;  // units 2 k and 2 k + 1 are core k, but for pu:16
        const int siblings = std::string(synthetic) == "pu:16" || smt ? 1 : 2;
        for (const int unit : compact) cores.insert(unit / siblings);
        for (int unit = hwloc_bitmap_first(hardware.allowed.get()); unit >= 0;
             unit = hwloc_bitmap_next(hardware.allowed.get(), unit))
          touched.insert(unit / siblings);
        EXPECT_EQ(cores, touched) << synthetic << ' ' << mask;
        EXPECT_EQ(compact.size(), touched.size()) << synthetic << ' ' << mask;
      }
}

TEST(Placement, AListIsTakenAsItIs) {
  EXPECT_EQ(placed("list:8,0-3", kTwoPackages, "", true), (Units{8, 0, 1, 2, 3}));
  EXPECT_EQ(placed("list:9,2", kTwoPackages), (Units{9, 2}));
  EXPECT_EQ(placed("list:3,1", "pu:4"), (Units{3, 1}));
}

TEST(Placement, AListsErrorsNameWhatIsWrong) {
  for (const char* text : {"list:", "list:,", "list:1,", "list:a", "list:-1", "list:1-", "list:1-2-3", "list:0x1",
                           "list:1 ", "list:99999999999", "list:7-663233", "list", "lists:1", "", "Compact"})
    EXPECT_THAT(refusal_of([&] { parse_placement(text); }), HasSubstr(std::string("--placement ") + text + ": "));
  EXPECT_THAT(refusal_of([] { parse_placement("list:3-1"); }), HasSubstr("give 1-3"));
  EXPECT_THAT(refusal_of([] { parse_placement("list:0-3,2"); }), HasSubstr("unit 2 is there twice"));
  EXPECT_THAT(refusal_of([] { placed("list:0,4", kTwoPackages, "0-3"); }), HasSubstr("unit 4 may not be used"));
  EXPECT_THAT(refusal_of([] { placed("list:0,16", kTwoPackages); }), HasSubstr("choose among 0-15"));
  EXPECT_THAT(refusal_of([] { placed("list:4,0,5", kTwoPackages); }), HasSubstr("units 4 and 5 are siblings"));
}

TEST(Placement, RefusesMoreNodesThanItHasRoomFor) {
  EXPECT_NO_THROW(require_units(parse_placement("l3"), 4, 4));
  EXPECT_THAT(refusal_of([] { require_units(parse_placement("l3"), 4, 5); }), HasSubstr("room for 4"));
  EXPECT_THAT(refusal_of([] { require_units(parse_placement("list:0,1"), 2, 3); }), HasSubstr("--placement list:0,1"));
  EXPECT_THAT(refusal_of([] { require_units(parse_placement("spread"), 2, 3); }), HasSubstr("only 2 cores"));
}

TEST(Placement, NumbersAreListedInTheirOrder) {
  EXPECT_EQ(to_list(Units{0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
  EXPECT_EQ(to_list(Units{8, 0, 1}), "8,0-1");
}

TEST(Pin, MovesTheThreadToEachUnit) {
  const Units units = place(load_hardware(), {.smt = true});
  std::jthread([&] {
    for (int turn = 0; turn < 3; ++turn)
      for (const int unit : units) {
        pin_this_thread(unit);
        EXPECT_EQ(::sched_getcpu(), unit);
        EXPECT_EQ(to_list(affinity().get()), std::to_string(unit));
      }
  }).join();
  EXPECT_EQ(hwloc_bitmap_weight(affinity().get()), static_cast<int>(units.size())) << "other threads stay free";
}

TEST(Pin, RefusesWhatIsNotThere) {
  for (const int unit : {50'000, 500'000})
    EXPECT_THAT(refusal_of([&] { pin_this_thread(unit); }), HasSubstr("processing unit " + std::to_string(unit)));
}

TEST(Memory, IsWhereTheKernelSaysItIs) {
  std::vector<std::byte> bytes(1 << 20, std::byte{1});
  const Hardware hardware = load_hardware();
  int node = -1;
  constexpr unsigned long kNodeOfAddress = 3;  // MPOL_F_NODE | MPOL_F_ADDR
  if (::syscall(SYS_get_mempolicy, &node, nullptr, 0, bytes.data() + bytes.size() / 2, kNodeOfAddress) != 0)
    GTEST_SKIP() << "this system does not say where memory is";
  EXPECT_THAT(memory_nodes_of(hardware, bytes), ::testing::Contains(node));
}

TEST(Memory, IsUnknownWhereNothingIsKnown) {
  std::vector<std::byte> bytes(1 << 20, std::byte{1});
  EXPECT_THAT(memory_nodes_of(made_up("node:2 core:2 pu:1"), bytes), IsEmpty()) << "not this machine's topology";
  void* const untouched = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(untouched, MAP_FAILED);
  EXPECT_THAT(memory_nodes_of(load_hardware(), {static_cast<std::byte*>(untouched), 1 << 20}), IsEmpty());
  ::munmap(untouched, 1 << 20);
}

TEST(Memory, IsLocalOnTheUnitsOwnNode) {
  const Hardware hardware = made_up("node:2 core:2 pu:1");
  EXPECT_TRUE(are_local(hardware, {0}, 1));
  EXPECT_TRUE(are_local(hardware, {1}, 2));
  EXPECT_FALSE(are_local(hardware, {1}, 1));
  EXPECT_FALSE(are_local(hardware, {0, 1}, 1));
  EXPECT_TRUE(are_local(hardware, {}, 1)) << "unknown is not wrong";
}

TEST(Placement, AThreadsRunSaysWhereItsNodesWere) {
  SmallRun small("dsgd", 2);
  auto run = small.run();
  const int last = usable_cores().back();
  run.speed = nullptr;
  run.link = {};
  run.oversubscribe = true;
  run.placement = parse_placement("list:" + std::to_string(last), true);
  KeepingWatcher watcher = small.watcher();
  const Outcome outcome = run_threads(run, watcher);
  EXPECT_EQ(text(outcome.placement, "node_cores", ""), std::to_string(last));
  EXPECT_EQ(text(outcome.placement, "placement", ""), run.placement.text);
  EXPECT_EQ(number(outcome.placement, "placement_smt", 0), 1);
  EXPECT_NE(text(outcome.placement, "node_numa", ""), "");
  EXPECT_THAT(outcome.verdict.why(), testing::StartsWith("2 nodes share 1 cores"));
  run.oversubscribe = false;
  EXPECT_THAT(refusal_of([&] { run_threads(run, watcher); }), HasSubstr("1 processing units for 2 nodes"));
}

}  // namespace
}  // namespace quantimed

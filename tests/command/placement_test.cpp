// SPDX-License-Identifier: BSD-3-Clause
// --placement and --smt from outside, on this machine under other names and masks.
#include "machine/placement.hpp"
#include "command/program.hpp"
#include "machine/hardware.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <thread>
#include <utility>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kPlacedRun =
    "run --engine threads --dataset digits:600 --model mlp:8 --samples-per-node 100 --iterations 20 --evaluations 2 "
    "--algorithm dsgd --output t.h5 ";

using Variables = std::vector<std::pair<const char*, std::string>>;

class Environment {
 public:
  explicit Environment(Variables variables) : variables_(std::move(variables)) {
    for (const auto& [name, value] : variables_) ::setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, value] : variables_) ::unsetenv(name);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  Variables variables_;
};

// The program inherits the mask of the thread that starts it.
Ran run_on_unit(int unit, const Folder& folder, const std::string& arguments) {
  Ran ran;
  std::jthread([&] {
    pin_this_thread(unit);
    ran = run_program(folder, arguments);
  }).join();
  return ran;
}

// "core:8 pu:1", as many as hold all units that this test may use.
std::string enough_cores() { return "core:" + std::to_string(hwloc_bitmap_last(affinity().get()) + 1) + " pu:1"; }

TEST(PlacementOption, SiblingsCountOnlyWithSmt) {
  const Bitmap mask = affinity();
  if (!hwloc_bitmap_isset(mask.get(), 0) || !hwloc_bitmap_isset(mask.get(), 1))
    GTEST_SKIP() << "needs processing units 0 and 1";
  const Folder folder;
  const Environment one_core(Variables{{"HWLOC_SYNTHETIC", "core:1 pu:2"}});
  const Ran refused = run_program(folder, kPlacedRun + "--nodes 2");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("--nodes 2"));
  EXPECT_EQ(run_program(folder, kPlacedRun + "--nodes 2 --placement list:0,1").status, 2);
  const Ran accepted = run_program(folder, kPlacedRun + "--nodes 2 --smt");
  ASSERT_EQ(accepted.status, 0) << accepted.err;
  const Trace trace = read_trace(folder / "t.h5");
  EXPECT_EQ(text(trace.environment, "node_cores", ""), "0-1");
  EXPECT_EQ(text(trace.environment, "node_numa", ""), "unknown") << "the topology is not this machine's";
  EXPECT_EQ(number(trace.environment, "placement_smt", 0), 1);
}

TEST(PlacementOption, OneNodeForEachL3) {
  const Folder folder;
  const Environment one_cache(Variables{{"HWLOC_SYNTHETIC", "l3:1 " + enough_cores()}});
  const Ran refused = run_program(folder, kPlacedRun + "--nodes 2 --placement l3");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("room for 1"));
  const Ran accepted = run_program(folder, kPlacedRun + "--placement l3");  // --nodes auto is what there is room for
  ASSERT_EQ(accepted.status, 0) << accepted.err;
  EXPECT_EQ(number(read_trace(folder / "t.h5").config, "nodes", 0), 1);
}

TEST(PlacementOption, AListDecidesWhoIsWhere) {
  const std::vector<int> cores = usable_cores();
  if (cores.size() < 2) GTEST_SKIP() << "needs two cores";
  const Folder folder;
  const std::string list = std::to_string(cores[1]) + "," + std::to_string(cores[0]);
  const Ran ran = run_program(folder, kPlacedRun + "--placement list:" + list);
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Trace trace = read_trace(folder / "t.h5");
  EXPECT_EQ(text(trace.environment, "node_cores", ""), list);
  EXPECT_EQ(number(trace.config, "nodes", 0), 2);
  EXPECT_EQ(text(trace.config, "placement", ""), "list:" + list);
}

TEST(PlacementOption, MeansNothingInVirtualTime) {
  const Folder folder;
  const Environment no_l3(Variables{{"HWLOC_SYNTHETIC", enough_cores()}});
  const Ran refused = run_program(folder, "run --dry-run --dataset digits --placement l3");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("--placement l3: means nothing in virtual time"));
  EXPECT_EQ(run_program(folder, "run --dry-run --dataset digits --placement l3 --engine threads").status, 2);
}

TEST(PlacementOption, AnAllocationSeesOnlyItsOwnCores) {
  const std::vector<int> cores = usable_cores();
  if (cores.size() < 2) GTEST_SKIP() << "needs a core outside the allocation";
  const int own = cores[0], foreign = cores[1];
  const Folder folder;
  const Environment job(
      Variables{{"SLURM_JOB_ID", "4711"}, {"SLURM_CPUS_PER_TASK", "1"}, {"SLURM_JOB_NODELIST", "n[1-2]"}});
  const Ran ran = run_on_unit(own, folder, kPlacedRun);
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Trace trace = read_trace(folder / "t.h5");
  EXPECT_EQ(text(trace.environment, "affinity", ""), std::to_string(own));
  EXPECT_EQ(text(trace.environment, "node_cores", ""), std::to_string(own));
  EXPECT_EQ(text(trace.environment, "slurm_job", ""), "4711");
  EXPECT_EQ(number(trace.config, "nodes", 0), 1);
  EXPECT_EQ(run_on_unit(own, folder, kPlacedRun + "--nodes 2").status, 2);
  const Ran refused = run_on_unit(own, folder, kPlacedRun + "--placement list:" + std::to_string(foreign));
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("may not be used"));
}

// Where the cluster binds nobody, the mask is wider than the allocation.
TEST(PlacementOption, ATaskTakesNoMoreCoresThanItWasGiven) {
  if (usable_cores().size() < 2) GTEST_SKIP() << "needs a core outside the allocation";
  const Folder folder;
  const Environment job(Variables{{"SLURM_JOB_ID", "4711"}, {"SLURM_CPUS_PER_TASK", "1"}});
  const Ran real = run_program(folder, "run --dry-run --engine threads");
  EXPECT_THAT(real.out, HasSubstr("\nnodes = 1\n")) << real.err;
  EXPECT_THAT(run_program(folder, "run --dry-run").out, HasSubstr("\nthreads = 1\n"));
  EXPECT_EQ(run_program(folder, "run --dry-run --engine threads --nodes 2").status, 2);
}

TEST(PlacementOption, ARunTakesNoMoreMemoryThanItWasGiven) {
  const Folder folder;
  const std::string run =
      "run --engine threads --nodes 1 --dataset digits --iterations 2 --evaluations 2 --overwrite --output t.h5";
  EXPECT_EQ(run_program(folder, run).status, 0);
  const Environment job(Variables{{"SLURM_JOB_ID", "4711"}, {"SLURM_MEM_PER_NODE", "1"}});  // MiB
  const Ran refused = run_program(folder, run);
  EXPECT_EQ(refused.status, 4);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("--nodes 1: needs "), HasSubstr("and of the 1.0 MiB that may be used"),
                                 HasSubstr("or give the job more --mem\n")));
}

}  // namespace
}  // namespace quantimed

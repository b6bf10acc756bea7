// SPDX-License-Identifier: BSD-3-Clause
// The real machine must be readable, and a made-up one must be read exactly.
#include "machine/machine.hpp"

#include "machine/allocation.hpp"
#include "machine/hardware.hpp"
#include "machine/placement.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace quantimed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MadeUp : public ::testing::Test {
 protected:
  MadeUp() {
    std::string pattern = (std::filesystem::temp_directory_path() / "quantimed-machine-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    root_ = pattern;
    for (const char* name : {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_BLOCK_FACTOR"}) ::unsetenv(name);
  }
  ~MadeUp() override { std::filesystem::remove_all(root_); }
  void put(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  Machine inspect() const { return inspect_machine(root_); }
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

TEST(Machine, ReadsThisOne) {
  const Machine machine = inspect_machine();
  cpu_set_t mask;
  ASSERT_EQ(::sched_getaffinity(0, sizeof mask, &mask), 0);
  EXPECT_EQ(machine.units, CPU_COUNT(&mask));
  EXPECT_GE(machine.cores, 1);
  EXPECT_LE(machine.cores, machine.units);
  EXPECT_FALSE(machine.allowed.empty());
  EXPECT_GT(machine.memory_bytes, 1 << 20);
  EXPECT_GT(machine.clock_cost_ns, 0);
  EXPECT_LT(machine.clock_cost_ns, 1e5);
  EXPECT_THAT(machine.kernel, HasSubstr("Linux"));
  for (const auto& [name, value] : environment(machine, "OpenBLAS")) fmt::print("{} = {}\n", name, to_text(value));
  for (const std::string& concern : concerns(machine)) fmt::print("{}\n", concern);
}

TEST(Machine, FollowsTheAffinityMask) {
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  std::size_t unit = 0;
  while (!CPU_ISSET(unit, &before)) ++unit;
  CPU_ZERO(&one);
  CPU_SET(unit, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  const Machine machine = inspect_machine();
  ::sched_setaffinity(0, sizeof before, &before);
  EXPECT_EQ(machine.units, 1);
  EXPECT_EQ(machine.cores, 1);
  EXPECT_EQ(machine.allowed, std::to_string(unit));
}

TEST_F(MadeUp, AnEmptyTreeGivesNothingAndNoConcern) {
  Machine machine = inspect();
  EXPECT_EQ(machine.cpu, "");
  EXPECT_EQ(machine.memory_bytes, 0);
  EXPECT_EQ(machine.clock_source, "");
  EXPECT_FALSE(machine.cpu_quota);
  machine.units = machine.cores;
  EXPECT_THAT(concerns(machine), IsEmpty());
}

TEST_F(MadeUp, ReadsProcAndSys) {
  put("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu hypervisor sse\n");
  put("/proc/meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB\n");
  put("/proc/loadavg", "3.25 1.00 0.50 1/100 1234\n");
  put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
  put("/sys/devices/system/cpu/smt/active", "1\n");
  for (int unit = 0; unit < 1024; ++unit)
    put(fmt::format("/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor", unit), "powersave\n");
  const Machine machine = inspect();
  EXPECT_EQ(machine.cpu, "Some CPU @ 2 GHz");
  EXPECT_TRUE(machine.virtualised);
  EXPECT_EQ(machine.memory_bytes, 2048 * 1024);
  EXPECT_EQ(machine.load, 3.25);
  EXPECT_EQ(machine.clock_source, "hpet");
  EXPECT_TRUE(machine.smt);
  EXPECT_EQ(machine.governor, "powersave");
}

TEST_F(MadeUp, TakesTheTightestQuotaOfVersion2) {
  put("/proc/self/cgroup", "0::/slurm/job_1/step\n");
  put("/sys/fs/cgroup/slurm/job_1/step/cpu.max", "max 100000\n");
  put("/sys/fs/cgroup/slurm/job_1/cpu.max", "250000 100000\n");
  put("/sys/fs/cgroup/cpu.max", "400000 100000\n");
  EXPECT_EQ(inspect().cpu_quota, 2.5);
}

TEST_F(MadeUp, ReadsTheQuotaOfVersion1) {
  put("/proc/self/cgroup", "3:memory:/a\n2:cpu,cpuacct:/a\ngarbage\n");
  put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "150000\n");
  put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(inspect().cpu_quota, 1.5);
}

TEST_F(MadeUp, MemoryIsWhatTheTightestGroupOrSlurmGrants) {
  EXPECT_EQ(usable_memory_bytes(root()), usable_memory_bytes("/nowhere"));  // the machine's
  put("/proc/self/cgroup", "0::/slurm/job_1/step\n");
  put("/sys/fs/cgroup/slurm/job_1/step/memory.max", "max\n");
  put("/sys/fs/cgroup/slurm/job_1/memory.max", "3145728\n");
  EXPECT_EQ(usable_memory_bytes(root()), 3145728);
  ::setenv("SLURM_MEM_PER_NODE", "2", 1);
  EXPECT_EQ(usable_memory_bytes(root()), 2097152);
  ::unsetenv("SLURM_MEM_PER_NODE");
  ::setenv("SLURM_MEM_PER_CPU", "1", 1);
  ::setenv("SLURM_CPUS_ON_NODE", "1", 1);
  EXPECT_EQ(usable_memory_bytes(root()), 1048576);
  ::unsetenv("SLURM_MEM_PER_CPU");
  ::unsetenv("SLURM_CPUS_ON_NODE");
}

TEST(Allocation, CoresAreThoseThatSlurmGrants) {
  const std::size_t all = place(load_hardware(), {}).size();
  const struct {
    const char* variable;
    std::size_t granted;
  } cases[] = {{"1", 1}, {"100000", all}, {"0", all}, {"many", all}, {"-1", all}, {"", all}};
  for (const auto& [variable, granted] : cases) {
    ::setenv("SLURM_CPUS_PER_TASK", variable, 1);
    EXPECT_EQ(place(load_hardware(), {}).size(), granted) << variable;
  }
  ::unsetenv("SLURM_CPUS_PER_TASK");
}

TEST(Environment, NamesCompilerBlasAndJob) {
  Machine machine;
  ::setenv("SLURM_JOB_ID", "4711", 1);
  machine.slurm = inspect_machine().slurm;
  ::unsetenv("SLURM_JOB_ID");
  const Attributes attributes = environment(machine, "OpenBLAS 0.3.21 serial");
  EXPECT_EQ(text(attributes, "blas", ""), "OpenBLAS 0.3.21 serial");
  EXPECT_NE(text(attributes, "compiler", ""), "");
  EXPECT_EQ(text(attributes, "slurm_job", ""), "4711");
  EXPECT_EQ(number(attributes, "cpu_quota", 0), kForever);
  for (const auto& [name, value] : attributes) EXPECT_EQ(name.find("host"), std::string::npos) << name;
}

TEST(Concerns, EachIsFoundAlone) {
  Machine good;
  good.units = good.cores = 4;
  good.governor = "performance";
  good.clock_source = "tsc";
  good.cpu_quota = 4;
  good.load = 4.2;
  EXPECT_THAT(concerns(good), IsEmpty());
  EXPECT_THAT(concerns(good, "Slow kernels: use others."), ElementsAre("Slow kernels: use others."));
  const std::pair<void (*)(Machine&), const char*> faults[] = {
      {[](Machine& m) { m.load = 5; }, "load is 5.0 on 4 cores"},
      {[](Machine& m) { m.governor = "performance, powersave"; }, "governor"},
      {[](Machine& m) { m.cores = 2, m.load = 0; }, "SMT"},
      {[](Machine& m) { m.cpu_quota = 2; }, "quota"},
      {[](Machine& m) { m.clock_source = "hpet"; }, "clock source is hpet"},
      {[](Machine& m) { m.virtualised = true; }, "virtual machine"},
  };
  for (const auto& [seed, says] : faults) {
    Machine machine = good;
    seed(machine);
    EXPECT_THAT(concerns(machine), ElementsAre(AllOf(HasSubstr(says), HasSubstr(": "), testing::EndsWith("."))));
  }
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "machine/core_rule.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace quantimed {
namespace {

TEST(CoreRule, NamesTheTightestLimit) {
  struct {
    CoreFacts facts;
    std::size_t usable;
    bool is_narrow;
    const char* text;
  } const cases[] = {
      {{.machine = 8, .mask = 8}, 8, false, "all 8 cores of the machine"},
      {{.machine = 8, .group = 8, .mask = 8}, 8, false, "all 8 cores of the machine"},
      {{.machine = 8, .mask = 1}, 1, true, "1 of 8 cores: affinity mask of the parent process"},
      {{.machine = 8, .mask = 1, .openmp_binds = true},
       1,
       true,
       "1 of 8 cores: affinity mask of the parent process (which OMP_PROC_BIND may have bound)"},
      {{.machine = 64, .group = 4, .mask = 4}, 4, false, "4 of 64 cores: the control group's cpuset"},
      {{.machine = 64, .group = 4, .mask = 1}, 1, true, "1 of 4 cores: affinity mask of the parent process"},
      {{.machine = 64, .mask = 64, .slurm_task = 2}, 2, false, "2 of 64 cores: SLURM_CPUS_PER_TASK"},
      {{.machine = 64, .group = 8, .mask = 8, .slurm_task = 8}, 8, false, "8 of 64 cores: the control group's cpuset"},
      {{.machine = 64, .group = 8, .mask = 1, .slurm_job = 8, .slurm_binds = true},
       1,
       true,
       "1 of 8 cores: SLURM's binding of this task (srun --cpus-per-task widens it)"},
      {{.machine = 16, .mask = 2, .smt = true},
       2,
       true,
       "2 of 16 processing units: affinity mask of the parent process"},
  };
  for (const auto& c : cases) {
    const CoreRule rule = core_rule(c.facts);
    EXPECT_EQ(rule.text, c.text);
    EXPECT_EQ(rule.usable, c.usable) << c.text;
    EXPECT_EQ(rule.is_narrow, c.is_narrow) << c.text;
  }
}

TEST(CoreRule, ListsWhatWasSetAside) {
  ::setenv("QUANTIMED_SET_ASIDE_OMP_PLACES", "cores", 1);
  EXPECT_EQ(ignored_variables(), std::vector<std::string>{"OMP_PLACES=cores"});
  EXPECT_TRUE(core_facts(1).openmp_binds);
  ::unsetenv("QUANTIMED_SET_ASIDE_OMP_PLACES");
  EXPECT_FALSE(core_facts(1).openmp_binds);
}

}  // namespace
}  // namespace quantimed

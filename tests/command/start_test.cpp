// SPDX-License-Identifier: BSD-3-Clause
// What the program does before main(): it undoes bindings, keeps its libraries from starting threads, and ends with an
// error where the machine refuses what it needs.
#include "command/program.hpp"
#include "machine/hardware.hpp"
#include "machine/placement.hpp"
#include "trace/trace.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

namespace quantimed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kProgramPath = QUANTIMED_PROGRAM;
const std::string kRefusals =
    "LD_PRELOAD='" + (std::filesystem::path(QUANTIMED_PROGRAM).parent_path() / "refusals.so").string() + "' ";
const std::string kThreads =
    "run --engine threads --dataset gaussian-logistic:3 --model mlp:8 --samples-per-node 50 --iterations 20 "
    "--evaluations 2 "
    "--output t.h5 ";

// A command of the shell's, not of the program's.
Ran run_shell(const Folder& folder, const std::string& command) {
  // Without what this test itself was started with.
  return run_program(
      folder, "--version > /dev/null 2>&1; unset QUANTIMED_STARTED OPENBLAS_NUM_THREADS OMP_WAIT_POLICY; " + command);
}

// A hung program is ended, with 124 or 137.
const std::string kInTime = "timeout -k 5 120 ";

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

// ---- cores ---------------------------------------------------------------------------------------------

TEST(Start, NoVariableOfOpenMPLeavesFewerCores) {
  const std::size_t cores = usable_cores().size();
  for (const std::string variable :
       {"OMP_PROC_BIND=true", "OMP_PROC_BIND=close", "OMP_PROC_BIND=spread OMP_PLACES=cores", "OMP_PLACES=threads",
        "OMP_PLACES='{0}'", "GOMP_CPU_AFFINITY=0", "KMP_AFFINITY=granularity=fine,compact", "OMP_NUM_THREADS=1",
        "OMP_THREAD_LIMIT=1", "OMP_PROC_BIND_ALL=true"}) {
    const Folder folder;
    const Ran nodes = run_shell(folder, variable + " " + kProgramPath + " run --dry-run --engine threads");
    EXPECT_THAT(nodes.out, HasSubstr("\nnodes = " + std::to_string(cores) + "\n")) << variable << nodes.err;
    const Ran threads = run_shell(folder, variable + " " + kProgramPath + " run --dry-run");
    EXPECT_THAT(threads.out, HasSubstr("\nthreads = " + std::to_string(cores) + "\n")) << variable << threads.err;
  }
}

TEST(Start, ARunSaysWhichVariablesItIgnoredAndWhatDecided) {
  const Folder folder;
  const Ran ran = run_shell(
      folder, "OMP_PROC_BIND=spread OMP_PLACES=cores " + kProgramPath + " " + kThreads + "--oversubscribe --nodes 2");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Trace trace = read_trace(folder / "t.h5");
  EXPECT_EQ(text(trace.environment, "affinity", ""), to_list(affinity().get()));
  EXPECT_THAT(text(trace.environment, "ignored_variables", ""),
              AllOf(HasSubstr("OMP_PROC_BIND=spread"), HasSubstr("OMP_PLACES=cores")));
  EXPECT_NE(text(trace.environment, "cores_rule", ""), "");
  const Ran plain = run_shell(folder, kProgramPath + " " + kThreads + "--oversubscribe --nodes 2 --overwrite");
  ASSERT_EQ(plain.status, 0) << plain.err;
  EXPECT_EQ(text(read_trace(folder / "t.h5").environment, "ignored_variables", "none"), "");
}

TEST(Start, AMaskOfTheParentIsKeptAndSaid) {
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) GTEST_SKIP() << "needs a machine with a second core";
  const Folder folder;
  Ran info, run, refused;
  std::jthread([&] {
    pin_this_thread(usable_cores()[0]);
    info = run_shell(folder, "env -u SLURM_CPU_BIND_TYPE -u SLURM_CPUS_PER_TASK " + kProgramPath + " info --quiet");
    run = run_program(folder, kThreads);
    refused = run_program(folder, kThreads + "--nodes 2");
  }).join();
  EXPECT_THAT(info.out, AllOf(HasSubstr("cores_rule = 1 of "), HasSubstr("affinity mask of the parent"),
                              HasSubstr("Only 1 of ")));
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\n  cores       1 of "));
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("only 1 core may be used (1 of ")));
}

TEST(Start, InfoNamesAKernelThatTheEnvironmentForces) {
  const Folder folder;
  const Ran ran = run_shell(folder, "OPENBLAS_CORETYPE=Haswell " + kProgramPath + " info");
  EXPECT_THAT(ran.out, AllOf(HasSubstr("blas_variables = OPENBLAS_CORETYPE=Haswell"),
                             HasSubstr("  - OPENBLAS_CORETYPE=Haswell is set")));
}

const std::string kTiny =
    " --dataset digits:600 --nodes 2 --graph complete --samples-per-node 20 --batch 5 --model mlp:4 --iterations 2 "
    "--evaluations 1";

// Prescott's kernels are what OpenBLAS falls back to on a processor that it does not know.
TEST(Start, ARunSaysThatKernelsAreSlowHere) {
#ifndef __x86_64__
  GTEST_SKIP() << "OpenBLAS's old kernels are x86-64's";
#else
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "this processor has no AVX2: old kernels are right for it";
  const Folder folder;
  const std::string run =
      kProgramPath + " compare --algorithms dsgd,async-dsgd --seeds 1,2 --budget iterations --output made" + kTiny;
  const Ran slow = run_shell(folder, "OPENBLAS_CORETYPE=Prescott " + run);
  EXPECT_EQ(slow.status, 0) << slow.err;
  const std::size_t at = slow.err.find("computes as a Prescott would");
  ASSERT_NE(at, std::string::npos) << slow.err;
  EXPECT_EQ(slow.err.find("computes as a Prescott would", at + 1), std::string::npos) << "once, for all runs\n"
                                                                                      << slow.err;
  EXPECT_THAT(slow.err, HasSubstr("set OPENBLAS_CORETYPE="));
  EXPECT_THAT(run_shell(folder, "OPENBLAS_CORETYPE=Haswell " + run + " --overwrite").err,
              Not(HasSubstr("OPENBLAS_CORETYPE")));
  EXPECT_THAT(run_shell(folder, "OPENBLAS_CORETYPE=Prescott " + kProgramPath + " info").out,
              HasSubstr("  - OpenBLAS "));
#endif
}

TEST(Start, InstructionsThatAreNotThereAreRefused) {
  const Folder folder;
  const Ran ran = run_shell(folder, "QUANTIMED_INSTRUCTIONS=sse9 " + kProgramPath + " info");
  EXPECT_EQ(ran.status, 2);
  EXPECT_TRUE(is_one_line(ran.err)) << ran.err;
  EXPECT_THAT(ran.err, AllOf(HasSubstr("QUANTIMED_INSTRUCTIONS=sse9"), HasSubstr("choose one of them")));
}

// ---- a small stack ------------------------------------------------------------------------------------------

TEST(Start, ASmallStackIsRaisedAsFarAsTheCallerAllows) {
  const Folder folder;
  const std::string run = kProgramPath + " run --quiet --output t.h5 --overwrite" + kTiny;
  const Ran raised = run_shell(folder, "ulimit -S -s 64; " + run);
  EXPECT_EQ(raised.status, 0) << raised.err;
  for (const char* const engine : {"virtual", "threads --oversubscribe"}) {
    const Ran enough = run_shell(folder, "ulimit -s 128; " + run + " --engine " + engine);
    EXPECT_EQ(enough.status, 0) << engine << enough.err;
  }
  const Ran refused = run_shell(folder, "ulimit -s 64; " + run);
  EXPECT_EQ(refused.status, 4) << refused.err;
  EXPECT_TRUE(is_one_line(refused.err)) << refused.err;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("ulimit -s"), HasSubstr("8192")));
}

// ---- starting again --------------------------------------------------------------------------------------

TEST(Start, KeepsItsNameItsArgumentsAndWhatIsLeftOfTheEnvironment) {
  const Folder folder;
  const Ran ran =
      run_shell(folder, "QUANTIMED_STARTED=1:other QUANTIMED_SET_ASIDE_OMP_PLACES=stale " + kProgramPath + " info");
  EXPECT_THAT(ran.out, AllOf(HasSubstr("ignored_variables = \n"), Not(HasSubstr("stale"))));
  const Ran named = run_shell(
      folder,
      kProgramPath +
          " run --engine threads --dataset digits:600 --model mlp:8 --samples-per-node 50 --nodes 1 --iterations "
          "100000000 --output t.h5 & p=$!; while kill -0 $p && ! test -e t.h5.lock; do sleep 0.05; done; "
          "cat /proc/$p/comm; kill -INT $p; wait $p");
  EXPECT_THAT(named.out, StartsWith("quantimed\n")) << named.err;
}

TEST(Start, WhereItMayNotStartAgainItSaysSoAndBindsNobody) {
  if (kIsSanitized) GTEST_SKIP() << "a sanitizer's runtime must be loaded first";
  const Folder folder;
  const Ran ran = run_shell(
      folder, "REFUSE_RESTART=1 OMP_PROC_BIND=true " + kRefusals + kProgramPath + " run --dry-run --engine threads");
  EXPECT_EQ(ran.status, 0);
  EXPECT_TRUE(is_one_line(ran.err)) << ran.err;
  EXPECT_THAT(ran.err, AllOf(HasSubstr("cannot start itself again"), HasSubstr("OPENBLAS_NUM_THREADS=1")));
  EXPECT_THAT(ran.out, HasSubstr("\nnodes = " + std::to_string(usable_cores().size()) + "\n"));
  const Ran limited =
      run_shell(folder, "ulimit -v 3000000; REFUSE_RESTART=1 " + kRefusals + kProgramPath + " --version");
  EXPECT_EQ(limited.status, 4) << limited.err;
  EXPECT_THAT(limited.err, AllOf(HasSubstr("memory is limited"), HasSubstr("ulimit -v")));
  const Ran as_wanted = run_shell(folder, "REFUSE_RESTART=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive " +
                                              kRefusals + kProgramPath + " --version");
  EXPECT_EQ(as_wanted.status, 0);
  EXPECT_EQ(as_wanted.err, "");
}

// ---- memory and threads that are refused -------------------------------------------------------------------

// 127: the dynamic linker cannot even load the program's libraries, and says so.
TEST(Start, EveryCommandEndsUnderEveryLimitOnMemory) {
  if (kIsSanitized) GTEST_SKIP() << "sanitizers reserve more address space than these limits grant";
  for (const std::string command :
       {"--version", "--help", "info --quiet",
        "run --dataset gaussian-logistic:3 --nodes 3 --samples-per-node 20 --iterations 3 --output t.h5 --quiet",
        "run --engine threads --oversubscribe --nodes 2 --dataset gaussian-logistic:3 --samples-per-node 20 "
        "--iterations 3 --output "
        "t.h5 --quiet",
        "theory --dry-run", "verify t.h5"})
    for (const int limit_kb : {30'000, 60'000, 90'000, 120'000, 200'000, 300'000, 500'000, 900'000}) {
      const Folder folder;
      const Ran ran =
          run_shell(folder, "ulimit -v " + std::to_string(limit_kb) + "; " + kInTime + kProgramPath + " " + command);
      EXPECT_THAT(ran.status, testing::AnyOf(0, 2, 4, 127)) << command << " within " << limit_kb << " kB: " << ran.err;
      if (ran.status == 2) {
        EXPECT_THAT(command, StartsWith("verify")) << ran.err;
      }
      if (ran.status != 0) {
        EXPECT_NE(ran.err, "") << command << " within " << limit_kb << " kB";
      }
    }
}

TEST(Start, WorkersThatWereNotAskedForAreAsManyAsMemoryGrants) {
  if (kIsSanitized) GTEST_SKIP() << "sanitizers reserve more address space than these limits grant";
  if (usable_cores().size() < 2) GTEST_SKIP() << "needs a second core";
  const std::string run =
      "run --dataset gaussian-logistic:3 --nodes 4 --graph complete --algorithm dsgd --samples-per-node 20 "
      "--iterations 3 --overwrite --output t.h5";
  int limits_of_one_alone = 0;
  for (int limit_kb = 240'000; limit_kb <= 600'000; limit_kb += 40'000) {
    const Folder folder;
    const auto within = [&](const std::string& more) {
      return run_shell(folder,
                       "ulimit -v " + std::to_string(limit_kb) + "; " + kInTime + kProgramPath + " " + run + more);
    };
    const Ran one = within(" --threads 1"), two = within(" --threads 2"), left_open = within("");
    EXPECT_EQ(left_open.status, one.status) << limit_kb << " kB: " << left_open.err << one.err;
    if (one.status != 0 || two.status == 0) continue;
    ++limits_of_one_alone;
    EXPECT_EQ(two.status, 4) << two.err;
    EXPECT_THAT(left_open.err, HasSubstr("quantimed: --threads auto: 1 of "));
  }
  EXPECT_GT(limits_of_one_alone, 0);
}

TEST(Start, AThreadThatIsRefusedEndsEveryRunWithStatusFour) {
  if (kIsSanitized) GTEST_SKIP() << "a sanitizer's runtime must be loaded first";
  const std::string small =
      " --dataset gaussian-logistic:3 --samples-per-node 50 --iterations 50 --model mlp:4 --output t.h5 --quiet ";
  for (const std::string& command :
       {"run --threads 3 --nodes 4" + small,
        "run --engine threads --nodes 3 --threads 1 --graph complete --oversubscribe" + small,
        "run --engine threads --algorithm quantimed-dsgd --deadline auto --nodes 2 --threads 1 --graph complete "
        "--oversubscribe "
        "--interference 1,0.5,0.01" +
            small,
        "run --engine threads --algorithm quantimed-dsgd --deadline auto --nodes 2 --threads 2 --graph complete "
        "--oversubscribe "
        "--interference 2,0.5,0.01" +
            small})
    for (int granted = 0; granted <= 4; ++granted) {
      const Folder folder;
      const Ran ran = run_shell(folder, "export REFUSE_THREADS_BEYOND=" + std::to_string(granted) + "; " + kRefusals +
                                            kInTime + kProgramPath + " " + command);
      if (ran.status == 0) {
        EXPECT_GE(granted, 2) << command;  // as many threads as that were not asked for
        continue;
      }
      EXPECT_EQ(ran.status, 4) << command << " with threads " << granted << ": " << ran.err;
      EXPECT_TRUE(is_one_line(ran.err)) << ran.err;
    }
}

// ---- more nodes than OpenBLAS has buffers -------------------------------------------------------------------

TEST(Start, SixHundredNodesShareTheBuffersOfOpenBlas) {
  if (kIsSanitized) GTEST_SKIP() << "takes minutes under a sanitizer";
  const Folder folder;
  const Ran ran = run_program(
      folder,
      "run --engine threads --oversubscribe --nodes 600 --graph ring --algorithm async-dsgd --dataset digits "
      "--samples-per-node 15 --batch 8 --iterations 20 --evaluations 2 --model mlp:20 --quiet --output t.h5");
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(read_trace(folder / "t.h5").network.nodes, 600u);
}

// Of graphics cards nothing is asked, and what looks for them takes longer to load than many runs take (no plug-in may
// be installed here). HWLOC_PLUGINS_PATH holds where it is set: the folder is looked into.
TEST(Start, NoPluginOfHwlocIsLoaded) {
  const Folder folder;
  const std::string run = kProgram + "run --dry-run --dataset digits:600 --nodes 4 --samples-per-node 20";
  const Ran ran = run_program(folder, "version > /dev/null; LD_DEBUG=files " + run);
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("libhwloc"), Not(HasSubstr("/hwloc_"))));
  spill(folder / "hwloc_mine.so", "no library");
  const Ran asked = run_program(folder, "version > /dev/null; HWLOC_PLUGINS_PATH=. LD_DEBUG=files " + run);
  EXPECT_EQ(asked.status, 0);
  EXPECT_THAT(asked.err, HasSubstr("/hwloc_mine"));
}

TEST(Start, AThousandAndTwentyFourNodesRun) {
  if (kIsSanitized) GTEST_SKIP() << "takes minutes under a sanitizer";
  const Folder folder;
  const Ran ran =
      run_program(folder,
                  "run --engine threads --oversubscribe --nodes 1024 --graph ring --algorithm dsgd --dataset digits "
                  "--samples-per-node 9 --batch 8 --iterations 5 --evaluations 2 --model mlp:8 --quiet --output t.h5");
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(read_trace(folder / "t.h5").network.nodes, 1024u);
}

}  // namespace
}  // namespace quantimed

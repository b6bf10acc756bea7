// SPDX-License-Identifier: BSD-3-Clause
// Memory that is refused from some moment on, at every moment of writing a trace.
#include "sample.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <new>
#include <string>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define QUANTIMED_OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define QUANTIMED_OWN_MALLOC 0
#endif
#endif
#ifndef QUANTIMED_OWN_MALLOC
#define QUANTIMED_OWN_MALLOC 1
#endif

#if QUANTIMED_OWN_MALLOC
// This program's malloc, and so libhdf5's: glibc's own until the k-th call that counts, nothing from then on.
namespace {
constexpr long kNever = std::numeric_limits<long>::max();
std::atomic<long> calls_left = kNever;
bool is_refused() {
  if (calls_left.load(std::memory_order_relaxed) == kNever) return false;
  if (calls_left.fetch_sub(1, std::memory_order_relaxed) > 0) return false;
  errno = ENOMEM;
  return true;
}
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* malloc(std::size_t bytes) { return is_refused() ? nullptr : __libc_malloc(bytes); }
void* calloc(std::size_t count, std::size_t bytes) { return is_refused() ? nullptr : __libc_calloc(count, bytes); }
void* realloc(void* old, std::size_t bytes) { return is_refused() ? nullptr : __libc_realloc(old, bytes); }
}
#endif

namespace quantimed {
namespace {

enum Ending { written = 0, refused = 10, other_error = 11, half_a_file = 12 };

// Of private memory, as RLIMIT_DATA counts it.
rlim_t data_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (rlim_t kib = 0; word == "VmData:" && status >> kib) return kib << 10;
  return 0;
}

#if QUANTIMED_OWN_MALLOC

using Memory = Folder;

// How a process ends that writes the trace while only so many more allocations are granted, and then exits as usual.
int ending_of(const std::string& path, const Trace& trace, long calls) {
  const pid_t child = ::fork();
  if (child == 0) {
    int ending = written;
    calls_left = calls;
    try {
      write_trace(path, trace);
    } catch (const MachineRefused&) {
      ending = refused;
    } catch (const std::bad_alloc&) {
      ending = refused;
    } catch (...) {
      ending = other_error;
    }
    calls_left = kNever;  // GoogleTest's own end needs some
    std::exit(ending);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// How many there are at most, in the process that calls write_trace() and in the one that calls HDF5.
long calls_of(const std::string& path, const Trace& trace) {
  long calls = 1;
  while (ending_of(path, trace, calls) != written) calls *= 2;
  return calls;
}

void expect_no_moment_is_fatal(const std::string& path, const Trace& trace) {
  const long calls = calls_of(path, trace);
  std::filesystem::remove(path);
  // Each of the first ones, where the process itself and HDF5's beginning are, then ever fewer.
  long refusals = 0;
  for (long k = 0; k <= calls; k += 1 + k / 8) {
    const int ending = ending_of(path, trace, k);
    ASSERT_TRUE(ending == written || ending == refused) << "after " << k << " allocations: " << ending;
    ASSERT_EQ(std::filesystem::exists(path), ending == written) << k;
    if (ending == written) {
      const auto findings = verify_trace(read_trace(path));
      ASSERT_TRUE(findings.empty()) << k << ": " << findings.front();
      std::filesystem::remove(path);
    }
    refusals += ending == refused;
  }
  EXPECT_GT(refusals, 20);
  EXPECT_EQ(ending_of(path, trace, calls), written);
  std::filesystem::remove(path);
}

TEST_F(Memory, ThatIsRefusedAtAnyMomentOfWritingIsAnErrorAndNoMore) {
  Trace trace = sample_trace(40, 60);
  trace.checkpoint = sample_checkpoint(trace);
  expect_no_moment_is_fatal(path("t.h5"), trace);
  EXPECT_EQ(files(), 0u);  // nothing is left behind either
}

TEST_F(Memory, ThatIsRefusedWhileManyChunksAreWrittenIsAnErrorAndNoMore) {
  const Trace trace = sample_trace(700, 1000);
  expect_no_moment_is_fatal(path("t.h5"), trace);
  EXPECT_EQ(files(), 0u);
}

#endif

// Where the system grants no more at all, what was set aside is enough.
using Reserve = Folder;

TEST_F(Reserve, IsEnoughToWriteALongRunsTrace) {
#if !QUANTIMED_OWN_MALLOC
  GTEST_SKIP() << "sanitizers keep memory of their own";
#endif
  const Trace trace = sample_trace(3000, 1000);
  hold_memory_for_traces();
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_DATA, &limit), 0);
  const rlimit before = limit;
  limit.rlim_cur = 1 << 20;  // less than there is
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &limit), 0);
  std::string failure;
  try {
    write_trace(path("t.h5"), trace);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  ::setrlimit(RLIMIT_DATA, &before);
  EXPECT_EQ(failure, "");
  EXPECT_TRUE(verify_trace(read_trace(path("t.h5"))).empty());
}

using Reading = Folder;

// Not the file's fault: the same command can succeed where more memory is granted.
TEST_F(Reading, WithoutEnoughMemoryIsARefusalOfTheMachine) {
#if !QUANTIMED_OWN_MALLOC
  GTEST_SKIP() << "sanitizers keep memory of their own";
#endif
  write_trace(path("t.h5"), sample_trace(700, 1000));  // takes over 40 MiB
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit little{.rlim_cur = data_bytes() + (16u << 20), .rlim_max = RLIM_INFINITY};
    int ending = ::setrlimit(RLIMIT_DATA, &little) == 0 ? written : half_a_file;
    std::string why;
    try {
      read_trace(path("t.h5"));
    } catch (const MachineRefused& refusal) {
      why = refusal.what();
      ending = refused;
    } catch (const std::exception&) {
      ending = other_error;
    }
    if (ending == refused && why.find("t.h5: does not fit into the memory that is free") == std::string::npos)
      ending = other_error;
    ::_exit(ending);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), refused);
}

}  // namespace
}  // namespace quantimed

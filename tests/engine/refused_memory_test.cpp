// SPDX-License-Identifier: BSD-3-Clause
// Memory that is refused at any moment of a virtual run, inside of a parallel region too, ends the run with an
// exception or an outcome that says so; never the program.
#include "engine/small_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
std::atomic<std::int64_t> allocations_left = kNever;  // then none is granted
std::atomic<bool> refuses_once = false;               // … but one, and then all are again
std::atomic<bool> has_refused = false;

bool is_granted() {
  if (allocations_left.load() == kNever || allocations_left.fetch_sub(1) > 0) return true;
  has_refused = true;
  if (refuses_once.load()) allocations_left = kNever;
  return false;
}

[[maybe_unused]] void* allocate(std::size_t size, std::size_t alignment) {
  void* memory = is_granted() ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment) : nullptr;
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Sanitizers have their own, which tell new from malloc.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr bool kRefuses = true;
void* operator new(std::size_t size) { return allocate(size, 16); }
void* operator new(std::size_t size, std::align_val_t align) { return allocate(size, static_cast<std::size_t>(align)); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#else
constexpr bool kRefuses = false;
#endif

namespace quantimed {
namespace {

// Sees the run and takes no memory itself.
class BlindWatcher final : public Watcher {
 public:
  bool observe(const Cut&) override { return true; }
  bool wants_to_stop() override { return false; }
  void progress(double) override {}
  void checkpoint(const RoundsSource&, std::optional<Checkpoint>) override {}
  bool checkpoint_due() override { return false; }
};

enum class End { whole, refused, by_exception };

End run_with(std::int64_t allocations, bool once, const Run& run) {
  BlindWatcher watcher;
  refuses_once = once;
  has_refused = false;
  allocations_left = allocations;
  End end = End::whole;
  try {
    const Outcome outcome = run_virtual(run, watcher);
    allocations_left = kNever;
    if (!outcome.failure.empty()) {
      EXPECT_TRUE(outcome.machine_refused) << outcome.failure;
      EXPECT_THAT(outcome.failure, testing::HasSubstr("the machine's memory is used up"));
      end = End::refused;
    }
  } catch (const std::bad_alloc&) {
    allocations_left = kNever;
    end = End::by_exception;
  }
  return end;
}

TEST(RefusedMemory, AtAnyMomentEndsAVirtualRunAndNotTheProgram) {
  if (!kRefuses) GTEST_SKIP() << "the sanitizer's allocator grants everything";
  for (const char* algorithm : {"quantimed-dsgd", "async-dsgd"})
    for (const bool once : {false, true}) {
      const SmallRun small(algorithm, 5, "complete");
      auto run = small.run();
      run.threads = 3;
      run.iterations = 12;
      int ends[3] = {};
      // Streams swallow what they are refused, so that a run may do without it.
      std::int64_t allowed = 0;
      do ++ends[static_cast<int>(run_with(allowed, once, run))];
      while (has_refused && (allowed += 1 + allowed / 50) < 1'000'000);
      EXPECT_FALSE(has_refused) << "no run was whole";
      EXPECT_GT(ends[static_cast<int>(End::by_exception)], 10) << algorithm;
      EXPECT_LT(ends[static_cast<int>(End::whole)], 10) << algorithm;
      if (once) {
        EXPECT_GT(ends[static_cast<int>(End::refused)], 3) << algorithm;
      }
    }
}

}  // namespace
}  // namespace quantimed

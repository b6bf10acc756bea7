// SPDX-License-Identifier: BSD-3-Clause
// Runs before the constructors of all libraries, and so before OpenBLAS starts a thread for each core and before
// OpenMP's runtime binds the first thread to one of them, which main() could not tell from a mask that the user gave.
// Both read the environment, and what is changed in it here by setenv() does not last: the C library takes it over
// later. So the program starts itself once more, with the environment that variables.hpp asks for, and only where
// something is to be changed: its libraries are loaded twice then, with libhdf5's curl and TLS tens of milliseconds.
//
// No library has been initialised, sanitizers' runtimes among them: so nothing here but system calls and own loops, and
// the file is compiled without instrumentation.
#include "start/variables.hpp"

#include <fcntl.h>
#ifndef QUANTIMED_OTHER_BLAS
#include <openblas_config.h>
#endif
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace quantimed::start {

namespace {

constexpr int kRefusedByTheMachine = 4;  // commands.hpp

// ---- strings, without the C library's ------------------------------------------------------------------

std::size_t length(const char* text) {
  std::size_t count = 0;
  while (text[count] != '\0') ++count;
  return count;
}

bool begins_with(const char* text, const char* start) {
  for (; *start != '\0'; ++text, ++start)
    if (*text != *start) return false;
  return true;
}

bool is_same(const char* a, const char* b) { return begins_with(a, b) && length(a) == length(b); }

char* copy(char* to, const char* text) {
  while (*text != '\0') *to++ = *text++;
  *to = '\0';
  return to;
}

char* write_number(char* to, long value) {
  char digits[24];
  int count = 0;
  do digits[count++] = static_cast<char>('0' + value % 10);
  while ((value /= 10) > 0);
  while (count > 0) *to++ = digits[--count];
  *to = '\0';
  return to;
}

void say(const char* text) { static_cast<void>(::syscall(SYS_write, STDERR_FILENO, text, length(text))); }

// ---- the environment -------------------------------------------------------------------------------------

bool is_wanted(const char* variable) {
  for (const char* wanted : kWanted)
    if (is_same(variable, wanted)) return true;
  return false;
}

bool is_set_aside(const char* variable) {
  if (is_wanted(variable)) return false;
  for (const char* name : kSetAside) {
    const std::size_t end = length(name);
    if (begins_with(variable, name) &&
        (variable[end] == '=' || begins_with(variable + end, "_ALL") || begins_with(variable + end, "_DEV")))
      return true;
  }
  return false;
}

// Of a process that started this one.
bool is_of_another(const char* variable) { return begins_with(variable, kMark) || begins_with(variable, kKeptAs); }

bool is_as_wanted(char** environment) {
  std::size_t there = 0;
  for (char** each = environment; *each != nullptr; ++each) {
    if (is_set_aside(*each)) return false;
    there += is_wanted(*each);
  }
  return there >= sizeof kWanted / sizeof *kWanted;
}

// "QUANTIMED_STARTED=PID:" of this process, which keeps its number when it starts itself again.
char* write_mark(char* to) { return copy(write_number(copy(to, kMark), ::syscall(SYS_getpid)), ":"); }

// The name after the mark; null where this process has not started itself again.
const char* name_in_mark(char** environment) {
  char mark[64];
  const char* const end = write_mark(mark);
  for (char** each = environment; *each != nullptr; ++each)
    if (begins_with(*each, mark)) return *each + (end - mark);
  return nullptr;
}

// ---- starting again ----------------------------------------------------------------------------------------

void* take_memory(std::size_t bytes) {
  const long got = ::syscall(SYS_mmap, nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return got == -1 ? nullptr : reinterpret_cast<void*>(got);
}

// As it is wanted, with what was set aside under other names, and the mark. Null where there is no memory.
char** changed(char** environment) {
  constexpr std::size_t kMarkBytes = 128, kMore = sizeof kWanted / sizeof *kWanted + 2;
  std::size_t count = 0, bytes = kMarkBytes;
  for (; environment[count] != nullptr; ++count)
    if (is_set_aside(environment[count])) bytes += length(kKeptAs) + length(environment[count]) + 1;
  auto** const result = static_cast<char**>(take_memory((count + kMore) * sizeof(char*) + bytes));
  if (result == nullptr) return nullptr;
  auto* text = reinterpret_cast<char*>(result + count + kMore);
  char** next = result;
  for (char** each = environment; *each != nullptr; ++each) {
    if (is_wanted(*each) || is_of_another(*each)) continue;
    *next++ = *each;
    if (!is_set_aside(*each)) continue;
    next[-1] = text;
    text = copy(copy(text, kKeptAs), *each) + 1;
  }
  for (const char* wanted : kWanted) *next++ = const_cast<char*>(wanted);
  *next++ = text;
  char* const name = write_mark(text);
  if (::prctl(PR_GET_NAME, name) != 0) *name = '\0';
  *next = nullptr;
  return result;
}

// Where the dynamic linker was called by its own name, it is what /proc/self/exe names.
bool is_called_through_the_linker() { return ::getauxval(AT_BASE) == 0; }

bool has_limited_memory() {
  rlimit limit{};
  return ::syscall(SYS_prlimit64, 0, RLIMIT_AS, nullptr, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

// The patch number of "OpenBLAS 0.3.29"; 0 where it is written otherwise.
[[maybe_unused]] constexpr int openblas_patch(const char* version) {
  for (; *version != '\0'; ++version)
    if (version[0] == '0' && version[1] == '.' && version[2] == '3' && version[3] == '.') {
      int patch = 0;
      for (version += 4; *version >= '0' && *version <= '9'; ++version) patch = 10 * patch + (*version - '0');
      return patch;
    }
  return 0;
}

// From its constructor on, the OpenBLAS of Debian 13 holds a buffer of 128 MiB, and asks for it for ever where it is
// refused; 0.3.21 of Debian 12 did without. The rest is for what libraries take beside it.
#ifndef QUANTIMED_OTHER_BLAS
constexpr bool kOpenBlasTakesABuffer = openblas_patch(OPENBLAS_VERSION) > 21;
#elif defined(QUANTIMED_WITHOUT_OPENBLAS)
constexpr bool kOpenBlasTakesABuffer = false;
#else
constexpr bool kOpenBlasTakesABuffer = true;  // one of an unknown version, or that LAPACK brings along
#endif
constexpr std::size_t kOpenBlasBuffer = (std::size_t{128} << 20) + (std::size_t{4} << 20);

void require_room_for_openblas() {
  if (!kOpenBlasTakesABuffer) return;
  void* const probe = take_memory(kOpenBlasBuffer);
  if (probe == nullptr) {
    say("quantimed: ulimit -v or -d, or the system's limit on committed memory, leaves less than the 132 MiB that "
        "OpenBLAS takes when it starts; raise it by as much, or lift it\n");
    ::syscall(SYS_exit_group, kRefusedByTheMachine);
  }
  ::syscall(SYS_munmap, probe, kOpenBlasBuffer);
}

// Libraries' constructors end in SIGSEGV on a stack of 64 KiB. Raised as far as the caller allows: threads that are
// started later have theirs from the limit at the program's start, so it starts itself again. False: nothing to raise.
bool raise_limit_of_stack() {
  constexpr rlim_t kKiB = 1024, kLeast = 128 * kKiB, kEnough = 1024 * kKiB, kUsual = 8192 * kKiB;
  rlimit limit{};
  if (::syscall(SYS_prlimit64, 0, RLIMIT_STACK, nullptr, &limit) != 0 || limit.rlim_cur >= kEnough) return false;
  rlimit raised = limit;
  raised.rlim_cur = limit.rlim_max < kUsual ? limit.rlim_max : kUsual;
  const bool is_raised =
      raised.rlim_cur > limit.rlim_cur && ::syscall(SYS_prlimit64, 0, RLIMIT_STACK, &raised, nullptr) == 0;
  if ((is_raised ? raised : limit).rlim_cur >= kLeast) return is_raised;
  say("quantimed: ulimit -s leaves a stack of less than the 128 KiB that libraries need to start; raise it to its "
      "usual 8192\n");
  ::syscall(SYS_exit_group, kRefusedByTheMachine);
  return false;
}

// The program goes on as it was started: at least nothing binds its first thread. What is renamed takes no more room.
void do_without(char** environment, char** wanted) {
  if (wanted != nullptr)
    for (char** each = environment; *each != nullptr; ++each)
      if (is_set_aside(*each))
        for (char** renamed = wanted; *renamed != nullptr; ++renamed)
          if (begins_with(*renamed, kKeptAs) && is_same(*renamed + length(kKeptAs), *each)) {
            *each = *renamed;
            break;
          }
  say("quantimed: cannot start itself again (no /proc, or exec is refused) to keep its libraries from starting "
      "threads ");
  if (has_limited_memory()) {  // they would ask for memory for ever, and so would the program's end
    say("where memory is limited; set OPENBLAS_NUM_THREADS=1 and OMP_WAIT_POLICY=passive, or lift ulimit -v\n");
    ::syscall(SYS_exit_group, kRefusedByTheMachine);
  }
  say("that it does not use; set OPENBLAS_NUM_THREADS=1 and OMP_WAIT_POLICY=passive\n");
}

void begin(int /*argc*/, char** arguments, char** environment) {
  if (const char* name = name_in_mark(environment)) {  // once is enough, whatever the environment is now
    ::prctl(PR_SET_NAME, name);                        // /proc/self/exe made it "exe"
    require_room_for_openblas();
    return;
  }
  if (!raise_limit_of_stack() && is_as_wanted(environment)) {
    require_room_for_openblas();
    return;
  }
  char** const wanted = changed(environment);
  if (wanted != nullptr && !is_called_through_the_linker()) {
    ::execve("/proc/self/exe", arguments, wanted);
    ::execve(reinterpret_cast<const char*>(::getauxval(AT_EXECFN)), arguments, wanted);
  }
  do_without(environment, wanted);
}

}  // namespace

}  // namespace quantimed::start

// Its name is for programs that link the library, which would leave out what nobody refers to.
extern "C" {
extern void (*const quantimed_runs_first)(int, char**, char**);
[[gnu::section(".preinit_array"), gnu::used]] void (*const quantimed_runs_first)(int, char**,
                                                                                 char**) = quantimed::start::begin;
}

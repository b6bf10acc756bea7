// SPDX-License-Identifier: BSD-3-Clause
// Which BLAS this is, and what it must keep to: one thread a call, several callers at once, right products. The library
// is asked itself, so that any path may be given to -DQUANTIMED_BLAS.
#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "blas/blas.hpp"
#include "blas/calls.hpp"

// OpenBLAS's functions where it was linked: without them a static one would be left out of sight.
extern "C" {
[[gnu::weak]] char* openblas_get_config();
[[gnu::weak]] char* openblas_get_corename();
[[gnu::weak]] int openblas_get_parallel();
[[gnu::weak]] void openblas_set_num_threads(int);
[[gnu::weak]] int openblas_get_num_threads();
// Its own functions for its table of buffers; a build may hide them.
[[gnu::weak]] void* blas_memory_alloc(int);
[[gnu::weak]] void blas_memory_free(void*);
}

namespace quantimed::blas {
namespace {

enum class Library { openblas, blis, mkl, other };

// Where the products come from: the first library with CBLAS, which LD_PRELOAD may have put before the one linked.
Dl_info place_of(const void* function) {
  Dl_info info{};
  if (!function || ::dladdr(function, &info) == 0) return {};
  return info;
}
const void* cblas() {
  const void* const found = ::dlsym(RTLD_DEFAULT, "cblas_sgemm");
  return found ? found : reinterpret_cast<const void*>(&cblas_sgemm);
}
std::string file_of_library() {
  const Dl_info info = place_of(cblas());
  return info.dli_fname ? std::filesystem::path(info.dli_fname).filename().string() : "CBLAS";
}

// A function of whichever library it is; null where there is none of that name.
template <class Function>
Function* function_of(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
}
bool is_beside_cblas(const char* name) {
  const void* const found = ::dlsym(RTLD_DEFAULT, name);
  return found && place_of(found).dli_fbase == place_of(cblas()).dli_fbase;
}

using SetThreads = void(int);
using GetThreads = int();
using SetThreads64 = void(std::int64_t);
using GetNumber64 = std::int64_t();
using GetText = const char*();

std::int64_t number64(const char* name, std::int64_t otherwise) {
  auto* const get = function_of<GetNumber64>(name);
  return get ? get() : otherwise;
}

// MKL's functions lie in several files. A LAPACK may have brought along an OpenBLAS whose products nobody calls.
Library find_library() {
  if (function_of<SetThreads>("MKL_Set_Num_Threads") && function_of<GetThreads>("MKL_Get_Max_Threads"))
    return Library::mkl;
  if (is_beside_cblas("bli_thread_set_num_threads") && is_beside_cblas("bli_thread_get_num_threads"))
    return Library::blis;
  const bool is_linked = openblas_get_config && openblas_get_parallel;
  const bool is_static = is_linked && !::dlsym(RTLD_DEFAULT, "openblas_get_config");
  if (is_linked && (is_static || is_beside_cblas("openblas_get_config"))) return Library::openblas;
  return Library::other;
}
Library library() {
  static const Library found = find_library();
  return found;
}

// ---- OpenBLAS's table of buffers ---------------------------------------------------------------------

// The library keeps what it has once taken, so from then on nobody else can use this room up; a call that found none
// would ask the system for ever. All are there at once before the first is handed over, so that a refusal is seen; one
// by one, because the kernel refuses a large block that it would grant in parts. They cost address space (no page is
// touched) and some 20 us each.
void take_buffers(std::size_t buffers) {
  static std::size_t held = 0;  // admit() is called between runs, by one thread
  if (buffers <= held) return;
  constexpr std::size_t kBytes = (std::size_t{128} << 20) + (std::size_t{64} << 10);
  std::vector<void*> taken;
  for (std::size_t k = held; k < buffers; ++k) {
    void* buffer = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) break;
    taken.push_back(buffer);
  }
  const std::size_t granted = held + taken.size();
  const bool can_keep = granted >= buffers && blas_memory_alloc && blas_memory_free;
  std::vector<void*> kept;
  if (can_keep)  // those that it holds already come first
    for (std::size_t k = 0; k < held; ++k) kept.push_back(blas_memory_alloc(0));
  for (void* buffer : taken) {
    ::munmap(buffer, kBytes);
    if (can_keep) kept.push_back(blas_memory_alloc(0));
  }
  for (void* buffer : kept) blas_memory_free(buffer);
  if (granted < buffers)
    throw MachineRefused(
        "memory: OpenBLAS needs {} MiB of address space for each of {} threads, and {} are granted; raise ulimit -v, "
        "or "
        "use fewer --threads and --nodes",
        kBytes >> 20, buffers, granted);
  if (can_keep) held = buffers;
}

void admit_to_openblas(std::size_t callers, bool may_wait) {
  const Buffers there = buffers();
  const std::size_t at_once = (may_wait ? there.usual : there.at_most) - there.held;
  const bool must_wait = callers > at_once;
  if (must_wait && !may_wait)
    throw InputError(
        "{} threads: {} was built for {} threads, and its table of buffers has room for {} calls at once; use fewer, "
        "or "
        "link an OpenBLAS that was built with NUM_THREADS={} or more",
        callers, description(), there.usual / 2, at_once, callers);
  take_buffers(must_wait ? at_once : callers);
  limit_calls(must_wait ? at_once : 0);
}

// ---- what is seen by trying ----------------------------------------------------------------------------

std::ptrdiff_t threads_of_this_process() {
  std::error_code error;
  std::filesystem::directory_iterator tasks("/proc/self/task", error);
  return error ? 0 : std::distance(begin(tasks), end(tasks));
}

// C = A Bᵀ of small whole numbers, whose sums every order gives exactly. False where one is wrong.
bool multiplies(std::size_t m, std::size_t n, std::size_t k, int repeats) {
  std::vector<Real> a(m * k), b(n * k), c(m * n), expected(m * n, 0.0f);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<Real>(i * 7 % 13) - 6;
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<Real>(i * 5 % 11) - 5;
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t l = 0; l < k; ++l) expected[i * n + j] += a[i * k + l] * b[j * k + l];
  for (int repeat = 0; repeat < repeats; ++repeat) {
    gemm(Op::none, Op::transpose, m, n, k, a.data(), k, b.data(), k, 0, c.data(), n);
    if (c != expected) return false;
  }
  return true;
}

constexpr const char* kWayOut = "build with another BLAS (-DQUANTIMED_BLAS=openblas is tried most)";

void require_right_products() {
  const std::ptrdiff_t threads = threads_of_this_process();
  if (!multiplies(67, 45, 83, 1)) throw InputError("{} multiplies wrongly; {}", description(), kWayOut);
  if (library() == Library::openblas) return;  // the rest it says of itself
  // Large enough for a library to divide among threads; for small ones none would.
  if (!multiplies(200, 190, 210, 1)) throw InputError("{} multiplies wrongly; {}", description(), kWayOut);
  if (threads_of_this_process() > threads)
    throw InputError("{} starts threads of its own for one product; {}", description(), kWayOut);
  // Debian 12's serial OpenBLAS, whose callers share a buffer, fails this.
  std::array<bool, 3> is_right{};
  {
    std::vector<std::jthread> callers;
    for (bool& each : is_right) callers.emplace_back([&each] { each = multiplies(50, 50, 10, 500); });
  }
  if (!std::ranges::all_of(is_right, [](bool each) { return each; }))
    throw InputError("{} multiplies wrongly where several threads call it at once; {}", description(), kWayOut);
}

}  // namespace

void use_one_thread() {
  switch (library()) {
    case Library::openblas:
      if (constexpr int kSequential = 0; openblas_get_parallel() == kSequential)
        throw InputError(
            "OpenBLAS: this is its serial build, which is not safe to call from several threads; install "
            "libopenblas-pthread-dev and build again");
      if (std::string(openblas_get_config()).find("USE64BITINT") != std::string::npos)
        throw InputError("OpenBLAS: this build counts in 64 bits; install one that counts in 32 (libopenblas-dev)");
      openblas_set_num_threads(1);
      return check(openblas_get_num_threads() == 1, "OpenBLAS does not keep to one thread");
    case Library::blis:
      if (number64("bli_info_get_blas_int_type_size", 32) == 64)
        throw InputError("BLIS: this build counts in 64 bits; install one that counts in 32 (libblis-dev)");
      function_of<SetThreads64>("bli_thread_set_num_threads")(1);
      return check(number64("bli_thread_get_num_threads", 0) == 1, "BLIS does not keep to one thread");
    case Library::mkl:
      function_of<SetThreads>("MKL_Set_Num_Threads")(1);
      return check(function_of<GetThreads>("MKL_Get_Max_Threads")() == 1, "MKL does not keep to one thread");
    case Library::other:
      return;  // admit() sees whether it starts any
  }
}

// The library's driver/others/memory.c: twice NUM_THREADS, which the configuration calls MAX_THREADS, and 512 more in a
// second table. Tried with 0.3.21: 640 calls at once are right, 650 are not. What is older is not trusted to have it.
// Newer ones hold one themselves (0.3.29 opens its second table at the 256th of 256).
Buffers buffers_of(const std::string& config) {
  constexpr std::size_t kFewest = 2, kSecondTable = 512;
  constexpr std::array kFirstWithSecondTable = {0, 3, 21};
  std::size_t threads = 0;
  if (const std::size_t at = config.find("MAX_THREADS="); at != std::string::npos)
    threads = std::strtoul(config.c_str() + at + std::strlen("MAX_THREADS="), nullptr, 10);
  const std::size_t usual = std::max(kFewest, 2 * threads);
  std::array<int, 3> version{};
  const bool has_second =
      std::sscanf(config.c_str(), "OpenBLAS %d.%d.%d", &version[0], &version[1], &version[2]) == 3 &&
      version >= kFirstWithSecondTable;
  return {.usual = usual,
          .at_most = usual + (has_second ? kSecondTable : 0),
          .held = version > kFirstWithSecondTable ? std::size_t{1} : 0};
}

bool has_buffers() { return library() == Library::openblas; }
Buffers buffers() { return has_buffers() ? buffers_of(openblas_get_config()) : Buffers{}; }

void admit(std::size_t callers, bool may_wait) {
  if (has_buffers()) admit_to_openblas(callers, may_wait);
  static const bool is_right = (require_right_products(), true);
  static_cast<void>(is_right);
}

std::string description() {
  switch (library()) {
    case Library::openblas: {
      const std::string config = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH … SkylakeX …"
      const std::size_t name = config.find(' ');
      const std::size_t version = name == std::string::npos ? name : config.find(' ', name + 1);
      return config.substr(0, version) + " " + openblas_get_corename();
    }
    case Library::blis: {
      auto* const version = function_of<GetText>("bli_info_get_version_str");
      auto* const kernel = function_of<GetThreads>("bli_arch_query_id");
      auto* const name_of = function_of<const char*(int)>("bli_arch_string");
      return fmt::format("BLIS {}{}", version ? version() : "of unknown version",
                         kernel && name_of ? std::string(" ") + name_of(kernel()) : "");
    }
    case Library::mkl:
      return "MKL";
    case Library::other:
      return file_of_library();
  }
  return "";
}

std::string slow_kernels(const std::string& description, bool can_avx2, bool can_avx512) {
  // Of x86-64, as openblas_get_corename says them: those without AVX2.
  constexpr std::array kOld = {"Katmai",      "Coppermine", "Northwood",  "Prescott",     "Banias",
                               "Core2",       "Penryn",     "Dunnington", "Nehalem",      "Atom",
                               "Sandybridge", "Athlon",     "Opteron",    "Opteron_SSE3", "Barcelona",
                               "Bobcat",      "Bulldozer",  "Piledriver", "Steamroller",  "Nano"};
  const std::string kernel = description.substr(description.rfind(' ') + 1);
  if (!can_avx2 || !description.starts_with("OpenBLAS ") || std::ranges::find(kOld, kernel) == kOld.end()) return {};
  return fmt::format(
      "{} computes as a {} would, which has no AVX2, and this processor has {}: set OPENBLAS_CORETYPE={}, or install a "
      "newer OpenBLAS; products then take a fraction of the time.",
      description.substr(0, description.rfind(' ')), kernel, can_avx512 ? "AVX-512" : "it",
      can_avx512 ? "SkylakeX" : "Haswell");
}

std::string slow_kernels() {
#ifdef __x86_64__
  __builtin_cpu_init();
  return slow_kernels(description(), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"));
#else
  return {};
#endif
}

std::string configuration() {
  switch (library()) {
    case Library::openblas:
      return openblas_get_config();
    case Library::blis: {
      const bool has_openmp = number64("bli_info_get_enable_openmp", 0) != 0;
      const bool has_pthreads = number64("bli_info_get_enable_pthreads", 0) != 0;
      return fmt::format("{}, threads by {}", file_of_library(),
                         has_openmp     ? "OpenMP"
                         : has_pthreads ? "pthreads"
                                        : "nobody");
    }
    case Library::mkl: {
      std::array<char, 256> version{};
      auto* const ask = function_of<void(char*, int)>("MKL_Get_Version_String");
      if (ask) ask(version.data(), static_cast<int>(version.size() - 1));
      return version.data();
    }
    case Library::other:
      return file_of_library();
  }
  return "";
}

}  // namespace quantimed::blas

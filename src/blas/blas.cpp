// SPDX-License-Identifier: BSD-3-Clause
#include "blas/blas.hpp"

#include <cblas.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <semaphore>
#include <vector>

#include "base/error.hpp"
#include "base/types.hpp"

// LAPACK's symmetric eigenvalues, as OpenBLAS exports it. The last two are Fortran's hidden lengths of the strings.
extern "C" void dsyev_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w,
                       double* work, const int* lwork, int* info, std::size_t, std::size_t);

// Its own functions for its table of buffers; null in a build that hides them.
extern "C" [[gnu::weak]] void* blas_memory_alloc(int);
extern "C" [[gnu::weak]] void blas_memory_free(void*);

namespace quantimed::blas {
namespace {

int to_int(std::size_t count) {
  check(count <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "matrix too large for BLAS");
  return static_cast<int>(count);
}

// ---- the table of buffers ----------------------------------------------------------------------------

// Calls that may be under way at once; 0: as many as there are, because they are few. Set between runs, by one thread.
std::atomic<std::size_t> permits_in_all = 0;
std::unique_ptr<std::counting_semaphore<>> permits;

// Held while OpenBLAS works.
class Permit {
 public:
  Permit() : is_counted_(permits_in_all.load(std::memory_order_relaxed) > 0) {
    if (is_counted_) permits->acquire();
  }
  ~Permit() {
    if (is_counted_) permits->release();
  }
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;

 private:
  bool is_counted_;
};

void limit_calls(std::size_t at_once) {
  permits = at_once > 0 ? std::make_unique<std::counting_semaphore<>>(static_cast<std::ptrdiff_t>(at_once)) : nullptr;
  permits_in_all = at_once;
}

// All at once, one by one: the kernel refuses a large block that it would grant in parts.
void require_memory(std::size_t buffers) {
  constexpr std::size_t kBytes = (std::size_t{128} << 20) + (std::size_t{64} << 10);
  std::vector<void*> taken;
  for (std::size_t k = 0; k < buffers; ++k) {
    void* buffer = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) break;
    taken.push_back(buffer);
  }
  for (void* buffer : taken) ::munmap(buffer, kBytes);
  if (taken.size() < buffers)
    throw MachineRefused(
        "memory: OpenBLAS needs {} MiB of address space for each of {} threads, and {} are granted; raise ulimit -v, "
        "or "
        "use fewer --threads and --nodes",
        kBytes >> 20, buffers, taken.size());
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  if (!blas_memory_alloc || !blas_memory_free) return;
  // The library keeps what it has once taken: from now on nobody else can use this room up.
  for (void*& buffer : taken) buffer = blas_memory_alloc(0);
  for (void* buffer : taken) blas_memory_free(buffer);
}

CBLAS_TRANSPOSE cblas_op(Op op) { return op == Op::none ? CblasNoTrans : CblasTrans; }

void plain_gemm(Op a_op, Op b_op, std::size_t m, std::size_t n, std::size_t k, const float* a, std::size_t lda,
                const float* b, std::size_t ldb, float beta, float* c, std::size_t ldc) {
  const Permit permit;
  cblas_sgemm(CblasRowMajor, cblas_op(a_op), cblas_op(b_op), to_int(m), to_int(n), to_int(k), 1.0f, a, to_int(lda), b,
              to_int(ldb), beta, c, to_int(ldc));
}

// C has one column: stored A times a strided vector.
void gemv(Op a_op, Op b_op, std::size_t m, std::size_t k, const float* a, std::size_t lda, const float* b,
          std::size_t ldb, float beta, float* c, std::size_t ldc) {
  const bool flipped = a_op == Op::transpose;
  const Permit permit;
  cblas_sgemv(CblasRowMajor, cblas_op(a_op), to_int(flipped ? k : m), to_int(flipped ? m : k), 1.0f, a, to_int(lda), b,
              b_op == Op::none ? to_int(ldb) : 1, beta, c, to_int(ldc));
}

// The cutting rule, measured with OpenBLAS 0.3.21's SkylakeX kernels on the products of a batch of 8 … 128 samples
// with layers of 784–50, 1024–30 and 3072–100; elsewhere it only makes a few calls of one.
//   kSmall     OpenBLAS's small-matrix kernels take a product of m·n·k ≤ 10⁶ and read A and B where they lie; above,
//              both are packed, which for these shapes costs as much as a third of the time.
//   kPanel     floats of B read by one piece: with 24 kB of each factor, both stay in the first-level cache.
//   kShortest  a shorter piece (as products large in every direction would need) costs more than packing does.
constexpr std::size_t kSmall = 990'000;
constexpr std::size_t kPanel = 6'000;
constexpr std::size_t kShortest = 48;

// The length of equal pieces, none longer than `longest`; `length` itself where cutting does not pay.
std::size_t piece_length(std::size_t length, std::size_t longest) {
  if (length <= longest || longest < kShortest) return length;
  const std::size_t pieces = (length + longest - 1) / longest;
  return (length + pieces - 1) / pieces;
}

void symmetric_eigen(const char* job, std::size_t n, std::span<double> a, std::span<double> eigenvalues) {
  check(a.size() == n * n && eigenvalues.size() == n, "symmetric_eigen: a is [n, n], eigenvalues [n]");
  if (n == 0) return;
  const Permit permit;
  const int order = to_int(n);
  const auto dsyev = [&](double* work, int length) {
    int info = 0;
    dsyev_(job, "U", &order, a.data(), &order, eigenvalues.data(), work, &length, &info, 1, 1);
    check(info == 0, "symmetric_eigen: dsyev failed");
  };
  double best_length = 0;
  dsyev(&best_length, -1);  // asks only
  std::vector<double> work(static_cast<std::size_t>(best_length));
  dsyev(work.data(), to_int(work.size()));
}

}  // namespace

void gemm(Op a_op, Op b_op, std::size_t m, std::size_t n, std::size_t k, const float* a, std::size_t lda,
          const float* b, std::size_t ldb, float beta, float* c, std::size_t ldc) {
  if (m == 0 || n == 0) return;
  if (n == 1 && k > 0) return gemv(a_op, b_op, m, k, a, lda, b, ldb, beta, c, ldc);

  if (a_op == Op::none && b_op == Op::none) {  // forward, X·W: cut the sum over inputs
    const std::size_t piece = piece_length(k, std::min(kSmall / (m * n), kPanel / n));
    for (std::size_t first = 0; first < k; first += piece, beta = 1)
      plain_gemm(a_op, b_op, m, n, std::min(piece, k - first), a + first, lda, b + first * ldb, ldb, beta, c, ldc);
    if (k > 0) return;
  }
  if (a_op == Op::transpose && b_op == Op::none && k > 0) {  // backward, Xᵀ·D: cut the rows of the result
    const std::size_t piece = piece_length(m, kSmall / (n * k));
    for (std::size_t first = 0; first < m; first += piece)
      plain_gemm(a_op, b_op, std::min(piece, m - first), n, k, a + first, lda, b, ldb, beta, c + first * ldc, ldc);
    return;
  }
  plain_gemm(a_op, b_op, m, n, k, a, lda, b, ldb, beta, c, ldc);  // D·Wᵀ has no small kernel worth cutting for
}

void symmetric_eigenvalues(std::size_t n, std::span<double> a, std::span<double> eigenvalues) {
  symmetric_eigen("N", n, a, eigenvalues);
}

// LAPACK's columns are our rows.
void symmetric_eigenvectors(std::size_t n, std::span<double> a, std::span<double> eigenvalues) {
  symmetric_eigen("V", n, a, eigenvalues);
}

double measured_sgemm_rate(std::size_t size, int repeats) {
  check(size > 0 && repeats > 0, "measured_sgemm_rate: nothing to measure");
  AlignedVector<float> a(size * size, 0.5f), b(size * size, 0.25f), c(size * size);
  const auto multiply = [&] {
    plain_gemm(Op::none, Op::none, size, size, size, a.data(), size, b.data(), size, 0, c.data(), size);
  };
  multiply();
  std::vector<Seconds> seconds;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    multiply();
    seconds.push_back(std::chrono::duration<Seconds>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::nth_element(seconds, seconds.begin() + repeats / 2);
  const double edge = static_cast<double>(size);
  return 2 * edge * edge * edge / seconds[static_cast<std::size_t>(repeats / 2)];
}

void use_one_thread() {
  if (openblas_get_parallel() == OPENBLAS_SEQUENTIAL)
    throw InputError(
        "OpenBLAS: this is its serial build, which is not safe to call from several threads; install "
        "libopenblas-pthread-dev and build again");
  openblas_set_num_threads(1);
  check(openblas_get_num_threads() == 1, "OpenBLAS does not keep to one thread");
}

// The library's driver/others/memory.c: twice NUM_THREADS, which the configuration calls MAX_THREADS, and 512 more in a
// second table. Tried with 0.3.21: 640 calls at once are right, 650 are not. What is older is not trusted to have it.
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
  return {.usual = usual, .at_most = usual + (has_second ? kSecondTable : 0)};
}

Buffers buffers() { return buffers_of(openblas_get_config()); }

void admit(std::size_t callers, bool may_wait) {
  const Buffers there = buffers();
  const bool must_wait = callers > (may_wait ? there.usual : there.at_most);
  if (must_wait && !may_wait)
    throw InputError(
        "{} threads: {} was built for {} threads, and its table of buffers has room for {} calls at once; use fewer, "
        "or "
        "link an OpenBLAS that was built with NUM_THREADS={} or more",
        callers, description(), there.usual / 2, there.at_most, callers);
  require_memory(must_wait ? there.usual : callers);
  limit_calls(must_wait ? there.usual : 0);
}

std::string description() {
  const std::string config = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH … SkylakeX …"
  const std::size_t name = config.find(' ');
  const std::size_t version = name == std::string::npos ? name : config.find(' ', name + 1);
  return config.substr(0, version) + " " + openblas_get_corename();
}

}  // namespace quantimed::blas

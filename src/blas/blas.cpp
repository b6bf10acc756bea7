// SPDX-License-Identifier: BSD-3-Clause
#include "blas/blas.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <semaphore>
#include <vector>

#include "base/error.hpp"
#include "base/types.hpp"
#include "blas/calls.hpp"

namespace quantimed::blas {
namespace {

int to_int(std::size_t count) {
  check(count <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "matrix too large for BLAS");
  return static_cast<int>(count);
}

// ---- calls under way ------------------------------------------------------------------------------------

// limit_calls(): 0 where nobody has to wait.
std::atomic<std::size_t> permits_in_all = 0;
std::unique_ptr<std::counting_semaphore<>> permits;

// Held while the library works.
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

int cblas_op(Op op) { return op == Op::none ? kNoTranspose : kTranspose; }

void plain_gemm(Op a_op, Op b_op, std::size_t m, std::size_t n, std::size_t k, const Real* a, std::size_t lda,
                const Real* b, std::size_t ldb, Real beta, Real* c, std::size_t ldc) {
  const Permit permit;
  cblas_gemm(kRowMajor, cblas_op(a_op), cblas_op(b_op), to_int(m), to_int(n), to_int(k), 1.0f, a, to_int(lda), b,
             to_int(ldb), beta, c, to_int(ldc));
}

// C has one column: stored A times a strided vector.
void gemv(Op a_op, Op b_op, std::size_t m, std::size_t k, const Real* a, std::size_t lda, const Real* b,
          std::size_t ldb, Real beta, Real* c, std::size_t ldc) {
  const bool flipped = a_op == Op::transpose;
  const Permit permit;
  cblas_gemv(kRowMajor, cblas_op(a_op), to_int(flipped ? k : m), to_int(flipped ? m : k), 1.0f, a, to_int(lda), b,
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

// LAPACK says first how much room it works best in: call(room, its length; −1 asks only).
template <class Call>
void with_best_room(const Call& call) {
  double best_length = 0;
  call(&best_length, -1);
  std::vector<double> work(static_cast<std::size_t>(best_length));
  call(work.data(), to_int(work.size()));
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
  with_best_room(dsyev);
}

}  // namespace

void gemm(Op a_op, Op b_op, std::size_t m, std::size_t n, std::size_t k, const Real* a, std::size_t lda, const Real* b,
          std::size_t ldb, Real beta, Real* c, std::size_t ldc) {
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

// The transpose, as LAPACK sees rows, has the same eigenvalues.
std::vector<double> eigenvalue_moduli(std::size_t n, std::span<double> a) {
  check(a.size() == n * n, "eigenvalue_moduli: a is [n, n]");
  std::vector<double> real(n), imaginary(n);
  if (n == 0) return real;
  const Permit permit;
  const int order = to_int(n), one = 1;
  const auto dgeev = [&](double* work, int length) {
    int info = 0;
    dgeev_("N", "N", &order, a.data(), &order, real.data(), imaginary.data(), nullptr, &one, nullptr, &one, work,
           &length, &info, 1, 1);
    check(info == 0, "eigenvalue_moduli: dgeev failed");
  };
  with_best_room(dgeev);
  for (std::size_t k = 0; k < n; ++k) real[k] = std::hypot(real[k], imaginary[k]);
  return real;
}

double measured_sgemm_rate(std::size_t size, int repeats) {
  check(size > 0 && repeats > 0, "measured_sgemm_rate: nothing to measure");
  AlignedVector<Real> a(size * size, 0.5f), b(size * size, 0.25f), c(size * size);
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

void limit_calls(std::size_t at_once) {
  permits = at_once > 0 ? std::make_unique<std::counting_semaphore<>>(static_cast<std::ptrdiff_t>(at_once)) : nullptr;
  permits_in_all = at_once;
}

}  // namespace quantimed::blas

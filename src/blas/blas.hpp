// SPDX-License-Identifier: BSD-3-Clause
// The only user of the BLAS library (OpenBLAS, or another: -DQUANTIMED_BLAS). Row-major, one thread a call.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/real.hpp"

namespace quantimed::blas {

enum class Op : bool { none, transpose };

// C ← A·B + beta·C,  A: [m, k] after its op, B: [k, n] after its op, C: [m, n]; ld*: row strides as stored.
// With beta = 0, C is only written: it may be uninitialised.
// Long products are cut so that OpenBLAS's small-matrix kernels, which skip packing, take the pieces (blas.cpp);
// a product with one column is a matrix times a vector.
void gemm(Op a_op, Op b_op, std::size_t m, std::size_t n, std::size_t k, const Real* a, std::size_t lda, const Real* b,
          std::size_t ldb, Real beta, Real* c, std::size_t ldc);

// Eigenvalues of a symmetric matrix, ascending (LAPACK dsyev).  a: [n, n], destroyed; eigenvalues: [n].
void symmetric_eigenvalues(std::size_t n, std::span<double> a, std::span<double> eigenvalues);
// The same, and row k of a becomes the k-th eigenvector, of length 1.
void symmetric_eigenvectors(std::size_t n, std::span<double> a, std::span<double> eigenvalues);

// Moduli of the eigenvalues of any square matrix, in no order (LAPACK dgeev).  a: [n, n], destroyed; returns [n].
std::vector<double> eigenvalue_moduli(std::size_t n, std::span<double> a);

// FLOP/s of a large square sgemm on one core: the median of a few repeats after a warm-up.
double measured_sgemm_rate(std::size_t size = 1024, int repeats = 5);

// Holds the library to one thread a call. Throws InputError where its build cannot be called from several threads, and
// InternalError if it does not obey.
void use_one_thread();

// OpenBLAS has a table of buffers, one for each call that is under way. Where all are taken it writes beyond the table:
// calls end in SIGFPE, SIGSEGV or with wrong numbers. Its size is compiled into the library.
struct Buffers {
  std::size_t usual = 0;    // 2 · NUM_THREADS of the library's build
  std::size_t at_most = 0;  // with the second table that newer versions open (and tell on standard error)
  std::size_t held = 0;     // of them, by the library itself from its constructor on
};
bool has_buffers();                             // other libraries have no such table
Buffers buffers();                              // of the library in use
Buffers buffers_of(const std::string& config);  // of one that describes itself so (openblas_get_config)

// Before `callers` threads call side by side: what has to be there for them is taken now, and the first call tries the
// library: right products, without threads of its own, and right ones where several threads call at once. Those that
// `may_wait` then do where the usual buffers are taken: a thread more than cores loses nothing by it. Throws InputError
// with the limit and the way out where they are too many or the library fails, and MachineRefused where memory for the
// buffers is refused: OpenBLAS itself would ask for it for ever.
void admit(std::size_t callers, bool may_wait = false);

std::string description();    // version and kernel in use, e.g. "OpenBLAS 0.3.21 SkylakeX"
std::string configuration();  // what it says of its build

// OpenBLAS chooses its kernels by the processor's model. One that is younger than the library is taken for one of 2004,
// and products take several times as long (0.3.21 on an Intel Xeon of 2023: "Prescott", a sixth). This is that, in one
// sentence with the fix, or empty. `can_avx2`, `can_avx512`: what the processor has; `description`: as above.
std::string slow_kernels(const std::string& description, bool can_avx2, bool can_avx512);
std::string slow_kernels();  // of the library in use, on this processor

}  // namespace quantimed::blas

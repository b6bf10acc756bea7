// The only user of OpenBLAS. Row-major, one thread a call.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace quantimed::blas {

enum class Op : bool { none, transpose };

// C ← A·B + beta·C,  A: [m, k] after its op, B: [k, n] after its op, C: [m, n]; ld*: row strides as stored.
// With beta = 0, C is only written: it may be uninitialised.
// Long products are cut so that OpenBLAS's small-matrix kernels, which skip packing, take the pieces (blas.cpp);
// a product with one column is a matrix times a vector.
void gemm(Op a_op, Op b_op, std::size_t m, std::size_t n, std::size_t k, const float* a, std::size_t lda,
          const float* b, std::size_t ldb, float beta, float* c, std::size_t ldc);

// Eigenvalues of a symmetric matrix, ascending (LAPACK dsyev).  a: [n, n], destroyed; eigenvalues: [n].
void symmetric_eigenvalues(std::size_t n, std::span<double> a, std::span<double> eigenvalues);
// The same, and row k of a becomes the k-th eigenvector, of length 1.
void symmetric_eigenvectors(std::size_t n, std::span<double> a, std::span<double> eigenvalues);

// FLOP/s of a large square sgemm on one core: the median of a few repeats after a warm-up.
double measured_sgemm_rate(std::size_t size = 1024, int repeats = 5);

// Holds OpenBLAS to one thread a call and throws InternalError if it does not obey.
void use_one_thread();
// OpenBLAS takes a buffer for each of the threads that call it at once, at their first product, and where memory is
// refused (ulimit -v, an allocation's limit) it asks for ever. Throws bad_alloc instead, before that.
void require_buffers(std::size_t callers);

std::string description();  // version and kernel in use, e.g. "OpenBLAS 0.3.21 SkylakeX"

}  // namespace quantimed::blas

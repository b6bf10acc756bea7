// SPDX-License-Identifier: BSD-3-Clause
// CBLAS as every library exports it (their headers differ in what else they declare), and how many calls may be under
// way. For this folder alone.
#pragma once

#include <cstddef>

extern "C" {
void cblas_sgemm(int order, int a_op, int b_op, int m, int n, int k, float alpha, const float* a, int lda,
                 const float* b, int ldb, float beta, float* c, int ldc);
void cblas_sgemv(int order, int op, int m, int n, float alpha, const float* a, int lda, const float* x, int x_stride,
                 float beta, float* y, int y_stride);
void cblas_dgemm(int order, int a_op, int b_op, int m, int n, int k, double alpha, const double* a, int lda,
                 const double* b, int ldb, double beta, double* c, int ldc);
void cblas_dgemv(int order, int op, int m, int n, double alpha, const double* a, int lda, const double* x, int x_stride,
                 double beta, double* y, int y_stride);
// LAPACK's eigenvalues of symmetric and of any matrices. The last two are Fortran's hidden lengths of the strings.
void dsyev_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w, double* work,
            const int* lwork, int* info, std::size_t, std::size_t);
void dgeev_(const char* left, const char* right, const int* n, double* a, const int* lda, double* real,
            double* imaginary, double* left_vectors, const int* ldl, double* right_vectors, const int* ldr,
            double* work, const int* lwork, int* info, std::size_t, std::size_t);
}

namespace quantimed::blas {

// Of the program's precision.
#ifdef QUANTIMED_DOUBLE
inline constexpr auto& cblas_gemm = cblas_dgemm;
inline constexpr auto& cblas_gemv = cblas_dgemv;
#else
inline constexpr auto& cblas_gemm = cblas_sgemm;
inline constexpr auto& cblas_gemv = cblas_sgemv;
#endif

inline constexpr int kRowMajor = 101, kNoTranspose = 111, kTranspose = 112;

// Calls that may be under way at once; 0: as many as there are, because they are few. Set between runs, by one thread.
void limit_calls(std::size_t at_once);

}  // namespace quantimed::blas

// SPDX-License-Identifier: BSD-3-Clause
#include "blas/blas.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <latch>
#include <limits>
#include <numbers>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"

namespace quantimed::blas {
namespace {

struct Shape {
  std::size_t m, n, k;
};

std::vector<float> random_floats(std::size_t count, std::uint32_t stream) {
  Stream words({.seed = 7, .node = stream});
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(words.uniform(-1, 1));
  return values;
}

// The naive twin: three loops in double; strides wider than the matrices, so that a wrong one is seen.
void expect_gemm(Op a_op, Op b_op, const Shape& s, float beta) {
  const std::size_t lda = (a_op == Op::none ? s.k : s.m) + 3, ldb = (b_op == Op::none ? s.n : s.k) + 2, ldc = s.n + 1;
  const auto a = random_floats((a_op == Op::none ? s.m : s.k) * lda, 1);
  const auto b = random_floats((b_op == Op::none ? s.k : s.n) * ldb, 2);
  const auto before = random_floats(s.m * ldc, 3);
  auto c = before;
  if (beta == 0) std::ranges::fill(c, std::numeric_limits<float>::quiet_NaN());  // must not be read
  gemm(a_op, b_op, s.m, s.n, s.k, a.data(), lda, b.data(), ldb, beta, c.data(), ldc);
  for (std::size_t i = 0; i < s.m; ++i)
    for (std::size_t j = 0; j < s.n; ++j) {
      double sum = beta * static_cast<double>(before[i * ldc + j]);
      for (std::size_t l = 0; l < s.k; ++l)
        sum += static_cast<double>(a_op == Op::none ? a[i * lda + l] : a[l * lda + i]) *
               static_cast<double>(b_op == Op::none ? b[l * ldb + j] : b[j * ldb + l]);
      ASSERT_NEAR(c[i * ldc + j], sum, 4e-6 * std::sqrt(static_cast<double>(s.k)) + 1e-6)
          << s.m << "×" << s.n << "×" << s.k << " at " << i << ", " << j;
    }
}

TEST(Gemm, MatchesThreeLoopsInEveryShapeThatIsCutOrNot) {
  const std::vector<Shape> shapes = {{1, 1, 1},      {1, 5, 3},      {7, 1, 9},      {784, 1, 50},  {3, 4, 1},
                                     {50, 50, 784},  {784, 50, 50},  {8, 50, 784},   {50, 10, 50},  {50, 784, 50},
                                     {31, 29, 1031}, {1031, 29, 31}, {128, 10, 787}, {97, 101, 103}};
  for (const Shape& shape : shapes)
    for (Op a_op : {Op::none, Op::transpose})
      for (Op b_op : {Op::none, Op::transpose})
        for (float beta : {0.0f, 1.0f, 0.5f}) expect_gemm(a_op, b_op, shape, beta);
}

TEST(Gemm, NoInnerDimensionScalesOnly) {
  std::vector<float> c = {1, 2, 3, 4};
  for (Op a_op : {Op::none, Op::transpose}) gemm(a_op, Op::none, 2, 2, 0, c.data(), 2, c.data(), 2, 0.5f, c.data(), 2);
  EXPECT_THAT(c, testing::ElementsAre(0.25f, 0.5f, 0.75f, 1.0f));
}

TEST(Gemm, KeepsNaN) {
  const std::size_t m = 3, n = 2, k = 1000;
  auto a = random_floats(m * k, 1);
  const auto b = random_floats(k * n, 2);
  a[1 * k + 700] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> c(m * n);
  gemm(Op::none, Op::none, m, n, k, a.data(), k, b.data(), n, 0, c.data(), n);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) EXPECT_EQ(std::isnan(c[i * n + j]), i == 1);
}

// The Laplacian of a ring of n has the eigenvalues 2 − 2 cos(2πj/n).
TEST(SymmetricEigenvalues, OfARingAreKnown) {
  const std::size_t n = 12;
  std::vector<double> laplacian(n * n, 0.0), expected, found(n);
  for (std::size_t i = 0; i < n; ++i) {
    laplacian[i * n + i] = 2;
    laplacian[i * n + (i + 1) % n] = laplacian[i * n + (i + n - 1) % n] = -1;
    expected.push_back(2 - 2 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n)));
  }
  std::ranges::sort(expected);
  symmetric_eigenvalues(n, laplacian, found);
  EXPECT_THAT(found, testing::Pointwise(testing::DoubleNear(1e-12), expected));
}

TEST(SymmetricEigenvalues, OfEdgeSizes) {
  std::vector<double> none, one = {-3.5}, found(1);
  symmetric_eigenvalues(0, none, none);
  symmetric_eigenvalues(1, one, found);
  EXPECT_EQ(found[0], -3.5);
  EXPECT_THROW(symmetric_eigenvalues(2, one, found), InternalError);
}

TEST(SymmetricEigenvectors, AreTheRowsAndSolveTheMatrix) {
  const std::vector<double> matrix = {4, 1, -2, 1, 3, 0.5, -2, 0.5, 5};
  std::vector<double> vectors = matrix, eigenvalues(3), only(3), copy = matrix;
  symmetric_eigenvectors(3, vectors, eigenvalues);
  symmetric_eigenvalues(3, copy, only);
  EXPECT_THAT(eigenvalues, testing::Pointwise(testing::DoubleNear(1e-12), only));
  for (std::size_t k = 0; k < 3; ++k) {
    double length = 0;
    for (std::size_t r = 0; r < 3; ++r) {
      double product = 0;
      for (std::size_t c = 0; c < 3; ++c) product += matrix[3 * r + c] * vectors[3 * k + c];
      EXPECT_NEAR(product, eigenvalues[k] * vectors[3 * k + r], 1e-12);
      length += vectors[3 * k + r] * vectors[3 * k + r];
    }
    EXPECT_NEAR(length, 1, 1e-12);
  }
}

// Debian 12's serial OpenBLAS fails this within a few hundred products: all callers pack into one buffer.
TEST(Blas, GivesTheSameBitsWhenSeveralThreadsMultiplyAtOnce) {
  use_one_thread();
  const struct {
    Op a_op, b_op;
    std::size_t m, n, k;
  } shapes[] = {{Op::none, Op::transpose, 20, 9, 3}, {Op::none, Op::transpose, 50, 50, 10},
                {Op::none, Op::none, 50, 50, 784},   {Op::transpose, Op::none, 784, 50, 50},
                {Op::none, Op::none, 200, 200, 200}, {Op::none, Op::none, 50, 1, 30}};
  for (const auto& s : shapes) {
    std::vector<std::size_t> wrong(3, 0);
    const auto multiply = [&](std::size_t thread) {
      std::vector<float> a(s.m * s.k), b(s.k * s.n), first(s.m * s.n), again(s.m * s.n);
      for (std::size_t i = 0; i < a.size(); ++i) a[i] = 0.1f * static_cast<float>((i * 7 + thread) % 13);
      for (std::size_t i = 0; i < b.size(); ++i) b[i] = 0.1f * static_cast<float>((i * 5 + thread) % 11);
      const auto into = [&](std::vector<float>& c) {
        gemm(s.a_op, s.b_op, s.m, s.n, s.k, a.data(), s.a_op == Op::none ? s.k : s.m, b.data(),
             s.b_op == Op::none ? s.n : s.k, 0, c.data(), s.n);
      };
      into(first);
      for (int repeat = 0; repeat < 2000; ++repeat) {
        into(again);
        wrong[thread] += again != first;
      }
    };
    {
      std::vector<std::jthread> threads;
      for (std::size_t thread = 0; thread < wrong.size(); ++thread) threads.emplace_back(multiply, thread);
    }
    EXPECT_THAT(wrong, testing::Each(0u)) << s.m << " " << s.n << " " << s.k;
  }
}

TEST(Blas, KeepsToOneThreadAndSaysWhatItIs) {
  EXPECT_NO_THROW(use_one_thread());
  EXPECT_NO_THROW(admit(1));
  EXPECT_THAT(configuration(), testing::Not(testing::IsEmpty()));
  EXPECT_THAT(description(), testing::StartsWith(has_buffers() ? "OpenBLAS " : ""));
}

TEST(Blas, SgemmRateIsPlausible) {
  const double rate = measured_sgemm_rate(128, 3);
  EXPECT_GT(rate, 1e7);
  EXPECT_LT(rate, 1e13);
}

TEST(Buffers, AreReckonedFromWhatTheLibrarySaysOfItself) {
  const auto debian = buffers_of("OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY Haswell MAX_THREADS=64");
  EXPECT_EQ(debian.usual, 128u);
  EXPECT_EQ(debian.at_most, 640u);
  EXPECT_EQ(debian.held, 0u);
  EXPECT_EQ(buffers_of("OpenBLAS 0.3.29 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY Zen MAX_THREADS=64").held, 1u);
  const auto old = buffers_of("OpenBLAS 0.3.5 DYNAMIC_ARCH NO_AFFINITY Haswell MAX_THREADS=16");
  EXPECT_EQ(old.usual, 32u);
  EXPECT_EQ(old.at_most, 32u);
  EXPECT_EQ(buffers_of("OpenBLAS").usual, 2u) << "one that says nothing is trusted with little";
  EXPECT_GE(buffers().usual, has_buffers() ? 2u : 0u);
}

TEST(Buffers, MoreCallersThanThereCanBeAreRefusedWithTheLimitAndTheWayOut) {
  if (!has_buffers()) GTEST_SKIP() << description() << " has no table of buffers";
  try {
    admit(buffers().at_most + 1);
    FAIL() << "too many were admitted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr(std::to_string(buffers().at_most - buffers().held)),
                                             testing::HasSubstr("NUM_THREADS=")));
  }
}

// What is refused after admission cannot stop a call: its buffer is there. Without one OpenBLAS asks for ever, and the
// alarm ends the child.
TEST(Buffers, AreThereOnceThreadsAreAdmittedWhateverIsRefusedThen) {
  if (!has_buffers()) GTEST_SKIP() << description() << " has no table of buffers";
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs memory of its own";
#endif
  constexpr std::size_t kThreads = 6, kSize = 300;
  const auto multiply_without_memory = [] {
    ::alarm(30);
    use_one_thread();
    admit(kThreads);
    // Threads and their matrices first, then not a page more.
    std::vector<float> a(kSize * kSize, 1.0f);
    std::vector<std::vector<float>> c(kThreads, std::vector<float>(kSize * kSize));
    std::latch ready(kThreads + 1), together(kThreads);
    std::atomic<int> wrong = 0;
    {
      std::vector<std::jthread> threads;
      for (std::size_t k = 0; k < kThreads; ++k)
        threads.emplace_back([&, k] {
          ready.arrive_and_wait();
          together.arrive_and_wait();  // all at once, so that each needs a buffer of its own
          for (int repeat = 0; repeat < 20; ++repeat)
            gemm(Op::none, Op::transpose, kSize, kSize, kSize, a.data(), kSize, a.data(), kSize, 0, c[k].data(), kSize);
          for (const float value : c[k]) wrong += value != static_cast<float>(kSize);
        });
      const rlimit nothing{.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
      ::setrlimit(RLIMIT_AS, &nothing);
      ready.arrive_and_wait();
    }
    ::_exit(wrong == 0 ? 0 : 1);
  };
  EXPECT_EXIT(multiply_without_memory(), testing::ExitedWithCode(0), "");
}

// As it was met: a processor of 2023 under the OpenBLAS of Debian 12.
TEST(SlowKernels, AreThoseOfAProcessorThatTheLibraryDoesNotKnow) {
  EXPECT_THAT(slow_kernels("OpenBLAS 0.3.21 Prescott", true, true),
              testing::AllOf(testing::StartsWith("OpenBLAS 0.3.21 computes as a Prescott would"),
                             testing::HasSubstr("OPENBLAS_CORETYPE=SkylakeX")));
  EXPECT_THAT(slow_kernels("OpenBLAS 0.3.21 Nehalem", true, false), testing::HasSubstr("OPENBLAS_CORETYPE=Haswell"));
  EXPECT_EQ(slow_kernels("OpenBLAS 0.3.21 Prescott", false, false), "");  // which is what it is
  for (const char* const suits : {"OpenBLAS 0.3.21 SkylakeX", "OpenBLAS 0.3.21 Haswell", "OpenBLAS 0.3.29 Zen",
                                  "OpenBLAS 0.3.29 Cooperlake", "OpenBLAS 0.3.29 neoversen1", "BLIS 0.9.0 zen3"})
    EXPECT_EQ(slow_kernels(suits, true, true), "") << suits;
}

// 700 calls at once would be more than the table holds.
TEST(Buffers, ThreadsThatMayWaitShareThem) {
  constexpr std::size_t kThreads = 700, kSize = 200;
  admit(kThreads, true);
  std::atomic<int> wrong = 0;
  {
    const std::vector<float> a(kSize * kSize, 1.0f);
    std::latch together(kThreads);
    std::vector<std::jthread> threads;
    for (std::size_t k = 0; k < kThreads; ++k)
      threads.emplace_back([&] {
        std::vector<float> c(kSize * kSize);
        together.arrive_and_wait();
        gemm(Op::none, Op::transpose, kSize, kSize, kSize, a.data(), kSize, a.data(), kSize, 0, c.data(), kSize);
        for (const float value : c) wrong += value != static_cast<float>(kSize);
      });
  }
  EXPECT_EQ(wrong, 0);
  admit(1);
}

}  // namespace
}  // namespace quantimed::blas

// SPDX-License-Identifier: BSD-3-Clause
// Losses and gradients that NumPy computed (golden/make_golden.py).
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "here.hpp"
#include "problem/problem.hpp"

namespace quantimed {
namespace {

template <class T>
std::vector<T> read_numbers(std::ifstream& file, std::size_t count) {
  std::vector<T> numbers(count);
  for (T& number : numbers) file >> number;
  return numbers;
}

TEST(Golden, LossesAndGradientsOfASmallNetwork) {
  std::ifstream file(QUANTIMED_TESTS_DIR "/problem/golden/mlp_5_4_3.txt");
  Dataset data;
  ASSERT_TRUE(file >> data.samples);
  data.features = 5;
  data.classes = 3;
  data.values = read_numbers<float>(file, std::size_t{data.samples} * data.features);
  data.targets = read_numbers<float>(file, data.samples);
  const auto x = read_numbers<float>(file, 5 * 4 + 4 + 4 * 3 + 3);
  ASSERT_TRUE(file);
  std::vector<SampleId> rows(data.samples);
  std::iota(rows.begin(), rows.end(), 0u);

  ModelRequest request{.model = "mlp:4"};
  int cases = 0;
  for (double loss = 0; file >> request.activation >> request.loss >> loss; ++cases) {
    SCOPED_TRACE(request.activation + " " + request.loss);
    const auto gradient = read_numbers<double>(file, x.size());
    const auto problem = make_problem(request, data);
    auto work = problem->make_workspace();
    std::vector<float> sum(x.size());
    problem->gradient_sum(x, rows, false, sum, work);
    EXPECT_NEAR(problem->loss_sum(x, data, rows, work).loss, loss, 1e-6 * loss);
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(sum[i], gradient[i], 2e-6) << "coordinate " << i;
  }
  EXPECT_EQ(cases, 9);
}

}  // namespace
}  // namespace quantimed

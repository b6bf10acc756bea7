// SPDX-License-Identifier: BSD-3-Clause
#include "problem/output_loss.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "problem/elementwise.hpp"

namespace quantimed {
namespace {

// Calls function(z_y, y) for each row: the unit that its target speaks of, and what that unit should be.
template <class Function>
void for_each_target(const Dataset& data, std::span<const SampleId> rows, std::size_t outputs, Real* z,
                     Function function) {
  for (std::size_t k = 0; k < rows.size(); ++k, z += outputs) {
    const Real target = data.targets[rows[k]];
    if (outputs == 1) {
      function(z[0], target);
    } else {
      check(target >= 0 && target < static_cast<Real>(outputs), "a class beyond the output units");
      function(z[static_cast<std::size_t>(target)], Real{1});
    }
  }
}

QUANTIMED_KERNEL void sigmoid_all(std::size_t count, Real* z) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) z[i] = sigmoid(z[i]);
}

// Each row: z ← z − max z, so that no exponential overflows.
void subtract_row_maxima(std::size_t samples, std::size_t outputs, Real* z) {
  for (std::size_t k = 0; k < samples; ++k, z += outputs) {
    const Real top = *std::max_element(z, z + outputs);
    for (std::size_t j = 0; j < outputs; ++j) z[j] -= top;
  }
}

QUANTIMED_KERNEL void exp_all(std::size_t count, Real* z) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) z[i] = exp_nonpositive(z[i]);
}

QUANTIMED_KERNEL void softplus_tails(std::size_t count, Real* z) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) z[i] = softplus_tail(z[i]);
}

void softmax_all(std::size_t samples, std::size_t outputs, Real* z) {
  subtract_row_maxima(samples, outputs, z);
  dispatched<exp_all>(samples * outputs, z);
  for (std::size_t k = 0; k < samples; ++k, z += outputs) {
    Real sum = 0;
    for (std::size_t j = 0; j < outputs; ++j) sum += z[j];
    for (std::size_t j = 0; j < outputs; ++j) z[j] /= sum;
  }
}

double sum_float64(std::size_t count, const Real* values) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += static_cast<double>(values[i]);
  return sum;
}

// Per unit: max(z, 0) − y z + log(1 + e^−|z|). The first two cancel exactly in float64 where the unit is right.
double sigmoid_cross_entropy(const Dataset& data, std::span<const SampleId> rows, std::size_t outputs, Real* z) {
  const std::size_t count = rows.size() * outputs;
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += static_cast<double>(z[i] < 0.0f ? 0.0f : z[i]);
  for_each_target(data, rows, outputs, z,
                  [&](Real z_y, Real y) { sum -= static_cast<double>(y) * static_cast<double>(z_y); });
  dispatched<softplus_tails>(count, z);
  return sum + sum_float64(count, z);
}

// Per sample: log Σ_j e^z_j − z_y.
double softmax_cross_entropy(const Dataset& data, std::span<const SampleId> rows, std::size_t outputs, Real* z) {
  double sum = 0;
  subtract_row_maxima(rows.size(), outputs, z);
  for_each_target(data, rows, outputs, z, [&](Real z_y, Real) { sum -= static_cast<double>(z_y); });
  dispatched<exp_all>(rows.size() * outputs, z);
  for (std::size_t k = 0; k < rows.size(); ++k) sum += std::log(sum_float64(outputs, z + k * outputs));
  return sum;
}

double half_squared_distance(const Dataset& data, std::span<const SampleId> rows, std::size_t outputs, Real* z) {
  for_each_target(data, rows, outputs, z, [](Real& z_y, Real y) { z_y -= y; });
  double sum = 0;
  for (std::size_t i = 0; i < rows.size() * outputs; ++i) sum += static_cast<double>(z[i]) * static_cast<double>(z[i]);
  return 0.5 * sum;
}

std::uint64_t hits(const Dataset& data, std::span<const SampleId> rows, std::size_t outputs, const Real* z,
                   std::span<std::uint64_t> of_class) {
  std::uint64_t correct = 0;
  for (std::size_t k = 0; k < rows.size(); ++k, z += outputs) {
    const auto guess = outputs == 1 ? z[0] > 0.0f : std::max_element(z, z + outputs) - z;
    if (data.targets[rows[k]] != static_cast<float>(guess)) continue;
    ++correct;
    if (!of_class.empty()) ++of_class[static_cast<std::size_t>(guess)];
  }
  return correct;
}

}  // namespace

const char* to_string(Loss loss) {
  switch (loss) {
    case Loss::sigmoid_cross_entropy:
      return "sigmoid-cross-entropy";
    case Loss::softmax:
      return "softmax";
    case Loss::squared:
      return "squared";
  }
  return "?";
}

void output_delta(Loss loss, const Dataset& data, std::span<const SampleId> rows, std::size_t outputs, Real* z) {
  if (loss == Loss::sigmoid_cross_entropy) dispatched<sigmoid_all>(rows.size() * outputs, z);
  if (loss == Loss::softmax) softmax_all(rows.size(), outputs, z);
  for_each_target(data, rows, outputs, z, [](Real& z_y, Real y) { z_y -= y; });
}

LossSum output_loss(Loss loss, const Dataset& data, std::span<const SampleId> rows, std::size_t outputs, Real* z,
                    std::span<std::uint64_t> hits_of_class) {
  check(hits_of_class.empty() || hits_of_class.size() == data.classes, "output_loss: hits are [classes]");
  LossSum sum{.samples = rows.size()};
  if (data.classes > 0) sum.correct = hits(data, rows, outputs, z, hits_of_class);
  switch (loss) {
    case Loss::sigmoid_cross_entropy:
      sum.loss = sigmoid_cross_entropy(data, rows, outputs, z);
      break;
    case Loss::softmax:
      sum.loss = softmax_cross_entropy(data, rows, outputs, z);
      break;
    case Loss::squared:
      sum.loss = half_squared_distance(data, rows, outputs, z);
      break;
  }
  return sum;
}

}  // namespace quantimed

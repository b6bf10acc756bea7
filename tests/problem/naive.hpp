// SPDX-License-Identifier: BSD-3-Clause
// The naive twin of DenseProblem: one sample at a time, scalar loops, float64, formulas as in the books.
#pragma once

#include <cmath>
#include <vector>

#include "problem/dense.hpp"

namespace quantimed::naive {

using Vector = std::vector<double>;

struct Model {
  std::vector<std::size_t> widths;  // d, n_1, …, outputs
  bool biases = true;
  Activation activation = Activation::sigmoid;
  Loss loss = Loss::squared;
};

inline double sigma(double z) { return 1 / (1 + std::exp(-z)); }

inline double phi(Activation activation, double z) {
  if (activation == Activation::sigmoid) return sigma(z);
  return activation == Activation::tanh ? std::tanh(z) : std::fmax(z, 0.0);
}

inline double phi_slope(Activation activation, double z) {
  if (activation == Activation::sigmoid) return sigma(z) * (1 - sigma(z));
  return activation == Activation::tanh ? 1 - std::tanh(z) * std::tanh(z) : (z > 0 ? 1.0 : 0.0);
}

inline Vector features_of(const Dataset& data, SampleId row) {
  Vector a(data.features);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::size_t at = row * a.size() + i;
    a[i] = data.bytes.empty() ? static_cast<double>(data.values[at]) : data.bytes[at] / 255.0;
  }
  return a;
}

inline Vector target_of(const Dataset& data, SampleId row, std::size_t outputs) {
  const auto target = static_cast<double>(data.targets[row]);
  if (outputs == 1) return {target};
  Vector y(outputs, 0.0);
  y[static_cast<std::size_t>(target)] = 1;
  return y;
}

// z_l of every layer l = 1 … L, for one sample.
inline std::vector<Vector> layer_sums(const Model& model, const Vector& x, Vector a) {
  std::vector<Vector> sums;
  std::size_t at = 0;
  for (std::size_t l = 0; l + 1 < model.widths.size(); ++l) {
    Vector z(model.widths[l + 1], 0.0);
    for (const double a_i : a)
      for (double& z_j : z) z_j += a_i * x[at++];
    if (model.biases)
      for (double& z_j : z) z_j += x[at++];
    sums.push_back(z);
    a = z;
    for (double& a_j : a) a_j = phi(model.activation, a_j);
  }
  return sums;
}

inline double log_sum_exp(const Vector& z) {
  double top = z[0], sum = 0;
  for (const double z_j : z) top = std::fmax(top, z_j);
  for (const double z_j : z) sum += std::exp(z_j - top);
  return top + std::log(sum);
}

inline double sample_loss(const Model& model, const Vector& x, const Dataset& data, SampleId row) {
  const Vector z = layer_sums(model, x, features_of(data, row)).back();
  const Vector y = target_of(data, row, z.size());
  double loss = 0;
  for (std::size_t j = 0; j < z.size(); ++j) {
    if (model.loss == Loss::sigmoid_cross_entropy) {  // −y log σ(z) − (1 − y) log σ(−z)
      loss += y[j] * std::log1p(std::exp(-z[j])) + (1 - y[j]) * std::log1p(std::exp(z[j]));
    } else if (model.loss == Loss::softmax) {
      loss += y[j] * (log_sum_exp(z) - z[j]);
    } else {
      loss += 0.5 * (z[j] - y[j]) * (z[j] - y[j]);
    }
  }
  return loss;
}

inline void add_sample_gradient(const Model& model, const Vector& x, const Dataset& data, SampleId row, Vector& sum) {
  const auto sums = layer_sums(model, x, features_of(data, row));
  const Vector y = target_of(data, row, sums.back().size());
  Vector delta = sums.back();
  for (std::size_t j = 0; j < delta.size(); ++j) {
    if (model.loss == Loss::sigmoid_cross_entropy) delta[j] = sigma(delta[j]);
    if (model.loss == Loss::softmax) delta[j] = std::exp(sums.back()[j] - log_sum_exp(sums.back()));
    delta[j] -= y[j];
  }
  std::size_t end = x.size();  // of this layer's weights and biases
  for (std::size_t l = sums.size(); l-- > 0;) {
    const std::size_t inputs = model.widths[l], outputs = model.widths[l + 1];
    const std::size_t bias = end - (model.biases ? outputs : 0), weights = bias - inputs * outputs;
    if (model.biases)
      for (std::size_t j = 0; j < outputs; ++j) sum[bias + j] += delta[j];
    Vector a = l == 0 ? features_of(data, row) : sums[l - 1], back(inputs, 0.0);
    for (std::size_t i = 0; i < inputs; ++i) {
      const double slope = l == 0 ? 0.0 : phi_slope(model.activation, a[i]);
      if (l > 0) a[i] = phi(model.activation, a[i]);
      for (std::size_t j = 0; j < outputs; ++j) {
        sum[weights + i * outputs + j] += a[i] * delta[j];
        back[i] += x[weights + i * outputs + j] * delta[j] * slope;
      }
    }
    delta = back;
    end = weights;
  }
}

inline bool is_hit(const Model& model, const Vector& x, const Dataset& data, SampleId row) {
  const Vector z = layer_sums(model, x, features_of(data, row)).back();
  std::size_t guess = z.size() == 1 ? z[0] > 0 : 0;
  for (std::size_t j = 1; j < z.size(); ++j)
    if (z[j] > z[guess]) guess = j;
  return guess == static_cast<std::size_t>(data.targets[row]);
}

}  // namespace quantimed::naive

// SPDX-License-Identifier: BSD-3-Clause
// Layers of fully connected units: least squares and logistic regression (one layer, no bias), and mlp.
//
//   A_0 = X                        [b, d]   the gathered batch, its rows input_stride_ apart; sparse rows stay where
//                                           they are (sparse_input.hpp)
//   A_l = φ(A_{l−1} W_l + 1 b_lᵀ)   [b, n_l] hidden layers
//   Z   = A_{L−1} W_L + 1 b_Lᵀ      [b, outputs], on which the loss is defined (output_loss.hpp)
//
// x holds, layer after layer, W_l [n_{l−1}, n_l] row-major and then b_l [n_l]. Inputs are W's rows because BLAS's
// quick products then are the two large ones: X·W forward and Xᵀ·D backward (blas.cpp).
#pragma once

#include <string>
#include <vector>

#include "problem/activation.hpp"
#include "problem/output_loss.hpp"
#include "problem/problem.hpp"

namespace quantimed {

struct DenseShape {
  std::string name;                   // "mlp", for the description
  std::vector<std::size_t> widths{};  // d, n_1, …, outputs
  bool biases = true;
  Activation activation = Activation::sigmoid;
  Loss loss = Loss::squared;
  std::vector<double> half_widths{};  // [layers], of the initial values
};

class DenseProblem final : public Problem {
 public:
  DenseProblem(DenseShape shape, const Dataset& data);

  std::size_t dimension() const override { return dimension_; }
  std::string description() const override;
  bool is_classification() const override { return data_.classes > 0; }
  void initialise(std::span<Real> x, std::uint64_t seed) const override;
  void gradient_sum(std::span<const Real> x, Batch batch, bool accumulate, std::span<Real> sum,
                    Workspace& work) const override;
  using Problem::loss_sum;
  LossSum loss_sum(std::span<const Real> x, const Dataset& data, std::span<const SampleId> rows, Workspace& work,
                   std::span<std::uint64_t> hits) const override;
  Workspace make_workspace() const override;
  std::vector<CoordinateRange> penalised() const override;
  double gradient_flops() const override;

  // Longer batches are worked off in equal chunks of at most this many samples: what is gathered then stays in the
  // second-level cache (64 was quicker than 128, and no slower than any longer).
  static constexpr std::size_t kChunk = 64;

 private:
  struct Layer {
    std::size_t inputs = 0, outputs = 0;
    std::size_t weights = 0, bias = 0;  // where W [inputs, outputs] and b [outputs] begin in x
    std::size_t activations = 0;        // where A_l [kChunk, outputs] begins in the workspace; A_0 begins at 0
  };

  // Leaves Z in the workspace and returns it.  rows: at most kChunk
  Real* forward(const Real* x, const Dataset& data, const Batch& rows, Real* work) const;
  // sum ← beta · sum + the gradient over rows of the training set, from ∂ℓ/∂Z, which has taken Z's place.
  void backward(const Real* x, std::span<const SampleId> rows, Real beta, Real* sum, Real* work) const;

  struct Input {
    const Real* a;       // A_{l−1} [b, inputs]
    std::size_t stride;  // between its rows
  };
  Input input_of(std::size_t layer, const Real* work) const;

  DenseShape shape_;
  std::vector<Layer> layers_;
  std::size_t dimension_ = 0;
  std::size_t input_stride_ = 0;
  std::size_t deltas_[2] = {};  // where two buffers [kChunk, widest hidden layer] begin in the workspace
  std::size_t workspace_size_ = 0;
};

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "problem/dense.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.hpp"
#include "blas/blas.hpp"
#include "problem/gather.hpp"
#include "problem/sparse_input.hpp"

namespace quantimed {

using blas::Op;

namespace {

// Arrays in the workspace begin on a cache line.
std::size_t padded(std::size_t floats) {
  constexpr std::size_t line = kCacheLine / sizeof(Real);
  return (floats + line - 1) / line * line;
}

// Rows a large power of two apart share their sets of the first-level cache, and Xᵀ·D, which goes down the columns,
// then evicts what it is about to read (1024 features: half the speed). Those rows are set one cache line further
// apart.
std::size_t stride_of(std::size_t features) {
  constexpr std::size_t aliasing = 128;  // floats
  return features % aliasing == 0 ? features + kCacheLine / sizeof(Real) : features;
}

// Samples of the next chunk, of so many that are left. Chunks are about equal: a last one of a few samples would cost
// nearly as much as a full one, since each writes the whole gradient.
std::size_t chunk_of(std::size_t left) {
  const std::size_t chunks = (left + DenseProblem::kChunk - 1) / DenseProblem::kChunk;
  return (left + chunks - 1) / chunks;
}

const char* to_string(Activation activation) {
  switch (activation) {
    case Activation::sigmoid:
      return "sigmoid";
    case Activation::tanh:
      return "tanh";
    case Activation::relu:
      return "relu";
  }
  return "?";
}

}  // namespace

DenseProblem::DenseProblem(DenseShape shape, const Dataset& data) : Problem(data), shape_(std::move(shape)) {
  check(shape_.widths.size() >= 2 && shape_.half_widths.size() == shape_.widths.size() - 1, "an incomplete model");
  std::size_t widest = 0;  // of the hidden layers
  input_stride_ = stride_of(shape_.widths[0]);
  workspace_size_ = data.is_sparse() ? 0 : padded(kChunk * input_stride_);
  for (std::size_t l = 0; l + 1 < shape_.widths.size(); ++l) {
    Layer layer{.inputs = shape_.widths[l], .outputs = shape_.widths[l + 1]};
    layer.weights = dimension_;
    layer.bias = layer.weights + layer.inputs * layer.outputs;
    dimension_ = layer.bias + (shape_.biases ? layer.outputs : 0);
    layer.activations = workspace_size_;
    workspace_size_ += padded(kChunk * layer.outputs);
    if (l > 0) widest = std::max(widest, layer.inputs);
    layers_.push_back(layer);
  }
  for (std::size_t& delta : deltas_) {
    delta = workspace_size_;
    workspace_size_ += padded(kChunk * widest);
  }
}

std::string DenseProblem::description() const {
  const std::string hidden = layers_.size() > 1 ? fmt::format(" {}", to_string(shape_.activation)) : "";
  return fmt::format("{} {}{}, {}", shape_.name, fmt::join(shape_.widths, "-"), hidden, to_string(shape_.loss));
}

void DenseProblem::initialise(std::span<Real> x, std::uint64_t seed) const {
  check(x.size() == dimension_, "initialise: x is [p]");
  Stream words({.seed = seed, .purpose = Purpose::initial_model});
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const std::size_t end = layers_[l].bias + (shape_.biases ? layers_[l].outputs : 0);
    const double half_width = shape_.half_widths[l];
    for (std::size_t i = layers_[l].weights; i < end; ++i)
      x[i] = static_cast<Real>(words.uniform(-half_width, half_width));
  }
}

Workspace DenseProblem::make_workspace() const {
  Workspace work;
  // Written here, all of it: BLAS's masked loads reach past a row's end, and where that is a page nobody has touched
  // each costs hundreds of cycles (it halved the speed of some batch sizes). The last line is there for the same
  // reason.
  work.floats.assign(workspace_size_ + kCacheLine / sizeof(Real), 0.0f);
  return work;
}

std::vector<CoordinateRange> DenseProblem::penalised() const {
  std::vector<CoordinateRange> ranges;
  for (const Layer& layer : layers_) ranges.push_back({layer.weights, layer.bias});
  return ranges;
}

double DenseProblem::gradient_flops() const {
  double products = 0;  // of one sample: A W and Aᵀ D in each layer, D Wᵀ in all but the first
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const auto inputs = static_cast<double>(layers_[l].inputs);
    const double read = l == 0 && data_.is_sparse() ? inputs * data_.density() : inputs;
    products += (l == 0 ? 2.0 : 3.0) * read * static_cast<double>(layers_[l].outputs);
  }
  return 2 * products;
}

DenseProblem::Input DenseProblem::input_of(std::size_t layer, const Real* work) const {
  if (layer == 0) return {work, input_stride_};
  return {work + layers_[layer - 1].activations, layers_[layer].inputs};
}

Real* DenseProblem::forward(const Real* x, const Dataset& data, const Batch& rows, Real* work) const {
  const std::size_t samples = rows.size();
  if (!data.is_sparse()) gather(data, rows, input_stride_, work);
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    Real* z = work + layer.activations;  // [samples, outputs]
    if (shape_.biases)
      for (std::size_t k = 0; k < samples; ++k) std::copy_n(x + layer.bias, layer.outputs, z + k * layer.outputs);
    // Z = A W + 1 bᵀ
    if (l == 0 && data.is_sparse()) {
      sparse_forward(data.sparse, rows.rows(), x + layer.weights, layer.outputs, shape_.biases, z);
    } else {
      const auto [a, stride] = input_of(l, work);
      blas::gemm(Op::none, Op::none, samples, layer.outputs, layer.inputs, a, stride, x + layer.weights, layer.outputs,
                 shape_.biases ? 1.0f : 0.0f, z, layer.outputs);
    }
    if (l + 1 < layers_.size()) activate(shape_.activation, samples * layer.outputs, z);  // A = φ(Z)
  }
  return work + layers_.back().activations;
}

void DenseProblem::backward(const Real* x, std::span<const SampleId> rows, Real beta, Real* sum, Real* work) const {
  const std::size_t samples = rows.size();
  const Real* delta = work + layers_.back().activations;  // D_l = ∂ℓ/∂Z_l  [samples, outputs]
  for (std::size_t l = layers_.size(); l-- > 0;) {
    const Layer& layer = layers_[l];
    const auto [a, stride] = input_of(l, work);
    // ∂W_l = A_{l−1}ᵀ D_l
    if (l == 0 && data_.is_sparse()) {
      if (beta == 0) std::fill_n(sum + layer.weights, layer.inputs * layer.outputs, 0.0f);
      sparse_backward(data_.sparse, rows, delta, layer.outputs, sum + layer.weights);
    } else {
      blas::gemm(Op::transpose, Op::none, layer.inputs, layer.outputs, samples, a, stride, delta, layer.outputs, beta,
                 sum + layer.weights, layer.outputs);
    }
    if (shape_.biases) {  // ∂b_l = D_lᵀ 1
      Real* bias = sum + layer.bias;
      if (beta == 0) std::fill_n(bias, layer.outputs, 0.0f);
      for (std::size_t k = 0; k < samples; ++k)
        for (std::size_t j = 0; j < layer.outputs; ++j) bias[j] += delta[k * layer.outputs + j];
    }
    if (l == 0) return;
    Real* next = work + deltas_[l % 2];  // D_{l−1} = (D_l W_lᵀ) ⊙ φ′
    blas::gemm(Op::none, Op::transpose, samples, layer.inputs, layer.outputs, delta, layer.outputs, x + layer.weights,
               layer.outputs, 0.0f, next, layer.inputs);
    back_activate(shape_.activation, samples * layer.inputs, a, next);
    delta = next;
  }
}

void DenseProblem::gradient_sum(std::span<const Real> x, Batch batch, bool accumulate, std::span<Real> sum,
                                Workspace& work) const {
  check(x.size() == dimension_ && sum.size() == dimension_, "gradient_sum: x and sum are [p]");
  check(work.floats.size() >= workspace_size_, "gradient_sum: a workspace of another problem");
  if (batch.empty() && !accumulate) std::ranges::fill(sum, 0.0f);
  while (!batch.empty()) {
    const Batch chunk = batch.take(chunk_of(batch.size()));
    Real* z = forward(x.data(), data_, chunk, work.floats.data());
    output_delta(shape_.loss, data_, chunk.rows(), layers_.back().outputs, z);
    backward(x.data(), chunk.rows(), accumulate ? 1.0f : 0.0f, sum.data(), work.floats.data());
    accumulate = true;
  }
}

LossSum DenseProblem::loss_sum(std::span<const Real> x, const Dataset& data, std::span<const SampleId> rows,
                               Workspace& work, std::span<std::uint64_t> hits) const {
  check(x.size() == dimension_, "loss_sum: x is [p]");
  check(data.features == data_.features && data.classes == data_.classes && data.is_sparse() == data_.is_sparse(),
        "loss_sum: data of another shape");
  check(work.floats.size() >= workspace_size_, "loss_sum: a workspace of another problem");
  LossSum total;
  for (Batch left = rows; !left.empty();) {
    const Batch chunk = left.take(chunk_of(left.size()));
    Real* z = forward(x.data(), data, chunk, work.floats.data());
    const LossSum part = output_loss(shape_.loss, data, chunk.rows(), layers_.back().outputs, z, hits);
    total.loss += part.loss;
    total.correct += part.correct;
    total.samples += part.samples;
  }
  return total;
}

}  // namespace quantimed

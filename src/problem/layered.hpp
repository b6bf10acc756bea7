// SPDX-License-Identifier: BSD-3-Clause
// Networks of layers on images: gn-lenet, resnet20, and those of a text (layer_text.hpp).
#pragma once

#include <memory>
#include <string>

#include "problem/layer.hpp"
#include "problem/output_loss.hpp"
#include "problem/problem.hpp"

namespace quantimed {

class LayeredProblem final : public Problem {
 public:
  // `network` gives as many outputs as the loss takes.
  LayeredProblem(std::string name, std::unique_ptr<Layer> network, Loss loss, const Dataset& data);

  std::size_t dimension() const override { return network_->parameters(); }
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
  // The first layer's input needs no derivative; what little that saves is not reckoned.
  double gradient_flops() const override { return 3 * network_->flops(); }

 private:
  // Leaves the outputs in the workspace and returns them.  rows: at most chunk_
  Real* forward(std::span<const Real> x, const Dataset& data, const Batch& rows, Real* work) const;

  std::string name_;
  std::unique_ptr<Layer> network_;
  Loss loss_;
  std::size_t chunk_;                            // samples whose activations are kept at a time
  std::size_t outputs_, kept_, scratch_, size_;  // where those begin in the workspace, and its end
};

// The shape of a sample as channels, height and width; throws InputError where it is no image of at least `least`
// pixels a side that halves `halvings` times.
ImageShape image_of(const std::string& model, const Dataset& data, std::size_t halvings);
// The shape of any dense sample: of what is no image a channel for each feature. Throws InputError for sparse rows.
ImageShape input_of(const std::string& model, const Dataset& data);

// GN-LeNet of decentralized learning's benchmarks (Hsieh, Phanishayee, Mutlu, Gibbons, "The non-IID data quagmire of
// decentralized machine learning", ICML 2020, as decentralizepy has it): three times convolution 5×5, group norm of 2
// groups, ReLU, max pooling, with 32, 32 and 64 channels; then linear. 89,834 weights on CIFAR-10.
std::unique_ptr<Layer> gn_lenet(ImageShape in, std::size_t outputs);

// ResNet-20 (He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, section 4.2) with group
// norm of 2 groups in place of batch norm; shortcuts without weights (option A). 269,722 weights on CIFAR-10.
std::unique_ptr<Layer> resnet20(ImageShape in, std::size_t outputs);

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
#include "problem/layered.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "problem/gather.hpp"

namespace quantimed {

namespace {

constexpr std::size_t kMostNumbers = (std::size_t{32} << 20) / sizeof(Real);  // of activations
constexpr std::size_t kMostChunk = 32;

// Arrays in the workspace begin on a cache line.
std::size_t padded(std::size_t floats) {
  constexpr std::size_t line = kCacheLine / sizeof(Real);
  return (floats + line - 1) / line * line;
}

// Appends layers, each of the shape that the one before it gives.
class Builder {
 public:
  explicit Builder(const ImageShape& in) : in_(in), shape_(in) {}
  ImageShape shape() const { return shape_; }
  Builder& add(std::unique_ptr<Layer> layer) {
    shape_ = layer->out();
    layers_.push_back(std::move(layer));
    return *this;
  }
  Builder& convolve(std::size_t channels, std::size_t kernel, std::size_t stride, bool bias) {
    return add(convolution(shape_, channels, kernel, stride, bias));
  }
  Builder& norm() { return add(group_norm(shape_, 2)); }
  Builder& rectify() { return add(relu(shape_)); }
  std::unique_ptr<Layer> done() { return sequence(in_, std::move(layers_)); }

 private:
  ImageShape in_, shape_;
  Layers layers_;
};

std::unique_ptr<Layer> block(ImageShape in, std::size_t channels, std::size_t stride) {
  Builder body(in);
  body.convolve(channels, 3, stride, false).norm().rectify();
  body.convolve(channels, 3, 1, false).norm();
  return residual(body.done());
}

}  // namespace

std::unique_ptr<Layer> gn_lenet(ImageShape in, std::size_t outputs) {
  Builder net(in);
  for (const std::size_t channels : {32u, 32u, 64u})
    net.convolve(channels, 5, 1, true).norm().rectify().add(max_pool(net.shape(), 2));
  net.add(linear(net.shape(), outputs));
  return net.done();
}

std::unique_ptr<Layer> resnet20(ImageShape in, std::size_t outputs) {
  Builder net(in);
  net.convolve(16, 3, 1, false).norm().rectify();
  for (const std::size_t channels : {16u, 32u, 64u})
    for (int k = 0; k < 3; ++k) {
      const bool halves = k == 0 && channels > 16;
      net.add(block(net.shape(), channels, halves ? 2 : 1)).rectify();
    }
  net.add(average_pool(net.shape(), net.shape().height));
  net.add(linear(net.shape(), outputs));
  return net.done();
}

namespace {

bool is_image(const Dataset& data) { return !data.is_sparse() && (data.shape.size() == 2 || data.shape.size() == 3); }

ImageShape shape_of_image(const Dataset& data) {
  const std::vector<std::uint32_t>& s = data.shape;
  return s.size() == 2 ? ImageShape{1, s[0], s[1]} : ImageShape{s[0], s[1], s[2]};
}

}  // namespace

ImageShape input_of(const std::string& model, const Dataset& data) {
  if (data.is_sparse())
    throw InputError("--model {}: takes dense samples, and '{}' has sparse rows; use logistic, least-squares or mlp",
                     model, data.name);
  const ImageShape shape = is_image(data) ? shape_of_image(data) : ImageShape{.channels = data.features};
  check(shape.size() == data.features, "an image of another number of features");
  return shape;
}

ImageShape image_of(const std::string& model, const Dataset& data, std::size_t halvings) {
  const ImageShape shape = is_image(data) ? shape_of_image(data) : ImageShape{};
  const std::size_t part = std::size_t{1} << halvings;
  if (!is_image(data) || shape.size() != data.features || shape.height != shape.width || shape.height % part != 0)
    throw InputError("--model {}: takes square images whose side is a multiple of {}, and samples of '{}' are {}",
                     model, part, data.name,
                     is_image(data) ? fmt::format("{}x{}", shape.height, shape.width)
                                    : fmt::format("no images, but {} numbers", data.features));
  return shape;
}

LayeredProblem::LayeredProblem(std::string name, std::unique_ptr<Layer> network, Loss loss, const Dataset& data)
    : Problem(data), name_(std::move(name)), network_(std::move(network)), loss_(loss) {
  check(network_->in().size() == data.features, "a network of another input");
  const std::size_t sample = network_->in().size() + network_->out().size() + network_->kept();
  chunk_ = std::clamp<std::size_t>(kMostNumbers / sample, 1, kMostChunk);
  outputs_ = padded(chunk_ * network_->in().size());
  kept_ = outputs_ + padded(chunk_ * network_->out().size());
  scratch_ = kept_ + padded(chunk_ * network_->kept());
  size_ = scratch_ + padded(network_->scratch());
}

std::string LayeredProblem::description() const {
  const ImageShape in = network_->in();
  return fmt::format("{} {}x{}x{}-{}, {}", name_, in.channels, in.height, in.width, network_->out().size(),
                     to_string(loss_));
}

void LayeredProblem::initialise(std::span<Real> x, std::uint64_t seed) const {
  check(x.size() == dimension(), "initialise: x is [p]");
  Stream words({.seed = seed, .purpose = Purpose::initial_model});
  network_->initialise(x.data(), words);
}

Workspace LayeredProblem::make_workspace() const {
  Workspace work;
  work.floats.assign(size_ + kCacheLine / sizeof(Real), 0.0f);  // a line more: see DenseProblem
  return work;
}

std::vector<CoordinateRange> LayeredProblem::penalised() const {
  std::vector<CoordinateRange> ranges;
  network_->penalise(0, ranges);
  return ranges;
}

Real* LayeredProblem::forward(std::span<const Real> x, const Dataset& data, const Batch& rows, Real* work) const {
  gather(data, rows, data.features, work);
  network_->forward(x.data(), rows.size(), work, work + outputs_, work + kept_, work + scratch_);
  return work + outputs_;
}

void LayeredProblem::gradient_sum(std::span<const Real> x, Batch batch, bool accumulate, std::span<Real> sum,
                                  Workspace& work) const {
  check(x.size() == dimension() && sum.size() == dimension(), "gradient_sum: x and sum are [p]");
  check(work.floats.size() >= size_, "gradient_sum: a workspace of another problem");
  if (!accumulate) std::ranges::fill(sum, 0.0f);
  Real* const floats = work.floats.data();
  while (!batch.empty()) {
    const Batch chunk = batch.take(chunk_);
    Real* const z = forward(x, data_, chunk, floats);
    output_delta(loss_, data_, chunk.rows(), network_->out().size(), z);
    // The last layer does not look at its output, which its derivative has taken the place of.
    network_->backward(x.data(), chunk.size(), floats, z, floats + kept_, z, nullptr, sum.data(), floats + scratch_);
  }
}

LossSum LayeredProblem::loss_sum(std::span<const Real> x, const Dataset& data, std::span<const SampleId> rows,
                                 Workspace& work, std::span<std::uint64_t> hits) const {
  check(x.size() == dimension(), "loss_sum: x is [p]");
  check(data.features == data_.features && data.classes == data_.classes, "loss_sum: data of another shape");
  check(work.floats.size() >= size_, "loss_sum: a workspace of another problem");
  LossSum total;
  for (Batch all(rows); !all.empty();) {
    const Batch chunk = all.take(chunk_);
    Real* const z = forward(x, data, chunk, work.floats.data());
    const LossSum part = output_loss(loss_, data, chunk.rows(), network_->out().size(), z, hits);
    total.loss += part.loss;
    total.correct += part.correct;
    total.samples += part.samples;
  }
  return total;
}

}  // namespace quantimed

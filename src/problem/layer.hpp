// SPDX-License-Identifier: BSD-3-Clause
// The parts of a convolutional network. Each knows its shapes, its weights and its own derivative; what it leaves for
// backward() is its input and output, which the network keeps, and `kept` floats a sample.
//
// Arrays are [samples, channels, height, width], row-major. No layer has a state beside its weights (so no batch norm,
// whose running means are no part of x).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "problem/problem.hpp"

namespace quantimed {

struct ImageShape {
  std::size_t channels = 0, height = 1, width = 1;
  std::size_t area() const { return height * width; }
  std::size_t size() const { return channels * area(); }
  bool operator==(const ImageShape&) const = default;
};

class Layer {
 public:
  Layer(const ImageShape& in, const ImageShape& out) : in_(in), out_(out) {}
  virtual ~Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  ImageShape in() const { return in_; }
  ImageShape out() const { return out_; }

  virtual std::size_t parameters() const { return 0; }
  virtual std::size_t kept() const { return 0; }     // floats a sample
  virtual std::size_t scratch() const { return 0; }  // floats of a call, however many samples it is of
  virtual double flops() const { return 0; }         // of a sample's forward products
  // w: [parameters()]
  virtual void initialise(Real* /*w*/, Stream& /*words*/) const {}
  // Adds where the ℓ2 term applies, if w begins at `first`.
  virtual void penalise(std::size_t /*first*/, std::vector<CoordinateRange>& /*ranges*/) const {}

  // y [samples, out] ← of x [samples, in].
  virtual void forward(const Real* w, std::size_t samples, const Real* x, Real* y, Real* kept, Real* scratch) const = 0;
  // dw [parameters()] += ∂ℓ/∂w, and dx ← ∂ℓ/∂x unless it is null, from dy = ∂ℓ/∂y. x, y and kept: as forward() left
  // them; kept is used up.
  virtual void backward(const Real* w, std::size_t samples, const Real* x, const Real* y, Real* kept, const Real* dy,
                        Real* dx, Real* dw, Real* scratch) const = 0;

 private:
  ImageShape in_, out_;
};

using Layers = std::vector<std::unique_ptr<Layer>>;

// y = W x + b. Starts uniform in ±1/√inputs, as PyTorch does; so does a convolution.
std::unique_ptr<Layer> linear(ImageShape in, std::size_t outputs);
// kernel × kernel, padded so that stride 1 keeps the size; as a matrix product over the image's patches (im2col).
std::unique_ptr<Layer> convolution(ImageShape in, std::size_t channels, std::size_t kernel, std::size_t stride,
                                   bool bias);
// Of each sample and group of channels: mean 0 and variance 1, then times γ plus β of the channel (Wu, He, 2018).
// Starts with γ = 1, β = 0.
std::unique_ptr<Layer> group_norm(ImageShape in, std::size_t groups);
std::unique_ptr<Layer> relu(ImageShape in);
// Of areas of side × side that do not overlap; what is left at the edge is left out. Of equal largest ones the first
// counts.
std::unique_ptr<Layer> max_pool(ImageShape in, std::size_t side);
std::unique_ptr<Layer> average_pool(ImageShape in, std::size_t side);
// One after the other.
std::unique_ptr<Layer> sequence(ImageShape in, Layers layers);
// y = body(x) + shortcut(x): x itself, or where the body halves the image and adds channels, every other pixel of it
// with channels of zeros on both sides (option A of He, Zhang, Ren, Sun, 2015).
std::unique_ptr<Layer> residual(std::unique_ptr<Layer> body);
bool residual_fits(const ImageShape& in, const ImageShape& out);  // one of the two

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Linear, ReLU, pooling, and what is made of layers. Convolution and group norm have files of their own.
#include "problem/layer.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "blas/blas.hpp"

namespace quantimed {

using blas::Op;

namespace {

void start_uniform(Real* w, std::size_t count, std::size_t inputs, Stream& words) {
  const double half_width = 1 / std::sqrt(static_cast<double>(inputs));
  for (std::size_t k = 0; k < count; ++k) w[k] = static_cast<Real>(words.uniform(-half_width, half_width));
}

class Linear final : public Layer {
 public:
  Linear(const ImageShape& in, std::size_t outputs) : Layer(in, {.channels = outputs}) {}
  std::size_t parameters() const override { return weights() + out().size(); }
  double flops() const override { return 2.0 * static_cast<double>(weights()); }
  void initialise(Real* w, Stream& words) const override { start_uniform(w, parameters(), in().size(), words); }
  void penalise(std::size_t first, std::vector<CoordinateRange>& ranges) const override {
    ranges.push_back({first, first + weights()});
  }
  // W: [inputs, outputs], b: [outputs]
  void forward(const Real* w, std::size_t samples, const Real* x, Real* y, Real*, Real*) const override {
    const std::size_t inputs = in().size(), outputs = out().size();
    for (std::size_t k = 0; k < samples; ++k) std::copy_n(w + weights(), outputs, y + k * outputs);
    blas::gemm(Op::none, Op::none, samples, outputs, inputs, x, inputs, w, outputs, 1.0f, y, outputs);
  }
  void backward(const Real* w, std::size_t samples, const Real* x, const Real*, Real*, const Real* dy, Real* dx,
                Real* dw, Real*) const override {
    const std::size_t inputs = in().size(), outputs = out().size();
    blas::gemm(Op::transpose, Op::none, inputs, outputs, samples, x, inputs, dy, outputs, 1.0f, dw, outputs);
    for (std::size_t k = 0; k < samples; ++k)
      for (std::size_t j = 0; j < outputs; ++j) dw[weights() + j] += dy[k * outputs + j];
    if (dx) blas::gemm(Op::none, Op::transpose, samples, inputs, outputs, dy, outputs, w, outputs, 0.0f, dx, inputs);
  }

 private:
  std::size_t weights() const { return in().size() * out().size(); }
};

class Relu final : public Layer {
 public:
  explicit Relu(const ImageShape& in) : Layer(in, in) {}
  void forward(const Real*, std::size_t samples, const Real* x, Real* y, Real*, Real*) const override {
    const std::size_t count = samples * in().size();
#pragma omp simd
    for (std::size_t i = 0; i < count; ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i];  // written so that NaN stays
  }
  void backward(const Real*, std::size_t samples, const Real*, const Real* y, Real*, const Real* dy, Real* dx, Real*,
                Real*) const override {
    if (!dx) return;
    const std::size_t count = samples * in().size();
#pragma omp simd
    for (std::size_t i = 0; i < count; ++i) dx[i] = y[i] <= 0.0f ? 0.0f : dy[i];
  }
};

ImageShape pooled(ImageShape in, std::size_t side) { return {in.channels, in.height / side, in.width / side}; }

class Pool : public Layer {
 public:
  Pool(const ImageShape& in, std::size_t side) : Layer(in, pooled(in, side)), side_(side) {
    check(side > 0 && out().size() > 0, "pooling leaves nothing");
  }

 protected:
  // Calls function(plane of in, its first pixel, place in out) for each area.
  template <class Function>
  void for_each_area(std::size_t samples, Function&& function) const {
    for (std::size_t plane = 0; plane < samples * in().channels; ++plane)
      for (std::size_t r = 0; r < out().height; ++r)
        for (std::size_t c = 0; c < out().width; ++c)
          function(plane * in().area() + (r * in().width + c) * side_, plane * out().area() + r * out().width + c);
  }
  std::size_t side_;
};

class MaxPool final : public Pool {
 public:
  using Pool::Pool;
  void forward(const Real*, std::size_t samples, const Real* x, Real* y, Real*, Real*) const override {
    for_each_area(samples, [&](std::size_t from, std::size_t to) { y[to] = x[largest(x, from)]; });
  }
  void backward(const Real*, std::size_t samples, const Real* x, const Real*, Real*, const Real* dy, Real* dx, Real*,
                Real*) const override {
    if (!dx) return;
    std::fill_n(dx, samples * in().size(), 0.0f);
    for_each_area(samples, [&](std::size_t from, std::size_t to) { dx[largest(x, from)] += dy[to]; });
  }

 private:
  // NaN is larger than all, so that it stays.
  std::size_t largest(const Real* x, std::size_t from) const {
    std::size_t best = from;
    for (std::size_t r = 0; r < side_; ++r)
      for (std::size_t c = 0; c < side_; ++c) {
        const std::size_t at = from + r * in().width + c;
        if (x[at] > x[best] || (std::isnan(x[at]) && !std::isnan(x[best]))) best = at;
      }
    return best;
  }
};

class AveragePool final : public Pool {
 public:
  using Pool::Pool;
  void forward(const Real*, std::size_t samples, const Real* x, Real* y, Real*, Real*) const override {
    for_each_area(samples, [&](std::size_t from, std::size_t to) {
      Real sum = 0;
      for (std::size_t r = 0; r < side_; ++r)
        for (std::size_t c = 0; c < side_; ++c) sum += x[from + r * in().width + c];
      y[to] = sum * share();
    });
  }
  void backward(const Real*, std::size_t samples, const Real*, const Real*, Real*, const Real* dy, Real* dx, Real*,
                Real*) const override {
    if (!dx) return;
    std::fill_n(dx, samples * in().size(), 0.0f);
    for_each_area(samples, [&](std::size_t from, std::size_t to) {
      for (std::size_t r = 0; r < side_; ++r)
        for (std::size_t c = 0; c < side_; ++c) dx[from + r * in().width + c] = dy[to] * share();
    });
  }

 private:
  Real share() const { return 1 / static_cast<Real>(side_ * side_); }
};

// kept, a sample: the outputs of all layers but the last, then what each keeps. scratch: two arrays of the widest of
// those outputs for a number of samples that the network fixes, then the layers' own.
class Sequence final : public Layer {
 public:
  Sequence(const ImageShape& in, Layers layers)
      : Layer(in, layers.empty() ? in : layers.back()->out()), layers_(std::move(layers)) {
    check(!layers_.empty(), "a sequence of no layers");
    ImageShape shape = in;
    for (const auto& layer : layers_) {
      check(layer->in() == shape, "a layer does not take what the one before it gives");
      shape = layer->out();
      parameters_ += layer->parameters();
      if (layer != layers_.back()) kept_ += shape.size();
      if (layer != layers_.back()) widest_ = std::max(widest_, shape.size());
      kept_ += layer->kept();
      scratch_ = std::max(scratch_, layer->scratch());
    }
  }
  std::size_t parameters() const override { return parameters_; }
  std::size_t kept() const override { return kept_ + 2 * widest_; }  // backward's arrays stand behind what is kept
  std::size_t scratch() const override { return scratch_; }
  double flops() const override {
    double sum = 0;
    for (const auto& layer : layers_) sum += layer->flops();
    return sum;
  }
  void initialise(Real* w, Stream& words) const override {
    for (const auto& layer : layers_) layer->initialise(w, words), w += layer->parameters();
  }
  void penalise(std::size_t first, std::vector<CoordinateRange>& ranges) const override {
    for (const auto& layer : layers_) layer->penalise(first, ranges), first += layer->parameters();
  }

  void forward(const Real* w, std::size_t samples, const Real* x, Real* y, Real* kept, Real* scratch) const override {
    for (const auto& layer : layers_) {
      Real* const result = layer == layers_.back() ? y : kept;
      if (layer != layers_.back()) kept += samples * layer->out().size();
      layer->forward(w, samples, x, result, kept, scratch);
      kept += samples * layer->kept();
      w += layer->parameters();
      x = result;
    }
  }
  void backward(const Real* w, std::size_t samples, const Real* x, const Real* y, Real* kept, const Real* dy, Real* dx,
                Real* dw, Real* scratch) const override {
    w += parameters_;
    dw += parameters_;
    kept += samples * kept_;
    Real* const deltas = kept;  // behind what forward() has left
    for (std::size_t l = layers_.size(); l-- > 0;) {
      const Layer& layer = *layers_[l];
      w -= layer.parameters();
      dw -= layer.parameters();
      kept -= samples * layer.kept();
      Real* const own = kept;
      const Real* input = x;
      if (l + 1 < layers_.size()) kept -= samples * layer.out().size();
      if (l > 0) input = kept - samples * (layers_[l - 1]->kept() + layers_[l - 1]->out().size());
      Real* const next = l == 0 ? dx : deltas + (l % 2) * samples * widest_;
      layer.backward(w, samples, input, y, own, dy, next, dw, scratch);
      dy = next;
      y = input;
    }
  }

 private:
  Layers layers_;
  std::size_t parameters_ = 0, kept_ = 0, widest_ = 0, scratch_ = 0;
};

class Residual final : public Layer {
 public:
  explicit Residual(std::unique_ptr<Layer> body) : Layer(body->in(), body->out()), body_(std::move(body)) {
    check(residual_fits(in(), out()), "a residual block's body changes the shape otherwise than its shortcut does");
  }
  std::size_t parameters() const override { return body_->parameters(); }
  std::size_t kept() const override { return body_->kept(); }
  std::size_t scratch() const override { return body_->scratch(); }
  double flops() const override { return body_->flops(); }
  void initialise(Real* w, Stream& words) const override { body_->initialise(w, words); }
  void penalise(std::size_t first, std::vector<CoordinateRange>& ranges) const override {
    body_->penalise(first, ranges);
  }
  void forward(const Real* w, std::size_t samples, const Real* x, Real* y, Real* kept, Real* scratch) const override {
    body_->forward(w, samples, x, y, kept, scratch);
    if (in() == out()) {
      const std::size_t count = samples * in().size();
#pragma omp simd
      for (std::size_t i = 0; i < count; ++i) y[i] += x[i];
    } else {
      for_each_pixel(samples, [&](std::size_t from, std::size_t to) { y[to] += x[from]; });
    }
  }
  // The body's own ∂ℓ/∂y is the block's; the output that it left has the shortcut added, so its last layer must be one
  // that does not look at its output (ReLU does).
  void backward(const Real* w, std::size_t samples, const Real* x, const Real* y, Real* kept, const Real* dy, Real* dx,
                Real* dw, Real* scratch) const override {
    body_->backward(w, samples, x, y, kept, dy, dx, dw, scratch);
    if (!dx) return;
    if (in() == out()) {
      const std::size_t count = samples * in().size();
#pragma omp simd
      for (std::size_t i = 0; i < count; ++i) dx[i] += dy[i];
    } else {
      for_each_pixel(samples, [&](std::size_t from, std::size_t to) { dx[from] += dy[to]; });
    }
  }

 private:
  template <class Function>
  void for_each_pixel(std::size_t samples, Function&& function) const {
    const std::size_t before = (out().channels - in().channels) / 2;
    for (std::size_t k = 0; k < samples; ++k)
      for (std::size_t c = 0; c < in().channels; ++c)
        for (std::size_t r = 0; r < out().height; ++r)
          for (std::size_t i = 0; i < out().width; ++i)
            function((k * in().channels + c) * in().area() + 2 * r * in().width + 2 * i,
                     (k * out().channels + before + c) * out().area() + r * out().width + i);
  }
  std::unique_ptr<Layer> body_;
};

}  // namespace

std::unique_ptr<Layer> linear(ImageShape in, std::size_t outputs) { return std::make_unique<Linear>(in, outputs); }
std::unique_ptr<Layer> relu(ImageShape in) { return std::make_unique<Relu>(in); }
std::unique_ptr<Layer> max_pool(ImageShape in, std::size_t side) { return std::make_unique<MaxPool>(in, side); }
std::unique_ptr<Layer> average_pool(ImageShape in, std::size_t side) { return std::make_unique<AveragePool>(in, side); }
std::unique_ptr<Layer> sequence(ImageShape in, Layers layers) {
  return std::make_unique<Sequence>(in, std::move(layers));
}
bool residual_fits(const ImageShape& in, const ImageShape& out) {
  const bool halves = in.height == 2 * out.height && in.width == 2 * out.width && out.channels >= in.channels &&
                      (out.channels - in.channels) % 2 == 0;
  return in == out || halves;
}
std::unique_ptr<Layer> residual(std::unique_ptr<Layer> body) { return std::make_unique<Residual>(std::move(body)); }

}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Wu and He, "Group normalization", ECCV 2018: of each sample and group of channels
//   x̂ = (x − μ) r,  r = 1/√(σ² + 1e-5),  y = γ_c x̂ + β_c
// A group's numbers lie together, so that both passes run through memory.
#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/lanes.hpp"
#include "problem/layer.hpp"

namespace quantimed {

namespace {

constexpr double kEpsilon = 1e-5;

QUANTIMED_KERNEL Real sum_of(const Real* x, std::size_t count) {
  return sum_in_lanes(count, [=](std::size_t i) { return x[i]; });
}

QUANTIMED_KERNEL Real sum_of_squares(const Real* x, std::size_t count, Real mean) {
  return sum_in_lanes(count, [=](std::size_t i) { return (x[i] - mean) * (x[i] - mean); });
}

QUANTIMED_KERNEL Real sum_of_products(const Real* x, const Real* y, std::size_t count, Real mean) {
  return sum_in_lanes(count, [=](std::size_t i) { return (x[i] - mean) * y[i]; });
}

// y = x · scale + shift
QUANTIMED_KERNEL void scale_and_shift(const Real* x, std::size_t count, Real scale, Real shift, Real* y) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] * scale + shift;
}

// dx = a dy + b x + e
QUANTIMED_KERNEL void combine(Real a, const Real* dy, Real b, const Real* x, Real e, std::size_t count, Real* dx) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) dx[i] = a * dy[i] + b * x[i] + e;
}

// w: γ [channels], β [channels].  kept, a sample: μ and r of each group.
class GroupNorm final : public Layer {
 public:
  GroupNorm(const ImageShape& in, std::size_t groups) : Layer(in, in), groups_(groups) {
    check(groups > 0 && in.channels % groups == 0, "group norm: the groups do not divide the channels");
  }
  std::size_t parameters() const override { return 2 * in().channels; }
  std::size_t kept() const override { return 2 * groups_; }
  void initialise(Real* w, Stream&) const override {
    std::fill_n(w, in().channels, 1.0f);
    std::fill_n(w + in().channels, in().channels, 0.0f);
  }

  void forward(const Real* w, std::size_t samples, const Real* x, Real* y, Real* kept, Real*) const override {
    const std::size_t area = in().area(), each = in().channels / groups_, count = each * area;
    for (std::size_t k = 0; k < samples * groups_; ++k, kept += 2) {
      double sum = 0, squares = 0;
      for (std::size_t c = 0; c < each; ++c) sum += static_cast<double>(dispatched<sum_of>(x + c * area, area));
      const auto mean = static_cast<Real>(sum / static_cast<double>(count));
      for (std::size_t c = 0; c < each; ++c)
        squares += static_cast<double>(dispatched<sum_of_squares>(x + c * area, area, mean));
      const auto r = static_cast<Real>(1 / std::sqrt(squares / static_cast<double>(count) + kEpsilon));
      for (std::size_t c = 0; c < each; ++c, x += area, y += area) {
        const std::size_t channel = k % groups_ * each + c;
        const Real scale = r * w[channel], shift = w[in().channels + channel] - mean * scale;
        dispatched<scale_and_shift>(x, area, scale, shift, y);
      }
      kept[0] = mean;
      kept[1] = r;
    }
  }

  // ∂ℓ/∂x = r (γ dy − mean(γ dy) − x̂ mean(γ dy x̂)), means over the group.
  void backward(const Real* w, std::size_t samples, const Real* x, const Real*, Real* kept, const Real* dy, Real* dx,
                Real* dw, Real*) const override {
    const std::size_t area = in().area(), each = in().channels / groups_;
    const double count = static_cast<double>(each * area);
    for (std::size_t k = 0; k < samples * groups_; ++k, kept += 2) {
      const Real mean = kept[0], r = kept[1];
      double sum = 0, products = 0;  // of γ dy, and of γ dy x̂
      for (std::size_t c = 0; c < each; ++c) {
        const std::size_t channel = k % groups_ * each + c;
        const Real own = dispatched<sum_of>(dy + c * area, area),
                   own_products = r * dispatched<sum_of_products>(x + c * area, dy + c * area, area, mean);
        dw[channel] += own_products;
        dw[in().channels + channel] += own;
        sum += static_cast<double>(w[channel]) * static_cast<double>(own);
        products += static_cast<double>(w[channel]) * static_cast<double>(own_products);
      }
      const auto b = static_cast<Real>(-static_cast<double>(r) * static_cast<double>(r) * products / count);
      const auto e = static_cast<Real>(-static_cast<double>(r) * sum / count - static_cast<double>(b * mean));
      for (std::size_t c = 0; c < each; ++c, x += area, dy += area) {
        if (!dx) continue;
        const Real a = r * w[k % groups_ * each + c];
        dispatched<combine>(a, dy, b, x, e, area, dx);
        dx += area;
      }
    }
  }

 private:
  std::size_t groups_;
};

}  // namespace

std::unique_ptr<Layer> group_norm(ImageShape in, std::size_t groups) { return std::make_unique<GroupNorm>(in, groups); }

}  // namespace quantimed

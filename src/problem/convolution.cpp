// SPDX-License-Identifier: BSD-3-Clause
// A convolution as a matrix product: the patches under the kernel become the columns of a matrix
// [in channels · kernel², out pixels] (im2col), which stays in the second-level cache. Small images go several at a
// time, since a product of 64 columns costs nearly as much as one of a thousand.
#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/lanes.hpp"
#include "blas/blas.hpp"
#include "problem/layer.hpp"

namespace quantimed {

using blas::Op;

namespace {

ImageShape strided(ImageShape in, std::size_t channels, std::size_t stride) {
  return {channels, (in.height + stride - 1) / stride, (in.width + stride - 1) / stride};
}

QUANTIMED_KERNEL Real sum(const Real* values, std::size_t count) {
  return sum_in_lanes(count, [=](std::size_t i) { return values[i]; });
}

class Convolution final : public Layer {
 public:
  Convolution(const ImageShape& in, std::size_t channels, std::size_t kernel, std::size_t stride, bool bias)
      : Layer(in, strided(in, channels, stride)), kernel_(kernel), stride_(stride), bias_(bias) {
    check(kernel % 2 == 1 && stride > 0 && channels > 0, "a convolution of an even kernel, or of nothing");
  }
  std::size_t parameters() const override { return weights() + (bias_ ? out().channels : 0); }
  std::size_t scratch() const override { return (2 * patch() + out().channels) * group() * out().area(); }
  double flops() const override { return 2.0 * static_cast<double>(weights() * out().area()); }
  void initialise(Real* w, Stream& words) const override {
    const double half_width = 1 / std::sqrt(static_cast<double>(patch()));
    for (std::size_t k = 0; k < parameters(); ++k) w[k] = static_cast<Real>(words.uniform(-half_width, half_width));
  }
  void penalise(std::size_t first, std::vector<CoordinateRange>& ranges) const override {
    ranges.push_back({first, first + weights()});
  }

  // W: [out channels, in channels · kernel²]
  void forward(const Real* w, std::size_t samples, const Real* x, Real* y, Real*, Real* scratch) const override {
    for (std::size_t first = 0; first < samples; first += group()) {
      const std::size_t count = std::min(group(), samples - first), columns = count * out().area();
      Real* const product = count == 1 ? y : scratch + patch() * columns;
      for (std::size_t k = 0; k < count; ++k, x += in().size()) take_patches(x, scratch + k * out().area(), columns);
      if (bias_)
        for (std::size_t c = 0; c < out().channels; ++c) std::fill_n(product + c * columns, columns, w[weights() + c]);
      blas::gemm(Op::none, Op::none, out().channels, columns, patch(), w, patch(), scratch, columns,
                 bias_ ? 1.0f : 0.0f, product, columns);
      if (count > 1)
        for_each_plane(count, [&](std::size_t of_image, std::size_t of_product) {
          std::copy_n(product + of_product, out().area(), y + of_image);
        });
      y += count * out().size();
    }
  }

  void backward(const Real* w, std::size_t samples, const Real* x, const Real*, Real*, const Real* dy, Real* dx,
                Real* dw, Real* scratch) const override {
    for (std::size_t first = 0; first < samples; first += group()) {
      const std::size_t count = std::min(group(), samples - first), columns = count * out().area();
      Real* const d_patches = scratch + patch() * columns;
      Real* const gathered = d_patches + patch() * columns;
      for (std::size_t k = 0; k < count; ++k, x += in().size()) take_patches(x, scratch + k * out().area(), columns);
      if (count > 1)
        for_each_plane(count, [&](std::size_t of_image, std::size_t of_product) {
          std::copy_n(dy + of_image, out().area(), gathered + of_product);
        });
      const Real* const d = count == 1 ? dy : gathered;
      dy += count * out().size();
      blas::gemm(Op::none, Op::transpose, out().channels, patch(), columns, d, columns, scratch, columns, 1.0f, dw,
                 patch());
      if (bias_)
        for (std::size_t c = 0; c < out().channels; ++c) dw[weights() + c] += dispatched<sum>(d + c * columns, columns);
      if (!dx) continue;
      blas::gemm(Op::transpose, Op::none, patch(), columns, out().channels, w, patch(), d, columns, 0.0f, d_patches,
                 columns);
      for (std::size_t k = 0; k < count; ++k, dx += in().size())
        give_patches(d_patches + k * out().area(), columns, dx);
    }
  }

 private:
  std::size_t patch() const { return in().channels * kernel_ * kernel_; }
  std::size_t weights() const { return out().channels * patch(); }
  // Images whose patches make one matrix.
  std::size_t group() const {
    constexpr std::size_t kColumns = 1024;
    return std::max<std::size_t>(1, kColumns / out().area());
  }

  // Calls function(place in [count, channels, area], place in [channels, count, area]).
  template <class Function>
  void for_each_plane(std::size_t count, Function&& function) const {
    for (std::size_t k = 0; k < count; ++k)
      for (std::size_t c = 0; c < out().channels; ++c)
        function((k * out().channels + c) * out().area(), (c * count + k) * out().area());
  }

  // Calls function(row of the matrix, row of the image, row of out, first and last column of out that lie inside) for
  // every row of pixels of every tap of the kernel; rows that lie outside have image row = in().height.
  template <class Function>
  void for_each_row(Function&& function) const {
    const auto pad = static_cast<std::ptrdiff_t>(kernel_ / 2), stride = static_cast<std::ptrdiff_t>(stride_);
    const auto height = static_cast<std::ptrdiff_t>(in().height), width = static_cast<std::ptrdiff_t>(in().width);
    for (std::size_t c = 0, row = 0; c < in().channels; ++c)
      for (std::size_t kr = 0; kr < kernel_; ++kr)
        for (std::size_t kc = 0; kc < kernel_; ++kc, ++row) {
          const std::ptrdiff_t shift = static_cast<std::ptrdiff_t>(kc) - pad;  // of the column
          std::ptrdiff_t first = 0, last = static_cast<std::ptrdiff_t>(out().width);
          while (first < last && first * stride + shift < 0) ++first;
          while (last > first && (last - 1) * stride + shift >= width) --last;
          for (std::size_t r = 0; r < out().height; ++r) {
            const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(r) * stride + static_cast<std::ptrdiff_t>(kr) - pad;
            function(c, row, at >= 0 && at < height ? at : height, r, first, last, shift);
          }
        }
  }

  void take_patches(const Real* x, Real* patches, std::size_t columns) const {
    const auto height = static_cast<std::ptrdiff_t>(in().height), stride = static_cast<std::ptrdiff_t>(stride_);
    for_each_row([&](std::size_t c, std::size_t row, std::ptrdiff_t at, std::size_t r, std::ptrdiff_t first,
                     std::ptrdiff_t last, std::ptrdiff_t shift) {
      Real* const to = patches + row * columns + r * out().width;
      if (at == height) {
        std::fill_n(to, out().width, 0.0f);
        return;
      }
      const Real* const from = x + c * in().area() + static_cast<std::size_t>(at) * in().width;
      std::fill(to, to + first, 0.0f);
      if (stride == 1)
        std::copy(from + first + shift, from + last + shift, to + first);
      else
        for (std::ptrdiff_t i = first; i < last; ++i) to[i] = from[i * stride + shift];
      std::fill(to + last, to + out().width, 0.0f);
    });
  }

  // dx ← what the patches' derivatives add up to at each pixel.
  void give_patches(const Real* d_patches, std::size_t columns, Real* dx) const {
    const auto height = static_cast<std::ptrdiff_t>(in().height), stride = static_cast<std::ptrdiff_t>(stride_);
    std::fill_n(dx, in().size(), 0.0f);
    for_each_row([&](std::size_t c, std::size_t row, std::ptrdiff_t at, std::size_t r, std::ptrdiff_t first,
                     std::ptrdiff_t last, std::ptrdiff_t shift) {
      if (at == height) return;
      const Real* const from = d_patches + row * columns + r * out().width;
      Real* const to = dx + c * in().area() + static_cast<std::size_t>(at) * in().width;
      if (stride == 1) {
#pragma omp simd
        for (std::ptrdiff_t i = first; i < last; ++i) to[i + shift] += from[i];
      } else {
        for (std::ptrdiff_t i = first; i < last; ++i) to[i * stride + shift] += from[i];
      }
    });
  }

  std::size_t kernel_, stride_;
  bool bias_;
};

}  // namespace

std::unique_ptr<Layer> convolution(ImageShape in, std::size_t channels, std::size_t kernel, std::size_t stride,
                                   bool bias) {
  return std::make_unique<Convolution>(in, channels, kernel, stride, bias);
}

}  // namespace quantimed

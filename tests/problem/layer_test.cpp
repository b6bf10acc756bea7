// SPDX-License-Identifier: BSD-3-Clause
// Every layer against a naive twin in float64 (one loop for each sum, as in the books) and its derivative against
// finite differences of that twin; then whole networks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/error.hpp"
#include "problem/layered.hpp"

namespace quantimed {
namespace {

using Numbers = std::vector<double>;
// y of one sample x, with weights w.
using Twin = std::function<Numbers(const Numbers& w, const Numbers& x)>;

double at(const Numbers& x, ImageShape s, std::size_t c, std::ptrdiff_t r, std::ptrdiff_t i) {
  const bool is_inside =
      r >= 0 && i >= 0 && r < static_cast<std::ptrdiff_t>(s.height) && i < static_cast<std::ptrdiff_t>(s.width);
  return is_inside ? x[(c * s.height + static_cast<std::size_t>(r)) * s.width + static_cast<std::size_t>(i)] : 0;
}

Twin naive_convolution(ImageShape in, std::size_t channels, std::size_t kernel, std::size_t stride, bool bias) {
  return [=](const Numbers& w, const Numbers& x) {
    const auto pad = static_cast<std::ptrdiff_t>(kernel / 2);
    Numbers y;
    for (std::size_t o = 0; o < channels; ++o)
      for (std::size_t r = 0; r < in.height; r += stride)
        for (std::size_t i = 0; i < in.width; i += stride) {
          double sum = bias ? w[channels * in.channels * kernel * kernel + o] : 0;
          for (std::size_t c = 0; c < in.channels; ++c)
            for (std::size_t a = 0; a < kernel; ++a)
              for (std::size_t b = 0; b < kernel; ++b)
                sum += w[((o * in.channels + c) * kernel + a) * kernel + b] *
                       at(x, in, c, static_cast<std::ptrdiff_t>(r + a) - pad, static_cast<std::ptrdiff_t>(i + b) - pad);
          y.push_back(sum);
        }
    return y;
  };
}

Twin naive_linear(std::size_t inputs, std::size_t outputs) {
  return [=](const Numbers& w, const Numbers& x) {
    Numbers y(w.end() - static_cast<std::ptrdiff_t>(outputs), w.end());
    for (std::size_t i = 0; i < inputs; ++i)
      for (std::size_t j = 0; j < outputs; ++j) y[j] += x[i] * w[i * outputs + j];
    return y;
  };
}

Twin naive_group_norm(ImageShape in, std::size_t groups) {
  return [=](const Numbers& w, const Numbers& x) {
    Numbers y = x;
    const std::size_t each = in.channels / groups;
    for (std::size_t g = 0; g < groups; ++g) {
      double mean = 0, variance = 0;
      const std::size_t first = g * each * in.area(), count = each * in.area();
      for (std::size_t k = first; k < first + count; ++k) mean += x[k] / static_cast<double>(count);
      for (std::size_t k = first; k < first + count; ++k)
        variance += (x[k] - mean) * (x[k] - mean) / static_cast<double>(count);
      for (std::size_t k = first; k < first + count; ++k) {
        const std::size_t c = k / in.area();
        y[k] = (x[k] - mean) / std::sqrt(variance + 1e-5) * w[c] + w[in.channels + c];
      }
    }
    return y;
  };
}

Twin naive_pool(ImageShape in, std::size_t side, bool is_max) {
  return [=](const Numbers&, const Numbers& x) {
    Numbers y;
    for (std::size_t c = 0; c < in.channels; ++c)
      for (std::size_t r = 0; r + side <= in.height; r += side)
        for (std::size_t i = 0; i + side <= in.width; i += side) {
          double best = -1e300, sum = 0;
          for (std::size_t a = 0; a < side; ++a)
            for (std::size_t b = 0; b < side; ++b) {
              const double value = x[(c * in.height + r + a) * in.width + i + b];
              best = std::max(best, value);
              sum += value / static_cast<double>(side * side);
            }
          y.push_back(is_max ? best : sum);
        }
    return y;
  };
}

Numbers naive_relu(const Numbers&, const Numbers& x) {
  Numbers y = x;
  for (double& value : y) value = std::max(value, 0.0);
  return y;
}

// A block of one convolution that halves the image and doubles the channels.
Twin naive_halving_block(ImageShape in) {
  const std::size_t channels = 2 * in.channels;
  return [=](const Numbers& w, const Numbers& x) {
    Numbers y = naive_convolution(in, channels, 3, 2, true)(w, x);
    const std::size_t before = in.channels / 2, height = in.height / 2, width = in.width / 2;
    for (std::size_t c = 0; c < in.channels; ++c)
      for (std::size_t r = 0; r < height; ++r)
        for (std::size_t i = 0; i < width; ++i)
          y[((before + c) * height + r) * width + i] += x[(c * in.height + 2 * r) * in.width + 2 * i];
    return y;
  };
}

struct LayerCase {
  std::string name;
  std::shared_ptr<Layer> layer;
  Twin twin;
};

Layers only(std::unique_ptr<Layer> layer) {
  Layers layers;
  layers.push_back(std::move(layer));
  return layers;
}

std::vector<LayerCase> layer_cases() {
  const ImageShape odd{3, 5, 7}, even{4, 6, 8};
  std::vector<LayerCase> cases;
  const auto add = [&](std::string name, std::shared_ptr<Layer> layer, Twin twin) {
    cases.push_back({std::move(name), std::move(layer), std::move(twin)});
  };
  add("linear", linear(odd, 11), naive_linear(odd.size(), 11));
  for (const std::size_t kernel : {1u, 3u, 5u})
    for (const std::size_t stride : {1u, 2u}) {
      const std::string name = fmt::format("convolution_{}_{}", kernel, stride);
      add(name, convolution(odd, 6, kernel, stride, true), naive_convolution(odd, 6, kernel, stride, true));
      add(name + "_no_bias", convolution(even, 2, kernel, stride, false),
          naive_convolution(even, 2, kernel, stride, false));
    }
  for (const std::size_t groups : {1u, 2u, 4u})
    add(fmt::format("group_norm_{}", groups), group_norm(even, groups), naive_group_norm(even, groups));
  add("relu", relu(odd), naive_relu);
  for (const std::size_t side : {1u, 2u, 3u}) {
    add(fmt::format("max_pool_{}", side), max_pool(odd, side), naive_pool(odd, side, true));
    add(fmt::format("average_pool_{}", side), average_pool(even, side), naive_pool(even, side, false));
  }
  add("halving_block", residual(sequence(even, only(convolution(even, 8, 3, 2, true)))), naive_halving_block(even));
  Layers chain;  // of several that keep something
  chain.push_back(convolution(even, 6, 3, 1, false));
  chain.push_back(group_norm({6, 6, 8}, 3));
  chain.push_back(relu({6, 6, 8}));
  chain.push_back(max_pool({6, 6, 8}, 2));
  chain.push_back(linear({6, 3, 4}, 5));
  add("sequence", sequence(even, std::move(chain)), [=](const Numbers& w, const Numbers& x) {
    const auto from = w.begin();
    const Numbers a(from, from + 216), b(from + 216, from + 228), c(from + 228, w.end());
    return naive_linear(72, 5)(
        c, naive_pool({6, 6, 8}, 2, true)(
               {}, naive_relu({}, naive_group_norm({6, 6, 8}, 3)(b, naive_convolution(even, 6, 3, 1, false)(a, x)))));
  });
  Layers body;
  body.push_back(convolution(even, 4, 3, 1, false));
  body.push_back(group_norm(even, 2));
  add("block", residual(sequence(even, std::move(body))), [=](const Numbers& w, const Numbers& x) {
    Numbers y = naive_group_norm(even, 2)({w.begin() + 144, w.end()},
                                          naive_convolution(even, 4, 3, 1, false)({w.begin(), w.begin() + 144}, x));
    for (std::size_t k = 0; k < y.size(); ++k) y[k] += x[k];
    return y;
  });
  return cases;
}

class EveryLayer : public testing::TestWithParam<std::size_t> {
 protected:
  static constexpr std::size_t kLayerSamples = 3;
  EveryLayer()
      : layer_(layer_cases()[GetParam()].layer),
        twin_(layer_cases()[GetParam()].twin),
        w_(draw(layer_->parameters())),
        x_(draw(kLayerSamples * layer_->in().size())),
        y_(kLayerSamples * layer_->out().size(), std::numeric_limits<float>::quiet_NaN()),
        kept_(kLayerSamples * layer_->kept() + 1, std::numeric_limits<float>::quiet_NaN()),
        scratch_(layer_->scratch() + 1, std::numeric_limits<float>::quiet_NaN()) {}

  std::vector<float> draw(std::size_t count) {
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(words_.uniform(-1, 1));
    return values;
  }
  void forward() { layer_->forward(w_.data(), kLayerSamples, x_.data(), y_.data(), kept_.data(), scratch_.data()); }
  Numbers sample(std::size_t k) const {
    const auto first = x_.begin() + static_cast<std::ptrdiff_t>(k * layer_->in().size());
    return {first, first + static_cast<std::ptrdiff_t>(layer_->in().size())};
  }
  // Σ of dy · y over all samples, by the twin.
  double twin_loss(const Numbers& w, const std::vector<Numbers>& x, const std::vector<float>& dy) const {
    double sum = 0;
    for (std::size_t k = 0; k < kLayerSamples; ++k) {
      const Numbers y = twin_(w, x[k]);
      for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * static_cast<double>(dy[k * y.size() + i]);
    }
    return sum;
  }

  Stream words_{{.seed = 8}};
  std::shared_ptr<Layer> layer_;
  Twin twin_;
  std::vector<float> w_, x_, y_, kept_, scratch_;
};

TEST_P(EveryLayer, ForwardMatchesTheNaiveTwin) {
  forward();
  const Numbers w(w_.begin(), w_.end());
  for (std::size_t k = 0; k < kLayerSamples; ++k) {
    const Numbers expected = twin_(w, sample(k));
    ASSERT_EQ(expected.size(), layer_->out().size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(y_[k * expected.size() + i], expected[i], 2e-5 * (1 + std::fabs(expected[i]))) << k << " " << i;
  }
}

TEST_P(EveryLayer, BackwardMatchesFiniteDifferencesOfTheTwin) {
  forward();
  const std::vector<float> dy = draw(y_.size());
  std::vector<float> dx(x_.size(), std::numeric_limits<float>::quiet_NaN()), dw(w_.size(), 0.5f);  // added to
  layer_->backward(w_.data(), kLayerSamples, x_.data(), y_.data(), kept_.data(), dy.data(), dx.data(), dw.data(),
                   scratch_.data());
  Numbers w(w_.begin(), w_.end());
  std::vector<Numbers> x;
  for (std::size_t k = 0; k < kLayerSamples; ++k) x.push_back(sample(k));
  constexpr double kStep = 1e-6;
  const auto slope = [&](double& number) {
    const double before = number;
    number = before + kStep;
    const double above = twin_loss(w, x, dy);
    number = before - kStep;
    const double below = twin_loss(w, x, dy);
    number = before;
    return (above - below) / (2 * kStep);
  };
  for (std::size_t i = 0; i < w.size(); i += 1 + w.size() / 97) {
    const double expected = slope(w[i]);
    ASSERT_NEAR(static_cast<double>(dw[i]) - 0.5, expected, 1e-4 * (1 + std::fabs(expected))) << "weight " << i;
  }
  for (std::size_t i = 0; i < x_.size(); i += 1 + x_.size() / 97) {
    const double expected = slope(x[i / layer_->in().size()][i % layer_->in().size()]);
    ASSERT_NEAR(dx[i], expected, 1e-4 * (1 + std::fabs(expected))) << "input " << i;
  }
}

TEST_P(EveryLayer, WithoutTheInputsDerivativeTheWeightsIsTheSame) {
  forward();
  const std::vector<float> dy = draw(y_.size()), kept = kept_;
  std::vector<float> dx(x_.size()), dw(w_.size()), alone(w_.size());
  layer_->backward(w_.data(), kLayerSamples, x_.data(), y_.data(), kept_.data(), dy.data(), dx.data(), dw.data(),
                   scratch_.data());
  kept_ = kept;
  layer_->backward(w_.data(), kLayerSamples, x_.data(), y_.data(), kept_.data(), dy.data(), nullptr, alone.data(),
                   scratch_.data());
  EXPECT_EQ(dw, alone);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryLayer, testing::Range(std::size_t{0}, layer_cases().size()),
                         [](const auto& test) { return layer_cases()[test.param].name; });

TEST(Layer, NaNStays) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto& layer :
       {relu({1, 2, 2}), max_pool({1, 2, 2}, 2), average_pool({1, 2, 2}, 2), group_norm({1, 2, 2}, 1)})
    for (std::size_t place = 0; place < 4; ++place) {
      std::vector<float> x = {1, 2, 3, 4}, y(4), kept(8), w = {1, 0};
      x[place] = nan;
      layer->forward(w.data(), 1, x.data(), y.data(), kept.data(), nullptr);
      EXPECT_TRUE(std::ranges::any_of(y, [](float v) { return std::isnan(v); })) << place;
    }
}

// ---- whole networks ----------------------------------------------------------------------------------
Dataset images(std::uint32_t samples, ImageShape shape, std::uint32_t classes) {
  Dataset data;
  data.name = "images";
  data.samples = samples;
  data.features = static_cast<std::uint32_t>(shape.size());
  data.classes = classes;
  data.shape = {static_cast<std::uint32_t>(shape.channels), static_cast<std::uint32_t>(shape.height),
                static_cast<std::uint32_t>(shape.width)};
  Stream words({.seed = 2});
  for (std::size_t i = 0; i < std::size_t{samples} * data.features; ++i)
    data.bytes.push_back(static_cast<std::uint8_t>(words.index(256)));
  for (std::uint32_t k = 0; k < samples; ++k) data.targets.push_back(static_cast<float>(k % classes));
  return data;
}

TEST(LayeredProblem, HasThePublishedNumberOfWeights) {
  const Dataset cifar = images(2, {3, 32, 32}, 10);
  EXPECT_EQ(make_problem({.model = "gn-lenet"}, cifar)->dimension(), 89'834u);
  EXPECT_EQ(make_problem({.model = "resnet20"}, cifar)->dimension(), 269'722u);
  EXPECT_EQ(make_problem({.model = "resnet20"}, cifar)->description(), "resnet20 3x32x32-10, softmax");
  // 16·3·9 + 6·16·16·9 + 32·16·9 + 5·32·32·9 + 64·32·9 + 5·64·64·9 multiplications on 32², 16² and 8² pixels.
  const double macs = 1024.0 * (432 + 13'824) + 256.0 * (4'608 + 46'080) + 64.0 * (18'432 + 184'320) + 640;
  EXPECT_EQ(make_problem({.model = "resnet20"}, cifar)->gradient_flops(), 3 * 2 * macs);
}

class EveryNetwork : public testing::TestWithParam<const char*> {};

// The slope along a few directions, by differences of the loss.
TEST_P(EveryNetwork, TheGradientIsTheLosssSlope) {
  const Dataset data = images(40, {2, 8, 8}, 3);
  const auto problem = make_problem({.model = GetParam()}, data);
  Workspace work = problem->make_workspace();
  const std::size_t p = problem->dimension();
  std::vector<float> x(p), g(p, std::numeric_limits<float>::quiet_NaN()), moved(p);
  problem->initialise(x, 5);
  std::vector<SampleId> rows;
  for (SampleId k = 0; k < 40; ++k) rows.push_back(k);  // more than a chunk
  problem->gradient_sum(x, rows, false, g, work);
  double length = 0;
  for (const float value : g) length += static_cast<double>(value) * static_cast<double>(value);
  length = std::sqrt(length);
  for (std::uint32_t direction = 0; direction < 4; ++direction) {
    Stream words({.seed = 3, .node = direction});
    std::vector<double> d(p);
    double slope = 0;
    for (std::size_t k = 0; k < p; ++k) {  // half along the gradient, half at random
      d[k] = static_cast<double>(g[k]) / length + words.uniform(-1, 1) / std::sqrt(static_cast<double>(p));
      slope += d[k] * static_cast<double>(g[k]);
    }
    double best = kForever;
    for (const double h : {3e-2, 1e-2, 3e-3, 1e-3, 3e-4}) {
      const auto loss = [&](double step) {
        for (std::size_t k = 0; k < p; ++k) moved[k] = x[k] + static_cast<float>(step * d[k]);
        return problem->loss_sum(moved, data, rows, work).loss;
      };
      best = std::min(best, std::fabs((loss(h) - loss(-h)) / (2 * h) - slope));
    }
    EXPECT_LT(best, 5e-3 * std::fabs(slope)) << GetParam();
  }
}

TEST_P(EveryNetwork, BatchesAddUp) {
  const Dataset data = images(50, {1, 8, 8}, 3);
  const auto problem = make_problem({.model = GetParam()}, data);
  Workspace work = problem->make_workspace();
  const std::size_t p = problem->dimension();
  std::vector<float> x(p), all(p), parts(p);
  problem->initialise(x, 5);
  std::vector<SampleId> rows;
  for (SampleId k = 0; k < 50; ++k) rows.push_back(49 - k);
  problem->gradient_sum(x, rows, false, all, work);
  for (std::size_t first = 0; first < 50; first += 10)
    problem->gradient_sum(x, std::span(rows).subspan(first, 10), first > 0, parts, work);
  double scale = 0;
  for (const float value : all) scale = std::max(scale, std::fabs(static_cast<double>(value)));
  for (std::size_t k = 0; k < p; ++k) ASSERT_NEAR(all[k], parts[k], 2e-5 * scale) << k;
}

TEST_P(EveryNetwork, TheSameSeedIsTheSameStartAndWeightsAlonePenalised) {
  const Dataset data = images(4, {1, 8, 8}, 3);
  const auto problem = make_problem({.model = GetParam()}, data);
  std::vector<float> a(problem->dimension()), b(a), c(a);
  problem->initialise(a, 5);
  problem->initialise(b, 5);
  problem->initialise(c, 6);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
  // Where the ℓ2 term applies no γ stands, which begins as 1.
  std::size_t last = 0;
  for (const CoordinateRange& range : problem->penalised()) {
    EXPECT_GE(range.first, last);
    last = range.last;
    for (std::size_t k = range.first; k < range.last; ++k) ASSERT_LT(std::fabs(a[k]), 1) << k;
  }
  EXPECT_LE(last, problem->dimension());
}

// 8x8 → 4x4 → a block that keeps that, a kernel wider than the image, a block that halves it → 2x2 → 1x1.
constexpr const char* kOwnNetwork =
    "layers:conv:6:3:2,norm:3,relu,[conv:6:3,norm:2,relu,conv:6:9:no-bias],relu,[conv:8:5:2,norm:4],average:2,"
    "linear:7,relu,linear";

INSTANTIATE_TEST_SUITE_P(Models, EveryNetwork, testing::Values("gn-lenet", "resnet20", kOwnNetwork),
                         [](const auto& test) {
                           const std::string name = test.param;
                           return name == kOwnNetwork ? "own" : name == "resnet20" ? "resnet20" : "gn_lenet";
                         });

TEST(LayeredProblem, WhatIsNoImageIsRefused) {
  const auto error = [](const char* model, const Dataset& data, std::vector<double> initial = {0.5}) {
    try {
      make_problem({.model = model, .initial_half_widths = std::move(initial)}, data);
    } catch (const InputError& refused) {
      return std::string(refused.what());
    }
    return std::string("accepted");
  };
  Dataset table = images(4, {1, 4, 4}, 2);
  table.shape = {16};
  EXPECT_EQ(error("gn-lenet", table).substr(0, 17), "--model gn-lenet:");
  EXPECT_NE(error("gn-lenet", table).find("no images, but 16 numbers"), std::string::npos);
  EXPECT_NE(error("gn-lenet", images(4, {1, 12, 12}, 2)).find("multiple of 8"), std::string::npos);
  EXPECT_NE(error("resnet20", images(4, {3, 8, 16}, 2)).find("are 8x16"), std::string::npos);
  EXPECT_EQ(error("resnet20", images(4, {3, 8, 8}, 2), {0.1}).substr(0, 10), "--initial:");
  EXPECT_EQ(error("resnet20", images(4, {3, 8, 8}, 2)), "accepted");
  const Dataset sparse = load_dataset({.name = "sparse-logistic:64,0.1,20"}).train;
  EXPECT_NE(error("gn-lenet", sparse).find("no images"), std::string::npos);
}

}  // namespace
}  // namespace quantimed

// SPDX-License-Identifier: BSD-3-Clause
// Losses and gradients that PyTorch computed in float64 (golden/make_layers.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "here.hpp"
#include "problem/layered.hpp"

namespace quantimed {
namespace {

constexpr std::uint32_t kImages = 4;
constexpr std::size_t kEvery = 97;

double hashed(std::uint32_t k) {
  std::uint32_t word = k * 2654435761u;
  word = (word ^ (word >> 15)) * 2246822519u;
  return (word >> 8) / 8388608.0 - 1;
}

Dataset hashed_images() {
  Dataset data{.name = "hashed", .samples = kImages, .features = 3072, .classes = 10};
  data.shape = {3, 32, 32};
  for (std::uint32_t k = 0; k < kImages * 3072; ++k)
    data.bytes.push_back(static_cast<std::uint8_t>(std::floor((hashed(k) + 1) * 128)));
  for (std::uint32_t k = 0; k < kImages; ++k) data.targets.push_back(static_cast<float>(k * 3 % 10));
  return data;
}

// What the generator's fill() does, along the layers of the network.
class Filler {
 public:
  void convolution(std::size_t in, std::size_t out, std::size_t kernel, bool bias) {
    const std::size_t inputs = in * kernel * kernel;
    uniform(out * inputs, inputs);
    if (bias) uniform(out, inputs);
  }
  void norm(std::size_t channels) {
    for (std::size_t k = 0; k < channels; ++k) x.push_back(static_cast<float>(1 + next() / 2));
    for (std::size_t k = 0; k < channels; ++k) x.push_back(static_cast<float>(next() / 4));
  }
  void linear(std::size_t inputs, std::size_t outputs) {
    uniform(inputs * outputs, inputs);
    uniform(outputs, inputs);
  }
  std::vector<float> x;

 private:
  double next() { return hashed(static_cast<std::uint32_t>(x.size())); }
  void uniform(std::size_t count, std::size_t inputs) {
    for (std::size_t k = 0; k < count; ++k)
      x.push_back(static_cast<float>(next() / std::sqrt(static_cast<double>(inputs))));
  }
};

std::vector<float> weights_of(const std::string& model) {
  Filler fill;
  if (model == "gn-lenet") {
    std::size_t in = 3;
    for (const std::size_t out : {32u, 32u, 64u}) {
      fill.convolution(in, out, 5, true);
      fill.norm(out);
      in = out;
    }
    fill.linear(1024, 10);
    return fill.x;
  }
  fill.convolution(3, 16, 3, false);
  fill.norm(16);
  std::size_t in = 16;
  for (const std::size_t out : {16u, 16u, 16u, 32u, 32u, 32u, 64u, 64u, 64u}) {
    fill.convolution(in, out, 3, false);
    fill.norm(out);
    fill.convolution(out, out, 3, false);
    fill.norm(out);
    in = out;
  }
  fill.linear(64, 10);
  return fill.x;
}

TEST(GoldenLayers, LossesAndGradientsArePyTorchs) {
  std::ifstream file(QUANTIMED_TESTS_DIR "/problem/golden/layers_torch.txt");
  const Dataset data = hashed_images();
  const std::vector<SampleId> rows = {0, 1, 2, 3};
  std::string model;
  std::size_t dimension = 0;
  int networks = 0;
  for (double loss = 0, norm = 0; file >> model >> dimension >> loss >> norm; ++networks) {
    SCOPED_TRACE(model);
    const auto problem = make_problem({.model = model}, data);
    ASSERT_EQ(problem->dimension(), dimension);
    const std::vector<float> x = weights_of(model);
    ASSERT_EQ(x.size(), dimension);
    Workspace work = problem->make_workspace();
    std::vector<float> sum(dimension);
    problem->gradient_sum(x, rows, false, sum, work);
    EXPECT_NEAR(problem->loss_sum(x, data, rows, work).loss, loss, 1e-5 * loss);
    double squares = 0, wanted = 0, apart = 0;
    for (const float value : sum) squares += static_cast<double>(value) * static_cast<double>(value);
    EXPECT_NEAR(std::sqrt(squares), norm, 1e-4 * norm);
    for (std::size_t k = 0; k < dimension; k += kEvery) {
      double expected = 0;
      ASSERT_TRUE(file >> expected);
      wanted += expected * expected;
      apart += (static_cast<double>(sum[k]) - expected) * (static_cast<double>(sum[k]) - expected);
    }
    EXPECT_LT(std::sqrt(apart), 1e-4 * std::sqrt(wanted));
  }
  EXPECT_EQ(networks, 2);
}

}  // namespace
}  // namespace quantimed

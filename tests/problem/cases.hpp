// SPDX-License-Identifier: BSD-3-Clause
// Small data sets and every combination of model, activation and loss, for the tests of src/problem.
#pragma once

#include <string>
#include <vector>

#include "naive.hpp"
#include "problem/problem.hpp"

namespace quantimed {

enum class Features { bytes, values };

inline Dataset random_data(std::uint32_t samples, std::uint32_t features, std::uint32_t classes, Features kind) {
  Dataset data;
  data.name = "random";
  data.samples = samples;
  data.features = features;
  data.classes = classes;
  Stream words({.seed = 11, .node = features, .iteration = classes});
  for (std::size_t i = 0; i < std::size_t{samples} * features; ++i) {
    if (kind == Features::bytes) data.bytes.push_back(static_cast<std::uint8_t>(words.index(256)));
    if (kind == Features::values) data.values.push_back(static_cast<float>(words.uniform(-1, 1)));
  }
  for (std::uint32_t k = 0; k < samples; ++k)
    data.targets.push_back(classes > 0 ? static_cast<float>(words.index(classes))
                                       : static_cast<float>(words.uniform(-2, 2)));
  return data;
}

struct Case {
  std::string model;
  std::string activation;
  std::string loss;
  std::uint32_t features, classes;
  naive::Model twin;
};

inline std::vector<Case> every_case() {
  std::vector<Case> cases;
  const auto linear = [&](std::string model, std::string name, std::uint32_t classes, std::size_t outputs, Loss loss) {
    for (std::uint32_t d : {1u, 37u, 256u})
      cases.push_back({model, "sigmoid", name, d, classes, {{d, outputs}, false, {}, loss}});
  };
  linear("least-squares", "", 0, 1, Loss::squared);
  linear("least-squares", "squared", 3, 3, Loss::squared);
  linear("logistic", "", 2, 1, Loss::sigmoid_cross_entropy);
  linear("logistic", "softmax", 2, 2, Loss::softmax);
  linear("logistic", "", 5, 5, Loss::softmax);
  linear("logistic", "sigmoid-cross-entropy", 5, 5, Loss::sigmoid_cross_entropy);

  const std::pair<std::string, Activation> activations[] = {
      {"sigmoid", Activation::sigmoid}, {"tanh", Activation::tanh}, {"relu", Activation::relu}};
  for (const auto& [name, activation] : activations) {
    for (Loss loss : {Loss::sigmoid_cross_entropy, Loss::softmax, Loss::squared}) {
      cases.push_back({"mlp:17", name, to_string(loss), 37, 10, {{37, 17, 10}, true, activation, loss}});
      cases.push_back({"mlp:6,1,5", name, to_string(loss), 128, 2, {{128, 6, 1, 5, 2}, true, activation, loss}});
    }
    cases.push_back({"mlp:9", name, "", 20, 0, {{20, 9, 1}, true, activation, Loss::squared}});
  }
  cases.push_back(
      {"mlp:50", "sigmoid", "", 784, 10, {{784, 50, 10}, true, Activation::sigmoid, Loss::sigmoid_cross_entropy}});
  return cases;
}

}  // namespace quantimed

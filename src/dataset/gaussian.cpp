// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/gaussian.hpp"

#include "base/random.hpp"
#include "dataset/generated.hpp"

#include <cmath>
#include <numbers>

namespace quantimed {

namespace {

constexpr std::uint32_t kMostFeatures = 2'000;
constexpr std::uint32_t kSample = 0, kSolution = 1;  // what a stream is for: its iteration

Dataset draw(const DatasetRequest& request, const std::vector<double>& w, std::uint32_t first, std::uint32_t samples) {
  const bool has_classes = request.name.starts_with("gaussian-logistic");
  Dataset data;
  data.name = request.name;
  data.samples = samples;
  data.features = static_cast<std::uint32_t>(w.size());
  data.classes = has_classes ? 2 : 0;
  data.values.reserve(std::size_t{samples} * w.size());
  data.targets.reserve(samples);
  for (std::uint32_t k = 0; k < samples; ++k) {
    Stream random({.seed = request.seed, .node = first + k, .iteration = kSample, .purpose = Purpose::generated_data});
    double answer = 0;
    for (const double weight : w) {
      data.values.push_back(static_cast<float>(normal(random)));
      answer += weight * static_cast<double>(data.values.back());
    }
    if (has_classes)
      data.targets.push_back(random.uniform() < 1 / (1 + std::exp(-3 * answer)) ? 1.0f : 0.0f);
    else
      data.targets.push_back(static_cast<float>(answer + normal(random) / 2));
  }
  return data;
}

}  // namespace

// Box and Muller's transform; of each pair the first alone, so that a value depends on its own two draws.
double normal(Stream& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.uniform());
}

DataSplit generate_gaussian(const DatasetRequest& request) {
  const GeneratedName name(request.name, "gaussian-linear:8 or gaussian-linear:8,50000");
  name.require_count(1, 2);
  const std::uint32_t features = name.whole(0, "features", 1, kMostFeatures);
  const std::uint32_t samples =
      name.count() > 1 ? name.whole(1, "samples", kFewestSamples, kMostGenerated) : kUsualSamples;
  const double all = static_cast<double>(samples) + test_samples_of(samples);
  require_room(request, all * (features + 1.0) * sizeof(float));
  Stream random({.seed = request.seed, .iteration = kSolution, .purpose = Purpose::generated_data});
  std::vector<double> w(features);
  for (double& weight : w) weight = normal(random) / std::sqrt(features);
  return {draw(request, w, 0, samples),
          draw(request, w, samples, test_samples_of(samples)),
          {.format = "generated", .test = "generated"}};
}

}  // namespace quantimed

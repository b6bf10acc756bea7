// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/sparse_logistic.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "dataset/gaussian.hpp"
#include "dataset/generated.hpp"

namespace quantimed {

namespace {

constexpr std::uint32_t kMostFeatures = 10'000'000;
constexpr double kMostDensity = 0.25;                // columns are drawn until they differ
constexpr std::uint32_t kSample = 0, kSolution = 1;  // what a stream is for: its iteration

// Different ones, ascending.
void draw_columns(Stream& random, std::uint32_t features, std::span<std::uint32_t> columns) {
  for (std::size_t drawn = 0; drawn < columns.size();) {
    const double u = random.uniform();
    const auto column = static_cast<std::uint32_t>(u * u * features);
    const auto end = columns.begin() + static_cast<std::ptrdiff_t>(drawn);
    const auto at = std::lower_bound(columns.begin(), end, column);
    if (at != end && *at == column) continue;
    std::copy_backward(at, end, end + 1);
    *at = column;
    ++drawn;
  }
}

Dataset draw(const DatasetRequest& request, const std::vector<double>& w, std::size_t row_values, std::uint32_t first,
             std::uint32_t samples) {
  Dataset data;
  data.name = request.name;
  data.samples = samples;
  data.features = static_cast<std::uint32_t>(w.size());
  data.classes = 2;
  data.targets.resize(samples);
  SparseRows& rows = data.sparse;
  rows.starts.resize(std::size_t{samples} + 1);
  rows.columns.resize(samples * row_values);
  rows.values.resize(samples * row_values);
  const double scale = 1 / std::sqrt(static_cast<double>(row_values));
#pragma omp parallel for schedule(static)
  for (std::uint32_t k = 0; k < samples; ++k) {
    Stream random({.seed = request.seed, .node = first + k, .iteration = kSample, .purpose = Purpose::generated_data});
    const std::size_t start = k * row_values;
    const std::span columns(rows.columns.data() + start, row_values);
    draw_columns(random, data.features, columns);
    double answer = 0;
    for (std::size_t e = 0; e < row_values; ++e) {
      float value = 0;
      while (value == 0) value = static_cast<float>(normal(random) * scale);
      rows.values[start + e] = value;
      answer += w[columns[e]] * static_cast<double>(value);
    }
    data.targets[k] = random.uniform() < 1 / (1 + std::exp(-3 * answer)) ? 1.0f : 0.0f;
    rows.starts[k + 1] = start + row_values;
  }
  return data;
}

}  // namespace

DataSplit generate_sparse_logistic(const DatasetRequest& request) {
  const GeneratedName name(request.name, "sparse-logistic:47236,0.0016,20242");
  name.require_count(3, 3);
  const std::uint32_t features = name.whole(0, "features", 1, kMostFeatures);
  const double density = name.share(1, "density", kMostDensity);
  const std::uint32_t samples = name.whole(2, "samples", kFewestSamples, kMostGenerated);
  const auto row_values = static_cast<std::size_t>(std::max(1.0, std::round(density * features)));
  const double all = static_cast<double>(samples) + test_samples_of(samples);
  const double row_bytes =
      static_cast<double>(row_values) * (sizeof(float) + sizeof(std::uint32_t)) + sizeof(std::uint64_t) + sizeof(float);
  require_room(request, all * row_bytes + sizeof(double) * features);

  Stream random({.seed = request.seed, .iteration = kSolution, .purpose = Purpose::generated_data});
  std::vector<double> w(features);
  for (double& weight : w) weight = normal(random);
  return {draw(request, w, row_values, 0, samples),
          draw(request, w, row_values, samples, test_samples_of(samples)),
          {.format = "generated", .test = "generated", .storage_rule = "generated so"}};
}

}  // namespace quantimed

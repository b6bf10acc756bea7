// SPDX-License-Identifier: BSD-3-Clause
#include "dataset/normalise.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace quantimed {

namespace {

// Images of several colours have a channel for each, grey ones have one, and every column of a table is one.
std::size_t channels_of(const std::vector<std::uint32_t>& shape, std::size_t features) {
  if (shape.size() == 3) return shape[0];
  return shape.size() == 2 ? 1 : features;
}

double value_at(const Dataset& data, std::size_t at) {
  return data.bytes.empty() ? static_cast<double>(data.values[at]) : data.bytes[at] / 255.0;
}

}  // namespace

void normalise(DataSplit& split) {
  Dataset& train = split.train;
  if (train.is_sparse())
    throw InputError(
        "--normalise: the rows of {} are held as sparse ones, and none of their features would stay 0; leave it out",
        train.name);
  const std::size_t p = train.features, channels = channels_of(split.source.shape, p), area = p / channels;
  check(channels * area == p, "normalise: the shape is not that of the features");
  std::vector<double> means(channels), squares(channels);
  const double count = static_cast<double>(train.samples) * static_cast<double>(area);
  // Of the first value of each channel, so that a large mean does not cost the variance its digits.
  const auto centred = [&](std::size_t row, std::size_t c, std::size_t k) {
    return value_at(train, row * p + c * area + k) - value_at(train, c * area);
  };
  for (std::size_t row = 0; row < train.samples; ++row)
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t k = 0; k < area; ++k) {
        const double value = centred(row, c, k);
        means[c] += value / count;
        squares[c] += value * value / count;
      }
  for (std::size_t c = 0; c < channels; ++c) {
    const double variance = squares[c] - means[c] * means[c], mean = means[c] + value_at(train, c * area);
    const double deviation = variance > 1e-12 * squares[c] ? std::sqrt(variance) : 0;
    // A channel that never changes becomes 0.
    train.scale.push_back(deviation > 0 ? static_cast<float>(1 / deviation) : 0.0f);
    train.shift.push_back(deviation > 0 ? static_cast<float>(-mean / deviation) : 0.0f);
  }
  if (!std::ranges::all_of(train.scale, [](float s) { return std::isfinite(s); }) ||
      !std::ranges::all_of(train.shift, [](float s) { return std::isfinite(s); }))
    throw InputError("--normalise: a feature of {} varies too little, or is too large, for float32; leave it out",
                     train.name);
  if (split.test) {
    split.test->scale = train.scale;
    split.test->shift = train.shift;
  }
}

}  // namespace quantimed

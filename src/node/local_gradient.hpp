// SPDX-License-Identifier: BSD-3-Clause
// A node's own stochastic gradient: samples drawn with replacement from its shard, in counter-based order.
#pragma once

#include "base/random.hpp"
#include "problem/problem.hpp"

#include <span>
#include <vector>

namespace quantimed {

class LocalGradient {
 public:
  LocalGradient(const Problem& problem, std::span<const SampleId> shard, NodeId node, std::uint64_t seed)
      : problem_(problem), shard_(shard), node_(node), seed_(seed), stream_({}) {}

  // Starts the k-th gradient of iteration t: the next sample is the first of (seed, node, t, k), whatever was drawn
  // before.
  void begin(Round t, std::uint32_t k) {
    stream_ = Stream({.seed = seed_, .node = node_, .iteration = t, .purpose = Purpose::samples, .draw = k});
    drawn_ = 0;
  }

  // sum ← the gradient over the next `count` ≥ 1 samples, added to what this iteration has so far.  x, sum: [p]
  void add(std::span<const float> x, std::size_t count, std::span<float> sum, std::vector<SampleId>& batch,
           Workspace& work) {
    batch.resize(count);  // no allocation once `batch` has been as large
    for (SampleId& row : batch) row = shard_[stream_.index(static_cast<std::uint32_t>(shard_.size()))];
    problem_.gradient_sum(x, batch, drawn_ > 0, sum, work);
    drawn_ += count;
  }

  std::size_t drawn() const { return drawn_; }

 private:
  const Problem& problem_;
  std::span<const SampleId> shard_;
  NodeId node_;
  std::uint64_t seed_;
  Stream stream_;
  std::size_t drawn_ = 0;
};

}  // namespace quantimed

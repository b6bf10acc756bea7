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
  // `augmentation`: what is done to each sample that is drawn.
  LocalGradient(const Problem& problem, std::span<const SampleId> shard, NodeId node, std::uint64_t seed,
                const Augmentation& augmentation = {})
      : problem_(problem), shard_(shard), node_(node), seed_(seed), augmentation_(augmentation), stream_({}) {}

  // Starts the k-th gradient of iteration t: the next sample is the first of (seed, node, t, k), whatever was drawn
  // before.
  void begin(Round t, std::uint32_t k) {
    stream_ = Stream({.seed = seed_, .node = node_, .iteration = t, .purpose = Purpose::samples, .draw = k});
    moves_from_ = {.seed = seed_, .node = node_, .iteration = t, .purpose = Purpose::augmentation, .draw = k};
    drawn_ = 0;
  }

  // sum ← the gradient over the next `count` ≥ 1 samples, added to what this iteration has so far.  x, sum: [p]
  void add(std::span<const Real> x, std::size_t count, std::span<Real> sum, std::vector<SampleId>& batch,
           Workspace& work) {
    batch.resize(count);  // no allocation once `batch` has been as large
    for (SampleId& row : batch) row = shard_[stream_.index(static_cast<std::uint32_t>(shard_.size()))];
    moves_.clear();
    for (std::size_t slot = drawn_; !augmentation_.is_none() && slot < drawn_ + count; ++slot)
      moves_.push_back(draw_move(augmentation_, moves_from_, static_cast<std::uint32_t>(slot)));
    problem_.gradient_sum(x, Batch(batch, moves_), drawn_ > 0, sum, work);
    drawn_ += count;
  }

  std::size_t drawn() const { return drawn_; }

 private:
  const Problem& problem_;
  std::span<const SampleId> shard_;
  NodeId node_;
  std::uint64_t seed_;
  Augmentation augmentation_;
  Stream stream_;
  StreamKey moves_from_;
  std::vector<Move> moves_;  // of the samples of one call
  std::size_t drawn_ = 0;
};

}  // namespace quantimed
